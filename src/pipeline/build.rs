//! Turns stages into tasks: the one place that knows both a plan node and its
//! operator.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::build_windows::{
    retracting_window_aggregate, session_aggregate, slicing_of, updating_window_aggregate,
    window_aggregate,
};
use super::ends::{CheckedSource, Ends, source_of};
use super::event_time::DeclaredWatermark;
use super::partition_pruning::WantedPartitions;
use super::stages::{End, Head, Stage, Step, stages};
use super::status::VertexStatus;
use super::updating::UpdatingSettings;
use crate::checkpoint::TaskId;
use crate::connectors::JobContext;
use crate::expr::{Tells, UpdatingSpec};
use crate::metrics::TaskMetrics;
use crate::operators::{
    ChangelogNormalize, Expand, Filter, GroupAggregate, GroupAggregateSpec, NotNull, Project,
    Unnest, WindowAssign,
};
use crate::plan::{Dataflow, Node, NodeKind};
use crate::runtime::{
    Alignment, Command, Enumerator, Error, Exchange, InputGate, Operator, OperatorTask, Report,
    Result, SinkFactory, SinkTail, SinkTask, SourceFactory, SourceTask, SplitQueue, SplitRules,
    Tail, TaskParts, TimeGroup,
};
use crate::state::{DeadLetterWriter, StoreHandle};
use crate::stream::{CheckpointId, KeyGroups, Message, OperatorId};

/// Messages that an edge holds before who sends has to wait.
const CHANNEL_MESSAGES: usize = 4;

/// A job with all its tasks, ready to be started.
pub struct Job {
    /// The tasks.
    pub tasks: Vec<(TaskId, TaskKind)>,
    /// Where source tasks take commands.
    pub commands: BTreeMap<TaskId, mpsc::UnboundedSender<Command>>,
    /// The sources' splits.
    pub sources: Vec<RunningSource>,
    /// Where tasks report, and
    pub report: mpsc::UnboundedSender<Report>,
    /// where their reports are read.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// Where the last decided checkpoint is told.
    pub decided: watch::Sender<CheckpointId>,
    /// The counters of the tasks.
    pub metrics: Vec<Arc<TaskMetrics>>,
    /// The stages.
    pub vertices: Vec<VertexStatus>,
    /// Whether all its sources end by themselves.
    pub bounded: bool,
}

/// A task of either kind.
pub enum TaskKind {
    /// It reads a source.
    Source(Box<SourceTask>),
    /// It reads other tasks.
    Operator(Box<OperatorTask>),
}

/// A source whose splits are still being found.
pub struct RunningSource {
    /// The splits that wait for a reader.
    pub queue: Arc<SplitQueue>,
    /// Who finds them.
    pub enumerator: Box<dyn Enumerator>,
    /// The source.
    pub factory: Arc<dyn SourceFactory>,
}

/// What a job is built from.
pub struct Blueprint<'a> {
    /// The plan.
    pub dataflow: &'a Dataflow,
    /// The sinks, by plan node.
    pub sinks: &'a BTreeMap<OperatorId, Arc<dyn SinkFactory>>,
    /// What a table's connector is.
    pub ends: &'a dyn Ends,
    /// Whose job it is, as a connector is told.
    pub context: &'a dyn Fn(OperatorId) -> JobContext,
    /// How many tasks a stage has.
    pub parallelism: usize,
    /// The job's key groups.
    pub key_groups: KeyGroups,
    /// The checkpoint that it goes on from.
    pub restored: CheckpointId,
    /// The job's state.
    pub store: &'a StoreHandle,
    /// How aggregates that are never done are kept.
    pub updating: UpdatingSettings,
    /// Where dead letters go.
    pub dead_letters: &'a dyn Fn(TaskId) -> Result<DeadLetterWriter>,
}

/// Builds all tasks of a job, restored from its state.
///
/// # Errors
/// If a connector cannot be set up or the state cannot be read.
pub async fn build(blueprint: Blueprint<'_>) -> Result<Job> {
    let stages = stages(blueprint.dataflow, blueprint.parallelism);
    let (report, reports) = mpsc::unbounded_channel();
    let (decided, decisions) = watch::channel(blueprint.restored);
    let mut edges = Edges::new(&stages, blueprint.parallelism);
    let mut groups = BTreeMap::new();
    let mut job = Job {
        tasks: Vec::new(),
        commands: BTreeMap::new(),
        sources: Vec::new(),
        report: report.clone(),
        reports,
        decided,
        metrics: Vec::new(),
        vertices: Vec::new(),
        bounded: true,
    };
    for (place, stage) in stages.iter().enumerate() {
        let name = stage.describe(blueprint.dataflow);
        job.vertices.push(VertexStatus {
            id: u32::try_from(place).expect("a plan has fewer than 2^32 stages"),
            name: name.clone(),
            parallelism: blueprint.parallelism,
        });
        let source = match &stage.head {
            Head::Source(node) => {
                Some(open_source(&blueprint, *node, &mut groups, &mut job).await?)
            }
            Head::Stages(_) => None,
        };
        for index in 0..blueprint.parallelism {
            let id = TaskId(u32::try_from(job.tasks.len()).expect("fewer than 2^32 tasks"));
            let number = u32::try_from(place).expect("a plan has fewer than 2^32 stages");
            let metrics = TaskMetrics::new(name.clone(), number, index, source.is_some());
            let metrics = Arc::new(metrics);
            job.metrics.push(Arc::clone(&metrics));
            let parts = TaskParts {
                id,
                operators: operators(&blueprint, stage, index).await?,
                tails: tails(&blueprint, &mut edges, place, stage, index)?,
                late: edges.late[place][index].take().map(Tail::Forward),
                metrics,
                dead_letters: (blueprint.dead_letters)(id)?,
                reports: report.clone(),
                decided: decisions.clone(),
            };
            let kind = match &source {
                Some(source) => source.task(parts, &mut job.commands)?,
                None => TaskKind::Operator(Box::new(OperatorTask {
                    inputs: InputGate::new(edges.take_inputs(place, index)),
                    parts,
                })),
            };
            job.tasks.push((id, kind));
        }
    }
    Ok(job)
}

/// The channels between stages.
struct Edges {
    parallelism: usize,
    /// By reading stage and task.
    inputs: Vec<Vec<Vec<mpsc::Receiver<Message>>>>,
    /// By sending stage, task and end, a channel for each task that it sends to.
    outputs: Vec<Vec<Vec<Vec<mpsc::Sender<Message>>>>>,
    /// By sending stage and task, where what is kept of late rows goes.
    late: Vec<Vec<Option<mpsc::Sender<Message>>>>,
}

impl Edges {
    fn new(stages: &[Stage], parallelism: usize) -> Self {
        let none = |_: &Stage| (0..parallelism).map(|_| Vec::new()).collect::<Vec<_>>();
        let mut edges = Self {
            parallelism,
            inputs: stages.iter().map(none).collect(),
            outputs: stages
                .iter()
                .map(|stage| vec![vec![Vec::new(); stage.ends.len()]; parallelism])
                .collect(),
            late: vec![vec![None; parallelism]; stages.len()],
        };
        for (from, stage) in stages.iter().enumerate() {
            for (task, late) in edges.late[from].iter_mut().enumerate() {
                *late = stage.late.map(|to| {
                    let (output, input) = mpsc::channel(CHANNEL_MESSAGES);
                    edges.inputs[to][task].push(input);
                    output
                });
            }
            for (end, to) in stage.ends.iter().enumerate() {
                edges.open(from, end, *to);
            }
        }
        edges
    }

    /// Makes the channels of one end of a stage.
    fn open(&mut self, from: usize, end: usize, to: End) {
        for sender in 0..self.parallelism {
            let (to, readers) = match to {
                End::Sink(_) => return,
                End::Forward(to) => (to, sender..sender + 1),
                End::Exchange { stage: to, .. } => (to, 0..self.parallelism),
            };
            for reader in readers {
                let (output, input) = mpsc::channel(CHANNEL_MESSAGES);
                self.outputs[from][sender][end].push(output);
                self.inputs[to][reader].push(input);
            }
        }
    }

    fn take_inputs(&mut self, stage: usize, task: usize) -> Vec<mpsc::Receiver<Message>> {
        std::mem::take(&mut self.inputs[stage][task])
    }

    /// The channels of a task, by end.
    fn take_outputs(&mut self, stage: usize, task: usize) -> Vec<Vec<mpsc::Sender<Message>>> {
        std::mem::take(&mut self.outputs[stage][task])
    }
}

/// A source while its tasks are built.
struct OpenSource {
    checked: CheckedSource,
    queue: Arc<SplitQueue>,
    schema: arrow::datatypes::SchemaRef,
    watermark: Option<Arc<dyn crate::runtime::WatermarkStrategy>>,
    group: Option<TimeGroup>,
}

async fn open_source(
    blueprint: &Blueprint<'_>,
    node: OperatorId,
    groups: &mut BTreeMap<String, Arc<Alignment>>,
    job: &mut Job,
) -> Result<OpenSource> {
    let source = node_of(blueprint.dataflow, node);
    let NodeKind::Source {
        table,
        decoded,
        watermark,
        ..
    } = &source.kind
    else {
        unreachable!("a stage that begins with a source begins with a source node");
    };
    let context = (blueprint.context)(node);
    let checked = source_of(blueprint.ends, table, &context).map_err(|errors| {
        let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Error::Fatal(format!("table {}: {}", table.name, errors.join("; ")))
    })?;
    let (splits, complete) = blueprint
        .store
        .call(move |store| store.splits(node))
        .await?;
    job.bounded &= checked.factory.bounded();
    let rules = SplitRules {
        tasks: blueprint.parallelism,
        splits_per_task: checked.factory.splits_per_reader(),
        unstarted_hold_watermark: checked.factory.unstarted_splits_hold_watermark(),
        bounded: checked.factory.bounded(),
    };
    let queue = Arc::new(SplitQueue::new(node, rules, splits, complete));
    job.sources.push(RunningSource {
        queue: Arc::clone(&queue),
        enumerator: match WantedPartitions::of(blueprint.dataflow, source) {
            Some(wanted) => checked.factory.enumerator_of(wanted.filter()),
            None => checked.factory.enumerator(),
        },
        factory: Arc::clone(&checked.factory),
    });
    let told = checked.factory.tells_watermarks();
    let declared = watermark.clone().filter(|_| !told);
    let strategy = |watermark| DeclaredWatermark::strategy(watermark, decoded);
    let group = checked.drift.as_ref().map(|drift| TimeGroup {
        alignment: match &drift.group {
            Some(group) => Arc::clone(groups.entry(group.clone()).or_default()),
            None => Arc::default(),
        },
        drift_ms_max: drift.ms_max,
    });
    Ok(OpenSource {
        group,
        checked,
        queue,
        schema: Arc::clone(decoded),
        watermark: declared.map(strategy),
    })
}

impl OpenSource {
    fn task(
        &self,
        parts: TaskParts,
        commands: &mut BTreeMap<TaskId, mpsc::UnboundedSender<Command>>,
    ) -> Result<TaskKind> {
        let (command, receiver) = mpsc::unbounded_channel();
        commands.insert(parts.id, command);
        Ok(TaskKind::Source(Box::new(SourceTask {
            reader: self.checked.factory.reader(&self.schema)?,
            queue: Arc::clone(&self.queue),
            strategy: self.watermark.clone(),
            time: self.checked.time,
            group: self.group.clone(),
            commands: receiver,
            parts,
        })))
    }
}

fn tails(
    blueprint: &Blueprint<'_>,
    edges: &mut Edges,
    place: usize,
    stage: &Stage,
    index: usize,
) -> Result<Vec<Tail>> {
    let outputs = edges.take_outputs(place, index);
    let ends = stage.ends.iter().zip(outputs);
    ends.map(|(end, channels)| tail(blueprint, *end, channels, index))
        .collect()
}

fn tail(
    blueprint: &Blueprint<'_>,
    end: End,
    mut channels: Vec<mpsc::Sender<Message>>,
    index: usize,
) -> Result<Tail> {
    match end {
        End::Forward(_) => {
            let only = channels.pop().expect("a forward edge has one channel");
            Ok(Tail::Forward(only))
        }
        End::Exchange { keys, .. } => Ok(Tail::Exchange(Exchange::new(
            (0..keys).collect(),
            blueprint.key_groups,
            channels,
        ))),
        End::Sink(node) => {
            let task = SinkTask {
                index,
                restored: blueprint.restored,
            };
            Ok(Tail::Sink(SinkTail {
                operator: node,
                task: index,
                sink: blueprint.sinks[&node].sink(task)?,
                open: Vec::new(),
            }))
        }
    }
}

async fn operators(
    blueprint: &Blueprint<'_>,
    stage: &Stage,
    index: usize,
) -> Result<Vec<Box<dyn Operator>>> {
    let mut operators: Vec<Box<dyn Operator>> = Vec::with_capacity(stage.steps.len());
    for step in &stage.steps {
        let (Step::Node(id) | Step::PreAggregate(id) | Step::FinalAggregate(id)) = *step;
        let node = node_of(blueprint.dataflow, id);
        match &node.kind {
            NodeKind::Source {
                columns, decoded, ..
            } => {
                let schema = node.schema.clone();
                operators.push(Box::new(Project::new(schema, columns, decoded)));
            }
            NodeKind::Project { columns } => {
                let input = &node_of(blueprint.dataflow, node.inputs[0]).schema;
                let schema = node.schema.clone();
                operators.push(Box::new(Project::new(schema, columns, input)));
            }
            NodeKind::Filter { predicate } => {
                let schema = node.schema.clone();
                operators.push(Box::new(Filter::new(schema, predicate.clone())));
            }
            NodeKind::Unnest { column, keeps_rows } => {
                let schema = node.schema.clone();
                operators.push(Box::new(Unnest::new(schema, *column, *keeps_rows)));
            }
            NodeKind::Expand { projections } => {
                let input = &node_of(blueprint.dataflow, node.inputs[0]).schema;
                let schema = node.schema.clone();
                operators.push(Box::new(Expand::new(schema, projections, input)));
            }
            NodeKind::WindowAssign { time, window } => {
                let schema = node.schema.clone();
                let slicing = slicing_of(*window);
                operators.push(Box::new(WindowAssign::new(schema, *time, slicing)));
            }
            NodeKind::WindowAggregate { retracts: true, .. } => {
                operators.push(retracting_window_aggregate(blueprint, node, index).await?);
            }
            NodeKind::WindowAggregate { .. } => {
                operators.push(window_aggregate(blueprint, node, *step, index).await?);
            }
            NodeKind::SessionAggregate { .. } => {
                operators.push(session_aggregate(blueprint, node, index).await?);
            }
            NodeKind::UpdatingWindowAggregate { .. } => {
                operators.push(updating_window_aggregate(blueprint, node, index).await?);
            }
            NodeKind::ChangelogNormalize { keys } => {
                operators.push(changelog_normalize(blueprint, node, *keys, index).await?);
            }
            NodeKind::GroupAggregate { .. } => {
                operators.push(group_aggregate(blueprint, node, index).await?);
            }
            NodeKind::Union | NodeKind::LateRows | NodeKind::Sink { .. } | NodeKind::Print => {
                unreachable!("no operator, but a stage's head or end")
            }
        }
    }
    operators.extend(not_null(blueprint.dataflow, stage));
    Ok(operators)
}

/// What a sink's table does not allow to be null, where rows may have it null.
fn not_null(dataflow: &Dataflow, stage: &Stage) -> Option<Box<dyn Operator>> {
    let node = node_of(dataflow, stage.sink()?);
    let NodeKind::Sink { table } = &node.kind else {
        return None;
    };
    let rows = &node_of(dataflow, node.inputs[0]).schema;
    let columns = rows.fields().iter().zip(node.schema.fields()).enumerate();
    let columns: Vec<_> = columns
        .filter(|(_, (row, column))| row.is_nullable() && !column.is_nullable())
        .map(|(place, _)| place)
        .collect();
    let table = table.name.clone();
    (!columns.is_empty())
        .then(|| Box::new(NotNull::new(table, Arc::clone(rows), columns)) as Box<dyn Operator>)
}

async fn changelog_normalize(
    blueprint: &Blueprint<'_>,
    node: &Node,
    keys: usize,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let groups = blueprint.key_groups;
    let range = groups.range_of_task(index, blueprint.parallelism);
    let schema = Arc::clone(&node.schema);
    let state = ChangelogNormalize::state(node.id, &schema, keys);
    let mut operator = ChangelogNormalize::new(node.id, range, schema, keys)?;
    let restored = blueprint.store.call(move |store| store.load(&state, range));
    if let Some(restored) = restored.await? {
        operator.restore(restored)?;
    }
    Ok(Box::new(operator))
}

async fn group_aggregate(
    blueprint: &Blueprint<'_>,
    node: &Node,
    index: usize,
) -> Result<Box<dyn Operator>> {
    let NodeKind::GroupAggregate {
        keys,
        aggregates,
        retracts,
        emits_update_before,
        time_to_live_ms,
    } = &node.kind
    else {
        unreachable!("the caller looks at the kind");
    };
    let range = blueprint
        .key_groups
        .range_of_task(index, blueprint.parallelism);
    let mut operator = GroupAggregate::new(GroupAggregateSpec {
        operator: node.id,
        range,
        schema: Arc::clone(&node.schema),
        aggregates: UpdatingSpec {
            input: Arc::clone(&node_of(blueprint.dataflow, node.inputs[0]).schema),
            keys: (0..*keys).collect(),
            calls: aggregates.clone(),
            retracts: *retracts,
            time_to_live_ms: time_to_live_ms.or(blueprint.updating.time_to_live_ms),
            tells: Tells::Changes,
        },
        emits_update_before: *emits_update_before,
        mini_batch: blueprint.updating.mini_batch,
    })?;
    for (place, state) in operator.states().into_iter().enumerate() {
        let restored = blueprint.store.call(move |store| store.load(&state, range));
        if let Some(restored) = restored.await? {
            operator.restore_state(place, &restored)?;
        }
    }
    Ok(Box::new(operator))
}

/// The node of a dataflow with this place.
pub(super) fn node_of(dataflow: &Dataflow, id: OperatorId) -> &Node {
    &dataflow.nodes[id.0 as usize]
}
