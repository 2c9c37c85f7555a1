//! The plan as a drawing for Graphviz.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::graph::{Graph, GraphNode};
use crate::plan::Dataflow;

/// The plan of a dataflow in Graphviz's DOT: a box a node, a frame a stage.
pub(in crate::pipeline) fn dot(name: &str, dataflow: &Dataflow) -> String {
    let mut text = String::new();
    write(name, &Graph::of(dataflow), &mut text).expect("a string takes everything");
    text
}

fn write(name: &str, graph: &Graph, text: &mut String) -> fmt::Result {
    writeln!(text, "digraph {} {{", quoted(name))?;
    writeln!(
        text,
        "  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];"
    )?;
    let stages: BTreeSet<usize> = graph.nodes.iter().map(|node| node.stage).collect();
    for stage in stages {
        writeln!(
            text,
            "  subgraph cluster_{stage} {{\n    label=\"stage {stage}\";"
        )?;
        for node in graph.nodes.iter().filter(|node| node.stage == stage) {
            writeln!(text, "    {} [label={}];", node.id, label(node))?;
        }
        writeln!(text, "  }}")?;
    }
    for node in &graph.nodes {
        for from in &node.predecessors {
            let changes = graph.nodes.iter().find(|other| other.id == from.id);
            let changes = changes.map_or_else(String::new, |other| other.changes.join(", "));
            let label = quoted(&format!("{} [{changes}]", from.ship_strategy));
            writeln!(text, "  {} -> {} [label={label}];", from.id, node.id)?;
        }
    }
    writeln!(text, "}}")
}

/// What it is, and below it what it does in lines that can be read.
fn label(node: &GraphNode) -> String {
    const LINE_CHARACTERS: usize = 60;
    let mut lines = vec![format!("#{} {}", node.id, node.r#type)];
    let mut line = String::new();
    for word in node.contents.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() > LINE_CHARACTERS {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    quoted(&lines.join("\n"))
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", escaped.replace('\n', "\\l"))
}

#[test]
fn any_text_can_be_quoted() {
    assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\ld""#);
}
