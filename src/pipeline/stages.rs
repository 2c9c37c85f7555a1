//! Cuts a dataflow into stages: runs of nodes that are chained in one task, with
//! channels only where rows change hands.
//!
//! Pure: it knows the plan and the parallelism, not how anything is run.

use crate::plan::{Dataflow, Node, NodeKind};
use crate::stream::OperatorId;

/// One stage; it runs as `parallelism` tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where its rows come from.
    pub head: Head,
    /// Its chained operators, first to last.
    pub steps: Vec<Step>,
    /// Where its rows go: all of them to each end. A sink is the only end.
    pub ends: Vec<End>,
    /// The stage to which what is kept of late rows goes, to the task of the same number.
    pub late: Option<usize>,
}

/// Where the rows of a stage come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// From a source.
    Source(OperatorId),
    /// From other stages, by their place.
    Stages(Vec<usize>),
}

/// One chained operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The whole of a plan node.
    Node(OperatorId),
    /// The near half of a window aggregate, before an exchange.
    PreAggregate(OperatorId),
    /// The far half of a window aggregate, behind an exchange.
    FinalAggregate(OperatorId),
}

/// Where the rows of a stage go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Into the sink of this node.
    Sink(OperatorId),
    /// To the task of the same number in another stage.
    Forward(usize),
    /// To the tasks of another stage by key group; the keys are the first
    /// columns of the rows.
    Exchange {
        /// The other stage.
        stage: usize,
        /// How many columns are the key.
        keys: usize,
    },
}

/// The stages of a dataflow, in an order in which a stage comes after those
/// that it reads.
pub fn stages(dataflow: &Dataflow, parallelism: usize) -> Vec<Stage> {
    cut(dataflow, parallelism).0
}

/// [`stages`], and for each node the place of the stage that makes its rows or takes them.
pub fn cut(dataflow: &Dataflow, parallelism: usize) -> (Vec<Stage>, Vec<usize>) {
    let mut readers = vec![0; dataflow.nodes.len()];
    let reading = dataflow.nodes.iter();
    for node in reading.filter(|node| !matches!(node.kind, NodeKind::LateRows)) {
        for input in &node.inputs {
            readers[input.0 as usize] += 1;
        }
    }
    let mut cutting = Cutting {
        stages: Vec::new(),
        of_node: Vec::with_capacity(dataflow.nodes.len()),
        readers,
    };
    for node in &dataflow.nodes {
        let stage = cutting.stage_of(node, parallelism);
        cutting.of_node.push(stage);
    }
    let stages = cutting.stages.into_iter().map(Open::finish);
    (stages.collect(), cutting.of_node)
}

/// The stages while they are made.
struct Cutting {
    stages: Vec<Open>,
    /// By node, the stage that makes its rows.
    of_node: Vec<usize>,
    /// By node, how many read its rows.
    readers: Vec<usize>,
}

impl Cutting {
    /// The stage of a node, which comes after those that it reads.
    fn stage_of(&mut self, node: &Node, parallelism: usize) -> usize {
        match &node.kind {
            NodeKind::Source { .. } => {
                let mut stage = Open::new(Head::Source(node.id));
                stage.steps.push(Step::Node(node.id));
                self.add(stage)
            }
            NodeKind::Filter { .. }
            | NodeKind::Unnest { .. }
            | NodeKind::Project { .. }
            | NodeKind::Expand { .. }
            | NodeKind::WindowAssign { .. } => self.chained(node, Step::Node(node.id)),
            NodeKind::WindowAggregate { .. }
            | NodeKind::UpdatingWindowAggregate { .. }
            | NodeKind::SessionAggregate { .. }
            | NodeKind::GroupAggregate { .. }
            | NodeKind::ChangelogNormalize { .. }
                if parallelism == 1 =>
            {
                self.chained(node, Step::Node(node.id))
            }
            NodeKind::WindowAggregate {
                keys,
                late_rows,
                by_clock,
                retracts,
                ..
            } if *by_clock || *retracts || !late_rows.is_empty() => {
                // Only who is behind the exchange knows which rows are late, what time it is, and
                // what there is to be taken back.
                self.exchanged(node, self.before(node), keys.len())
            }
            NodeKind::WindowAggregate { keys, .. } => {
                let near = self.chained(node, Step::PreAggregate(node.id));
                let keys = keys.len() + usize::from(node.has_attached_windows());
                let far = self.exchanged(node, near, keys);
                self.stages[far].steps = vec![Step::FinalAggregate(node.id)];
                far
            }
            NodeKind::ChangelogNormalize { keys }
            | NodeKind::UpdatingWindowAggregate { keys, .. }
            | NodeKind::SessionAggregate { keys, .. }
            | NodeKind::GroupAggregate { keys, .. } => {
                self.exchanged(node, self.before(node), *keys)
            }
            NodeKind::LateRows => {
                let (from, next) = (self.before(node), self.stages.len());
                let before = self.stages[from].late.replace(next);
                assert!(before.is_none(), "late rows of two aggregates in one stage");
                self.add(Open::new(Head::Stages(vec![from])))
            }
            NodeKind::Union => {
                let inputs: Vec<usize> = node.inputs.iter().map(|id| self.making(*id)).collect();
                let next = self.stages.len();
                for &input in &inputs {
                    self.stages[input].ends.push(End::Forward(next));
                }
                self.add(Open::new(Head::Stages(inputs)))
            }
            NodeKind::Sink { .. } | NodeKind::Print => {
                let stage = self.alone(node);
                self.stages[stage].ends.push(End::Sink(node.id));
                stage
            }
        }
    }

    fn add(&mut self, stage: Open) -> usize {
        self.stages.push(stage);
        self.stages.len() - 1
    }

    /// The stage that makes the rows of a node.
    fn making(&self, node: OperatorId) -> usize {
        self.of_node[node.0 as usize]
    }

    /// The stage that makes the rows of the only input.
    fn before(&self, node: &Node) -> usize {
        self.making(node.inputs[0])
    }

    /// A stage that makes the rows of the only input for nobody but this node: a new one if
    /// others read them, too.
    fn alone(&mut self, node: &Node) -> usize {
        let from = self.before(node);
        if self.readers[node.inputs[0].0 as usize] == 1 {
            return from;
        }
        let next = self.stages.len();
        self.stages[from].ends.push(End::Forward(next));
        self.add(Open::new(Head::Stages(vec![from])))
    }

    /// The stage of the only input, with one more step.
    fn chained(&mut self, node: &Node, step: Step) -> usize {
        let stage = self.alone(node);
        self.stages[stage].steps.push(step);
        stage
    }

    /// A new stage for a node, which gets the rows of another one by key.
    fn exchanged(&mut self, node: &Node, from: usize, keys: usize) -> usize {
        let stage = self.stages.len();
        self.stages[from].ends.push(End::Exchange { stage, keys });
        let mut far = Open::new(Head::Stages(vec![from]));
        far.steps.push(Step::Node(node.id));
        self.add(far)
    }
}

impl Stage {
    /// The sink in which it ends, if it ends in one.
    pub fn sink(&self) -> Option<OperatorId> {
        match self.ends[..] {
            [End::Sink(node)] => Some(node),
            _ => None,
        }
    }

    /// Its operators in order, for people.
    pub fn describe(&self, dataflow: &Dataflow) -> String {
        let kind_of = |id: OperatorId| &dataflow.nodes[id.0 as usize].kind;
        let mut names: Vec<String> = Vec::new();
        if matches!(self.head, Head::Stages(ref inputs) if inputs.len() > 1) {
            names.push("union".to_owned());
        }
        for step in &self.steps {
            let (Step::Node(id) | Step::PreAggregate(id) | Step::FinalAggregate(id)) = *step;
            names.push(match (kind_of(id), step) {
                (NodeKind::Source { table, .. }, _) => format!("source {}", table.name),
                (NodeKind::Filter { .. }, _) => "filter".to_owned(),
                (NodeKind::Unnest { .. }, _) => "unnest".to_owned(),
                (NodeKind::Project { .. }, _) => "project".to_owned(),
                (NodeKind::Expand { .. }, _) => "expand".to_owned(),
                (NodeKind::WindowAssign { .. }, _) => "window".to_owned(),
                (NodeKind::ChangelogNormalize { .. }, _) => "changelog normalize".to_owned(),
                (NodeKind::SessionAggregate { .. }, _) => "session aggregate".to_owned(),
                (NodeKind::GroupAggregate { .. }, _) => "group aggregate".to_owned(),
                (_, Step::PreAggregate(_)) => "window pre-aggregate".to_owned(),
                _ => "window aggregate".to_owned(),
            });
        }
        if let Some(node) = self.sink() {
            names.push(match kind_of(node) {
                NodeKind::Sink { table } => format!("sink {}", table.name),
                _ => "print".to_owned(),
            });
        }
        names.join(" -> ")
    }
}

/// A stage whose ends are not known yet.
struct Open {
    head: Head,
    steps: Vec<Step>,
    ends: Vec<End>,
    late: Option<usize>,
}

impl Open {
    fn new(head: Head) -> Self {
        Self {
            head,
            steps: Vec::new(),
            ends: Vec::new(),
            late: None,
        }
    }

    fn finish(self) -> Stage {
        assert!(!self.ends.is_empty(), "every row ends in a sink");
        Stage {
            head: self.head,
            steps: self.steps,
            ends: self.ends,
            late: self.late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::shared;
    use crate::sql::{SourceFile, compile};

    const TABLES: &str = "
        CREATE TABLE a (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'x');
        CREATE TABLE b (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'x');
        CREATE TABLE s (k INT) WITH ('connector' = 'x');
        CREATE TABLE late (k INT) WITH ('connector' = 'x');
        CREATE TABLE n (n BIGINT) WITH ('connector' = 'x');
        CREATE VIEW u AS SELECT k, ts FROM a UNION ALL SELECT k, ts FROM b;";

    /// A line a stage: where rows come from, the steps, where they go.
    fn cut(text: &str, parallelism: usize) -> Vec<String> {
        let file = SourceFile {
            name: "stages.sql".to_owned(),
            text: format!("{TABLES}\n{text}"),
        };
        let dataflow = shared(&compile(&[file], &|_| None).unwrap().dataflow);
        let name = |id: &OperatorId| match &dataflow.nodes[id.0 as usize].kind {
            NodeKind::Source { table, .. } | NodeKind::Sink { table } => table.name.clone(),
            NodeKind::Filter { .. } => "filter".to_owned(),
            NodeKind::Unnest { .. } => "unnest".to_owned(),
            NodeKind::Project { .. } => "project".to_owned(),
            NodeKind::Expand { .. } => "expand".to_owned(),
            NodeKind::WindowAssign { .. } => "assign".to_owned(),
            NodeKind::ChangelogNormalize { .. } => "normalize".to_owned(),
            NodeKind::WindowAggregate { .. } => "aggregate".to_owned(),
            NodeKind::UpdatingWindowAggregate { .. } => "updating aggregate".to_owned(),
            NodeKind::SessionAggregate { .. } => "session aggregate".to_owned(),
            NodeKind::GroupAggregate { .. } => "group aggregate".to_owned(),
            NodeKind::Union | NodeKind::LateRows | NodeKind::Print => "no step".to_owned(),
        };
        let line = |stage: &Stage| {
            let head = match &stage.head {
                Head::Source(_) => "read".to_owned(),
                Head::Stages(places) => format!("{places:?}"),
            };
            let steps = stage.steps.iter().map(|step| match step {
                Step::Node(id) => name(id),
                Step::PreAggregate(id) => format!("near {}", name(id)),
                Step::FinalAggregate(id) => format!("far {}", name(id)),
            });
            let steps: Vec<_> = steps.collect();
            let ends = stage.ends.iter().map(|end| match end {
                End::Sink(id) => name(id),
                End::Forward(stage) => format!("[{stage}]"),
                End::Exchange { stage, keys } => format!("[{stage}] by {keys}"),
            });
            let ends = ends.collect::<Vec<_>>().join(" and ");
            let late = stage.late.map(|stage| format!(", late -> [{stage}]"));
            let late = late.unwrap_or_default();
            format!("{head} {} -> {ends}{late}", steps.join(", "))
        };
        stages(&dataflow, parallelism).iter().map(line).collect()
    }

    #[test]
    fn nodes_are_chained_until_rows_change_hands() {
        const COUNT: &str = "FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '1' SECOND))";
        let by_key =
            format!("INSERT INTO n SELECT COUNT(*) {COUNT} GROUP BY k, window_start, window_end");
        let of_all =
            format!("INSERT INTO n SELECT COUNT(*) {COUNT} GROUP BY window_start, window_end");
        let of_union = by_key.replace("TABLE a", "TABLE u");
        let late = "TABLE a /*+ OPTIONS('late-rows.table' = 'late') */";
        let with_late = by_key.replace("TABLE a", late);
        let of_session = by_key.replace("TUMBLE(TABLE a", "SESSION(TABLE a PARTITION BY k");
        let cases: [(&str, usize, &[&str]); 14] = [
            ("INSERT INTO s SELECT k FROM a", 4, &["read a -> s"]),
            (
                "INSERT INTO s SELECT k + 1 FROM a WHERE k > 1",
                4,
                &["read a, filter, project -> s"],
            ),
            (
                "INSERT INTO s SELECT k FROM u",
                4,
                &["read a -> [2]", "read b -> [2]", "[0, 1]  -> s"],
            ),
            (
                "INSERT INTO s SELECT k FROM a; INSERT INTO s SELECT k FROM a WHERE k > 1",
                2,
                &["read a -> [1] and [2]", "[0]  -> s", "[0] filter -> s"],
            ),
            (
                "INSERT INTO s SELECT k FROM a UNION ALL SELECT k FROM a",
                2,
                &["read a -> [1] and [1]", "[0, 0]  -> s"],
            ),
            (
                &format!("{by_key}; {by_key}; INSERT INTO s SELECT k FROM a"),
                2,
                &[
                    "read a -> [1] and [5]",
                    "[0] near aggregate -> [2] by 1",
                    "[1] far aggregate, project -> [3] and [4]",
                    "[2]  -> n",
                    "[2]  -> n",
                    "[0] project -> s",
                ],
            ),
            (&by_key, 1, &["read a, aggregate, project -> n"]),
            (
                &by_key,
                2,
                &[
                    "read a, near aggregate -> [1] by 1",
                    "[0] far aggregate, project -> n",
                ],
            ),
            (
                &of_all,
                2,
                &[
                    "read a, near aggregate -> [1] by 0",
                    "[0] far aggregate, project -> n",
                ],
            ),
            (
                &with_late,
                1,
                &[
                    "read a, aggregate, project -> n, late -> [1]",
                    "[0]  -> late",
                ],
            ),
            (
                &with_late,
                2,
                &[
                    "read a -> [1] by 1",
                    "[0] aggregate, project -> n, late -> [2]",
                    "[1]  -> late",
                ],
            ),
            (&of_session, 1, &["read a, session aggregate, project -> n"]),
            (
                &of_session,
                2,
                &["read a -> [1] by 1", "[0] session aggregate, project -> n"],
            ),
            (
                &of_union,
                2,
                &[
                    "read a -> [2]",
                    "read b -> [2]",
                    "[0, 1] near aggregate -> [3] by 1",
                    "[2] far aggregate, project -> n",
                ],
            ),
        ];
        for (text, parallelism, expected) in cases {
            assert_eq!(cut(text, parallelism), expected, "{text} by {parallelism}");
        }
    }
}
