//! The plan for programs: a graph in JSON whose fields are named as in the execution plan of Flink.

use serde::Serialize;

use super::promise_of;
use crate::pipeline::stages::{End, Stage, Step, cut};
use crate::plan::{Dataflow, Node, NodeKind, column_type_name};

/// A plan; what it holds is in `docs/sql.md`.
#[derive(Serialize)]
pub(super) struct Graph {
    pub nodes: Vec<GraphNode>,
    outputs: Vec<Output>,
}

/// A node of the plan.
#[derive(Serialize)]
pub(super) struct GraphNode {
    pub id: u32,
    /// `Source: t`, `Sink: t`, or what it does in a word.
    pub r#type: String,
    /// `Data Source`, `Operator` or `Data Sink`.
    pact: &'static str,
    /// What it does, in one line.
    pub contents: String,
    /// The place of the stage that it ends up in; nodes of one stage are chained.
    pub stage: usize,
    /// The kinds of changes that leave it.
    pub changes: Vec<String>,
    columns: Vec<Column>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub predecessors: Vec<Predecessor>,
}

#[derive(Serialize)]
struct Column {
    name: String,
    r#type: String,
}

/// What a node reads.
#[derive(Serialize)]
pub(super) struct Predecessor {
    pub id: u32,
    /// `FORWARD`: to the task of the same number; `HASH`: to the task of the key.
    pub ship_strategy: &'static str,
}

/// A place where rows leave.
#[derive(Serialize)]
struct Output {
    name: String,
    promise: &'static str,
}

/// The plan of a dataflow as JSON, on several lines.
pub(in crate::pipeline) fn json(dataflow: &Dataflow) -> String {
    let graph = Graph::of(dataflow);
    serde_json::to_string_pretty(&graph).expect("a plan has texts and numbers only") + "\n"
}

impl Graph {
    /// The graph of a dataflow, as two workers or more run it.
    pub fn of(dataflow: &Dataflow) -> Self {
        let (stages, of_node) = cut(dataflow, 2);
        let nodes = dataflow.nodes.iter();
        let outputs = dataflow.sinks().map(|node| {
            let (name, promise) = promise_of(node);
            let name = name.to_owned();
            Output { name, promise }
        });
        Self {
            nodes: nodes
                .map(|node| graph_node(dataflow, node, &stages, &of_node))
                .collect(),
            outputs: outputs.collect(),
        }
    }
}

fn graph_node(dataflow: &Dataflow, node: &Node, stages: &[Stage], of_node: &[usize]) -> GraphNode {
    let (name, pact) = match &node.kind {
        NodeKind::Source { table, .. } => (format!("Source: {}", table.name), "Data Source"),
        NodeKind::Sink { table } => (format!("Sink: {}", table.name), "Data Sink"),
        NodeKind::Print => ("Sink: SELECT".to_owned(), "Data Sink"),
        other => (other.name().to_owned(), "Operator"),
    };
    let stage = of_node[node.id.0 as usize];
    let has_far_half = stages[stage].steps.contains(&Step::FinalAggregate(node.id));
    let is_by_key = |end: &End| matches!(end, End::Exchange { stage: to, .. } if *to == stage);
    let columns = node.schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        r#type: column_type_name(field),
    });
    let predecessors = node.inputs.iter().map(|input| Predecessor {
        id: input.0,
        ship_strategy: match &stages[of_node[input.0 as usize]] {
            from if has_far_half || from.ends.iter().any(is_by_key) => "HASH",
            _ => "FORWARD",
        },
    });
    GraphNode {
        id: node.id.0,
        r#type: name,
        pact,
        contents: dataflow.contents(node),
        stage,
        changes: node
            .changes
            .to_string()
            .split(", ")
            .map(str::to_owned)
            .collect(),
        columns: columns.collect(),
        predecessors: predecessors.collect(),
    }
}
