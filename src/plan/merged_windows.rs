//! One aggregate over windows for several that have the same groups of the same rows.
//!
//! Two queries over one view keep of its aggregates those that their outputs read, so what they
//! have left differs. Results of windows are told once, so nobody hears of an aggregate that is
//! not its own; where results change, aggregates are left apart.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema};

use super::{Dataflow, Node, NodeKind, WindowInput};
use crate::expr::{AggregateCall, Expression};
use crate::stream::OperatorId;

/// The columns that a window has behind the results.
const BOUNDS: usize = 3;

/// The dataflow with one node for aggregates over windows that differ in nothing but in what
/// they aggregate.
pub fn with_merged_windows(dataflow: &Dataflow) -> Dataflow {
    let mut groups: HashMap<String, Vec<Member<'_>>> = HashMap::new();
    for member in dataflow
        .nodes
        .iter()
        .filter_map(|node| Member::of(dataflow, node))
    {
        groups.entry(member.groups()).or_default().push(member);
    }
    groups.retain(|_, members| members.len() > 1);
    let mut merging = Merging {
        new: Dataflow::default(),
        places: HashMap::new(),
    };
    let groups: Vec<_> = groups.into_values().collect();
    for node in &dataflow.nodes {
        let mut own = groups.iter();
        let own = own.find(|members| members.iter().any(|member| member.node.id == node.id));
        match own {
            // All of them stand where the first does: what they read is there by then.
            Some(members) if members[0].node.id == node.id => merging.merge(members),
            Some(_) => {}
            None if is_idle(dataflow, node, &groups) => {}
            None => merging.keep(node),
        }
    }
    merging.new
}

/// Whether only aggregates that are merged read a projection, which is not needed then.
fn is_idle(dataflow: &Dataflow, node: &Node, groups: &[Vec<Member<'_>>]) -> bool {
    let is_merged = |reader: &Node| {
        let mut members = groups.iter().flatten();
        members.any(|member| member.node.id == reader.id)
    };
    let mut readers = dataflow
        .nodes
        .iter()
        .filter(|reader| reader.inputs.contains(&node.id));
    matches!(node.kind, NodeKind::Project { .. }) && readers.all(is_merged)
}

/// An aggregate over windows, over columns of the rows that its projection reads.
struct Member<'a> {
    node: &'a Node,
    base: OperatorId,
    columns: Vec<Expression>,
    keys: &'a [usize],
}

impl<'a> Member<'a> {
    /// `None` if the node is no aggregate over windows, or one that has to stay alone: its rows
    /// may fail for what only it computes, or have to be told when they are late.
    fn of(dataflow: &'a Dataflow, node: &'a Node) -> Option<Self> {
        let NodeKind::WindowAggregate {
            keys,
            late_rows,
            by_clock: false,
            ..
        } = &node.kind
        else {
            return None;
        };
        let input = &dataflow.nodes[node.inputs[0].0 as usize];
        let (base, columns) = if let NodeKind::Project { columns } = &input.kind {
            (input.inputs[0], columns.clone())
        } else {
            let columns = 0..input.schema.fields().len();
            let columns = columns.map(|column| Expression::column(&input.schema, column));
            (input.id, columns.collect())
        };
        let member = Self {
            node,
            base,
            columns,
            keys,
        };
        let read = &dataflow.nodes[base.0 as usize].schema;
        (late_rows.is_empty() && member.fails_with_others(read)).then_some(member)
    }

    /// Whether its rows fail where those of others with the same groups do, and nowhere else.
    fn fails_with_others(&self, read: &Schema) -> bool {
        let of_windows = match self.parts().1 {
            WindowInput::Time { time, .. } => vec![time],
            WindowInput::Attached { start, end } => vec![start, end],
        };
        let is_of_groups = |place| self.keys.contains(&place) || of_windows.contains(&place);
        let mut columns = self.columns.iter().enumerate();
        columns.all(|(place, column)| {
            column.is_certain(read) || is_of_groups(place) && !column.is_volatile()
        })
    }

    fn parts(&self) -> (&'a [AggregateCall], WindowInput) {
        match &self.node.kind {
            NodeKind::WindowAggregate {
                aggregates, input, ..
            } => (aggregates, *input),
            _ => unreachable!("it is an aggregate over windows"),
        }
    }

    /// What it groups by: two with one text have the same groups.
    fn groups(&self) -> String {
        let column = |place: usize| self.columns[place].to_string();
        let keys: Vec<_> = self.keys.iter().map(|&key| column(key)).collect();
        let windows = match self.parts().1 {
            WindowInput::Time { time, window } => format!("{window} over {}", column(time)),
            WindowInput::Attached { start, end } => format!("{} to {}", column(start), column(end)),
        };
        format!("{} by [{}] in {windows}", self.base, keys.join(", "))
    }
}

struct Merging {
    new: Dataflow,
    /// By the old node, the new one with its rows.
    places: HashMap<OperatorId, OperatorId>,
}

impl Merging {
    fn push(&mut self, node: Node) -> OperatorId {
        let id = u32::try_from(self.new.nodes.len()).expect("a program's text is far shorter");
        let id = OperatorId(id);
        self.new.nodes.push(Node { id, ..node });
        id
    }

    fn keep(&mut self, node: &Node) {
        let inputs = node.inputs.iter().map(|input| self.places[input]);
        let moved = Node {
            inputs: inputs.collect(),
            ..node.clone()
        };
        let id = self.push(moved);
        self.places.insert(node.id, id);
    }

    /// One aggregate for all of them, and for each a choice of its columns.
    fn merge(&mut self, members: &[Member<'_>]) {
        let first = &members[0];
        let mut merged = Merged::default();
        let keys: Vec<usize> = first
            .keys
            .iter()
            .map(|&key| merged.place(first, key))
            .collect();
        let input = match first.parts().1 {
            WindowInput::Time { time, window } => WindowInput::Time {
                time: merged.place(first, time),
                window,
            },
            WindowInput::Attached { start, end } => WindowInput::Attached {
                start: merged.place(first, start),
                end: merged.place(first, end),
            },
        };
        let results: Vec<Vec<usize>> = members
            .iter()
            .map(|member| merged.results(member))
            .collect();
        let project = Node {
            inputs: vec![self.places[&first.base]],
            schema: merged.schema(),
            kind: NodeKind::Project {
                columns: merged.columns,
            },
            ..first.node.clone()
        };
        let project = self.push(project);
        let own = first.node.schema.fields();
        let calls = merged.calls.iter().map(|call| Arc::clone(&call.result));
        let fields = own.iter().take(keys.len()).cloned().chain(calls);
        let fields = fields.chain(own[own.len() - BOUNDS..].iter().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<FieldRef>>()));
        let count = merged.calls.len();
        let aggregate = Node {
            inputs: vec![project],
            schema: Arc::clone(&schema),
            kind: NodeKind::WindowAggregate {
                keys: keys.clone(),
                aggregates: merged.calls,
                input,
                late_rows: Vec::new(),
                by_clock: false,
                retracts: false,
            },
            ..first.node.clone()
        };
        let aggregate = self.push(aggregate);
        for (member, results) in members.iter().zip(results) {
            let places = 0..keys.len();
            let places = places.chain(results.into_iter().map(|result| keys.len() + result));
            let places = places.chain((0..BOUNDS).map(|bound| keys.len() + count + bound));
            let columns = places.map(|place| Expression::column(&schema, place));
            let choice = Node {
                inputs: vec![aggregate],
                kind: NodeKind::Project {
                    columns: columns.collect(),
                },
                ..member.node.clone()
            };
            let id = self.push(choice);
            self.places.insert(member.node.id, id);
        }
    }
}

/// What a merged aggregate reads and makes.
#[derive(Default)]
struct Merged {
    columns: Vec<Expression>,
    calls: Vec<AggregateCall>,
}

impl Merged {
    /// Where a column of a member's input is.
    fn place(&mut self, member: &Member<'_>, column: usize) -> usize {
        let column = &member.columns[column];
        let mut known = self.columns.iter();
        let known = known.position(|known| known.computes_as(column));
        known.unwrap_or_else(|| {
            self.columns.push(column.clone());
            self.columns.len() - 1
        })
    }

    /// Where the results of a member are among all.
    fn results(&mut self, member: &Member<'_>) -> Vec<usize> {
        let mut places = Vec::new();
        for call in member.parts().0 {
            let call = AggregateCall {
                argument: call.argument.map(|column| self.place(member, column)),
                filter: call.filter.map(|column| self.place(member, column)),
                ..call.clone()
            };
            let is_same = |known: &AggregateCall| {
                let types = (known.result.data_type(), call.result.data_type());
                known.to_string() == call.to_string() && types.0 == types.1
            };
            let known = self.calls.iter().position(is_same);
            places.push(known.unwrap_or_else(|| {
                let name = format!("$agg{}", self.calls.len());
                let result = Field::clone(&call.result).with_name(name);
                let result = Arc::new(result);
                self.calls.push(AggregateCall { result, ..call });
                self.calls.len() - 1
            }));
        }
        places
    }

    fn schema(&self) -> Arc<Schema> {
        let columns = self.columns.iter().enumerate();
        let fields = columns.map(|(place, column)| {
            let nullable = column.field().is_nullable();
            Field::new(format!("$f{place}"), column.data_type().clone(), nullable)
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}
