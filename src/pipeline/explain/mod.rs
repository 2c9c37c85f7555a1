//! What `EXPLAIN` shows of a program beyond its plan: how it is cut into stages,
//! and what each output promises.

use std::fmt::{self, Write as _};

mod computed_once;
mod dot;
mod graph;

pub(super) use dot::dot;
pub(super) use graph::json;

use super::partition_pruning::WantedPartitions;
use super::stages::stages;
use crate::plan::{Dataflow, Node, NodeKind};

/// The plan of a dataflow, how it is run, and what its outputs promise.
pub(super) fn explain(dataflow: &Dataflow) -> String {
    let mut text = String::new();
    write(dataflow, &mut text).expect("a string takes everything");
    text
}

fn write(dataflow: &Dataflow, text: &mut String) -> fmt::Result {
    writeln!(text, "== Plan ==\n{dataflow}")?;
    writeln!(text, "== Stages (with two workers or more) ==")?;
    for (place, stage) in stages(dataflow, 2).iter().enumerate() {
        writeln!(text, "{place}: {}", stage.describe(dataflow))?;
    }
    computed_once::write(dataflow, text)?;
    write_partitions(dataflow, text)?;
    writeln!(text, "\n== Outputs ==")?;
    for node in dataflow.sinks() {
        let (name, promise) = promise_of(node);
        writeln!(text, "{name}: {promise}")?;
    }
    Ok(())
}

/// Which partitions sources look at, if any of them leaves some out.
fn write_partitions(dataflow: &Dataflow, text: &mut String) -> fmt::Result {
    let mut title = "\n== Partitions that are read ==\n";
    for node in &dataflow.nodes {
        if let Some(wanted) = WantedPartitions::of(dataflow, node) {
            writeln!(text, "{}#{}: {wanted}", std::mem::take(&mut title), node.id)?;
        }
    }
    Ok(())
}

/// An output's name, and when its rows are seen.
fn promise_of(node: &Node) -> (&str, &'static str) {
    let (name, connector) = match &node.kind {
        NodeKind::Sink { table } => (table.name.as_str(), table.option("connector")),
        _ => ("SELECT", Some("print")),
    };
    let promise = match connector {
        Some("print") => {
            "at once, outside the checkpoint: in order and nothing missing, but rows since the \
             last checkpoint are printed again after a restart"
        }
        Some("blackhole") => "nothing is kept",
        _ => "exactly once: what a checkpoint decided is published, the rest is discarded",
    };
    (name, promise)
}
