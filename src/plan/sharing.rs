//! One node for what several parts of a program compute alike.
//!
//! The planner makes a tree for every output. Here these trees grow together: a table is read
//! once, with all columns that anybody reads of it, and nodes that do the same with the same
//! rows become one, which feeds several others. What may come out different for the same row,
//! as the time of day does, is computed by each for itself.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::scan::{Scan, scans};
use super::{Dataflow, Node, NodeKind};
use crate::expr::Expression;
use crate::stream::{ChangelogMode, OperatorId};

/// The dataflow with one node for what is computed alike.
pub fn shared(dataflow: &Dataflow) -> Dataflow {
    let mut sharing = Sharing {
        new: Dataflow::default(),
        scans: scans(dataflow),
        known: HashMap::new(),
        views: Vec::new(),
    };
    for node in &dataflow.nodes {
        let view = sharing.node(node);
        sharing.views.push(view);
    }
    sharing.new
}

struct Sharing {
    new: Dataflow,
    /// The tables that are read more than once.
    scans: Vec<Scan>,
    /// The nodes by what they do.
    known: HashMap<String, Vec<OperatorId>>,
    /// By the place of the old node.
    views: Vec<View>,
}

/// What has become of an old node: columns of the rows of a new one.
#[derive(Clone)]
struct View {
    of: OperatorId,
    /// `None` if these are its columns as they are.
    columns: Option<Vec<Expression>>,
    schema: SchemaRef,
}

impl View {
    /// The columns, if they are only chosen, which may as well be done later: it cannot fail.
    fn choice(&self) -> Option<&[Expression]> {
        let columns = self.columns.as_deref()?;
        columns.iter().all(Expression::is_choice).then_some(columns)
    }
}

impl Sharing {
    fn node(&mut self, node: &Node) -> View {
        if let Some(view) = self.source(node) {
            return view;
        }
        if let Some(view) = self.of_chosen_columns(node) {
            return view;
        }
        let inputs = node.inputs.iter();
        let inputs = inputs.map(|input| self.rows(*input)).collect();
        View {
            of: self.push(inputs, node.kind.clone(), &node.schema),
            columns: None,
            schema: Arc::clone(&node.schema),
        }
    }

    /// The columns of a source among those of the one that is there for all its readers.
    fn source(&mut self, node: &Node) -> Option<View> {
        let place = node.id.0 as usize;
        let mut scans = self.scans.iter();
        let scan = scans.find(|scan| scan.readers.contains_key(&place))?;
        let columns = scan.readers[&place].clone();
        let (kind, schema) = (scan.kind.clone(), Arc::clone(&scan.schema));
        let in_place = |(place, column): (usize, &Expression)| column.as_column() == Some(place);
        let is_all = schema == node.schema && columns.iter().enumerate().all(in_place);
        Some(View {
            of: self.push(Vec::new(), kind, &schema),
            columns: (!is_all).then_some(columns),
            schema: Arc::clone(&node.schema),
        })
    }

    /// A node over chosen columns becomes one over the rows from which they are chosen, so that
    /// it may be the same as others.
    fn of_chosen_columns(&mut self, node: &Node) -> Option<View> {
        let input = self.views[node.inputs.first()?.0 as usize].clone();
        let choice = input.choice()?;
        match &node.kind {
            NodeKind::Filter { predicate } => {
                let predicate = predicate.composed(choice);
                let schema = Arc::clone(&self.new.nodes[input.of.0 as usize].schema);
                Some(View {
                    of: self.push(vec![input.of], NodeKind::Filter { predicate }, &schema),
                    ..input
                })
            }
            NodeKind::Project { columns } => {
                let columns = columns.iter().map(|column| column.composed(choice));
                let kind = NodeKind::Project {
                    columns: columns.collect(),
                };
                Some(View {
                    of: self.push(vec![input.of], kind, &node.schema),
                    columns: None,
                    schema: Arc::clone(&node.schema),
                })
            }
            _ => None,
        }
    }

    /// The new node that has the rows of an old one.
    fn rows(&mut self, old: OperatorId) -> OperatorId {
        let view = self.views[old.0 as usize].clone();
        match view.columns {
            None => view.of,
            Some(columns) => self.push(vec![view.of], NodeKind::Project { columns }, &view.schema),
        }
    }

    /// A node that does this: one that is there, or else a new one.
    fn push(&mut self, inputs: Vec<OperatorId>, kind: NodeKind, schema: &SchemaRef) -> OperatorId {
        let id = u32::try_from(self.new.nodes.len()).expect("a program's text is far shorter");
        let id = OperatorId(id);
        let node = Node {
            id,
            inputs,
            kind,
            schema: Arc::clone(schema),
            changes: ChangelogMode::InsertOnly,
        };
        if self.may_be_shared(&node) {
            let text = self.new.contents(&node);
            let known = self.known.entry(text).or_default();
            let nodes = &self.new.nodes;
            let mut same = known.iter().map(|id| &nodes[id.0 as usize]);
            if let Some(same) = same.find(|other| is_same(other, &node)) {
                return same.id;
            }
            known.push(id);
        }
        self.new.nodes.push(node);
        id
    }

    fn may_be_shared(&self, node: &Node) -> bool {
        match &node.kind {
            NodeKind::Print => false,
            // Who inserts rows twice wants them twice; but a row is late once.
            NodeKind::Sink { .. } => {
                let mut inputs = node.inputs.iter();
                inputs.all(|id| matches!(self.new.nodes[id.0 as usize].kind, NodeKind::LateRows))
            }
            NodeKind::Filter { predicate } => !predicate.is_volatile(),
            NodeKind::Project { columns } => !columns.iter().any(Expression::is_volatile),
            NodeKind::Expand { projections } => {
                !projections.iter().flatten().any(Expression::is_volatile)
            }
            _ => true,
        }
    }
}

/// Whether two nodes that do the same in words do it with the same rows.
fn is_same(left: &Node, right: &Node) -> bool {
    let is_one_table = match (&left.kind, &right.kind) {
        (NodeKind::Source { table, .. }, NodeKind::Source { table: other, .. })
        | (NodeKind::Sink { table }, NodeKind::Sink { table: other }) => Arc::ptr_eq(table, other),
        _ => true,
    };
    is_one_table && left.inputs == right.inputs && left.schema == right.schema
}
