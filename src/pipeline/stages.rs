//! Cuts a dataflow into stages: runs of nodes that are chained in one task, with
//! channels only where rows change hands.
//!
//! Pure: it knows the plan and the parallelism, not how anything is run.

use crate::plan::{Dataflow, NodeKind};
use crate::stream::OperatorId;

/// One stage; it runs as `parallelism` tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where its rows come from.
    pub head: Head,
    /// Its chained operators, first to last.
    pub steps: Vec<Step>,
    /// Where its rows go.
    pub end: End,
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
///
/// # Panics
/// If two nodes read one: the planner makes a tree for every sink.
pub fn stages(dataflow: &Dataflow, parallelism: usize) -> Vec<Stage> {
    let mut stages: Vec<Open> = Vec::new();
    let mut stage_of_node = vec![usize::MAX; dataflow.nodes.len()];
    for node in &dataflow.nodes {
        let inputs: Vec<usize> = node
            .inputs
            .iter()
            .map(|input| stage_of_node[input.0 as usize])
            .collect();
        let stage = match &node.kind {
            NodeKind::Source { .. } => {
                let mut stage = Open::new(Head::Source(node.id));
                stage.steps.push(Step::Node(node.id));
                stages.push(stage);
                stages.len() - 1
            }
            NodeKind::Filter { .. }
            | NodeKind::Unnest { .. }
            | NodeKind::Project { .. }
            | NodeKind::Expand { .. }
            | NodeKind::WindowAssign { .. } => {
                stages[inputs[0]].steps.push(Step::Node(node.id));
                inputs[0]
            }
            NodeKind::WindowAggregate { .. }
            | NodeKind::UpdatingWindowAggregate { .. }
            | NodeKind::SessionAggregate { .. }
            | NodeKind::GroupAggregate { .. }
            | NodeKind::ChangelogNormalize { .. }
                if parallelism == 1 =>
            {
                stages[inputs[0]].steps.push(Step::Node(node.id));
                inputs[0]
            }
            NodeKind::WindowAggregate {
                keys,
                late_rows,
                by_clock,
                ..
            } if *by_clock || !late_rows.is_empty() => {
                // Only who is behind the exchange knows which rows are late, and what time it is.
                let next = stages.len();
                let keys = keys.len();
                stages[inputs[0]].close(End::Exchange { stage: next, keys });
                let mut far = Open::new(Head::Stages(inputs));
                far.steps.push(Step::Node(node.id));
                stages.push(far);
                next
            }
            NodeKind::WindowAggregate { keys, .. } => {
                let next = stages.len();
                let near = &mut stages[inputs[0]];
                near.steps.push(Step::PreAggregate(node.id));
                near.close(End::Exchange {
                    stage: next,
                    keys: keys.len() + usize::from(node.has_attached_windows()),
                });
                let mut far = Open::new(Head::Stages(inputs));
                far.steps.push(Step::FinalAggregate(node.id));
                stages.push(far);
                next
            }
            NodeKind::ChangelogNormalize { keys }
            | NodeKind::UpdatingWindowAggregate { keys, .. }
            | NodeKind::SessionAggregate { keys, .. }
            | NodeKind::GroupAggregate { keys, .. } => {
                let next = stages.len();
                stages[inputs[0]].close(End::Exchange {
                    stage: next,
                    keys: *keys,
                });
                let mut far = Open::new(Head::Stages(inputs));
                far.steps.push(Step::Node(node.id));
                stages.push(far);
                next
            }
            NodeKind::LateRows => {
                let next = stages.len();
                let before = stages[inputs[0]].late.replace(next);
                assert!(before.is_none(), "late rows of two aggregates in one stage");
                stages.push(Open::new(Head::Stages(inputs)));
                next
            }
            NodeKind::Union => {
                let next = stages.len();
                for &input in &inputs {
                    stages[input].close(End::Forward(next));
                }
                stages.push(Open::new(Head::Stages(inputs)));
                next
            }
            NodeKind::Sink { .. } | NodeKind::Print => {
                stages[inputs[0]].close(End::Sink(node.id));
                inputs[0]
            }
        };
        stage_of_node[node.id.0 as usize] = stage;
    }
    stages.into_iter().map(Open::finish).collect()
}

impl Stage {
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
        if let End::Sink(node) = self.end {
            names.push(match kind_of(node) {
                NodeKind::Sink { table } => format!("sink {}", table.name),
                _ => "print".to_owned(),
            });
        }
        names.join(" -> ")
    }
}

/// A stage whose end is not known yet.
struct Open {
    head: Head,
    steps: Vec<Step>,
    end: Option<End>,
    late: Option<usize>,
}

impl Open {
    fn new(head: Head) -> Self {
        Self {
            head,
            steps: Vec::new(),
            end: None,
            late: None,
        }
    }

    fn close(&mut self, end: End) {
        assert!(self.end.is_none(), "two nodes read one");
        self.end = Some(end);
    }

    fn finish(self) -> Stage {
        Stage {
            head: self.head,
            steps: self.steps,
            end: self.end.expect("every row ends in a sink"),
            late: self.late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let dataflow = compile(&[file], &|_| None).unwrap().dataflow;
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
            let end = match &stage.end {
                End::Sink(id) => name(id),
                End::Forward(stage) => format!("[{stage}]"),
                End::Exchange { stage, keys } => format!("[{stage}] by {keys}"),
            };
            let late = stage.late.map(|stage| format!(", late -> [{stage}]"));
            let late = late.unwrap_or_default();
            format!("{head} {} -> {end}{late}", steps.join(", "))
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
        let cases: [(&str, usize, &[&str]); 12] = [
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
                &["read a -> s", "read a, filter -> s"],
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
