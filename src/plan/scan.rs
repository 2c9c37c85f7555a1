//! A table that is read once for several readers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Fields, Schema, SchemaRef};

use super::{Dataflow, Node, NodeKind, Span, Table};
use crate::expr::Expression;

/// One source in the place of several: it decodes what any of them does, and has the columns
/// that they read of a record. What all of them compute it computes for them; what only some
/// do they compute themselves, so that nobody loses a row by what is computed for others.
pub(super) struct Scan {
    /// The source.
    pub kind: NodeKind,
    pub schema: SchemaRef,
    /// By the place of an old source, its columns over those of this one.
    pub readers: BTreeMap<usize, Vec<Expression>>,
}

/// The tables that more than one source reads.
pub(super) fn scans(dataflow: &Dataflow) -> Vec<Scan> {
    let mut tables: Vec<Vec<Reader<'_>>> = Vec::new();
    for reader in dataflow.nodes.iter().filter_map(Reader::of) {
        let known = tables
            .iter_mut()
            .find(|readers| is_same(readers[0].table, reader.table));
        match known {
            Some(readers) => readers.push(reader),
            None => tables.push(vec![reader]),
        }
    }
    let tables = tables.into_iter().filter(|readers| readers.len() > 1);
    tables.map(|readers| scan(&readers)).collect()
}

/// A source of the old dataflow.
struct Reader<'a> {
    place: usize,
    table: &'a Arc<Table>,
    decoded: &'a SchemaRef,
    columns: &'a [Expression],
    watermark: Option<&'a Expression>,
    schema: &'a SchemaRef,
}

impl<'a> Reader<'a> {
    fn of(node: &'a Node) -> Option<Self> {
        let NodeKind::Source {
            table,
            decoded,
            columns,
            watermark,
        } = &node.kind
        else {
            return None;
        };
        Some(Self {
            place: node.id.0 as usize,
            table,
            decoded,
            columns,
            watermark: watermark.as_ref(),
            schema: &node.schema,
        })
    }

    /// The columns that it decodes, of a record of which more is decoded.
    fn chosen(&self, record: &SchemaRef) -> Vec<Expression> {
        let own = self.decoded.fields().iter();
        let chosen = own.map(|field| {
            let place = record.index_of(field.name());
            let place = place.expect("what one reader decodes is decoded for all");
            Expression::column(record, place).narrowed(field.data_type())
        });
        chosen.collect()
    }
}

/// Whether two tables are one, with the same options. Those that `VALUES` make have no place
/// in the text, and each is one of its own.
fn is_same(left: &Arc<Table>, right: &Arc<Table>) -> bool {
    let options = |table: &Table| -> Vec<(String, String)> {
        let options = table.options.iter();
        let options = options.map(|(key, option)| (key.clone(), option.value.clone()));
        options.collect()
    };
    Arc::ptr_eq(left, right)
        || left.span != Span::default()
            && left.span == right.span
            && left.name == right.name
            && options(left) == options(right)
}

fn scan(readers: &[Reader<'_>]) -> Scan {
    let table = readers[0].table;
    let decoded = decoded_by_any(&table.record_schema(), readers);
    let over_all = |reader: &Reader<'_>| -> Vec<Expression> {
        let chosen = reader.chosen(&decoded);
        let columns = reader.columns.iter();
        columns.map(|column| column.composed(&chosen)).collect()
    };
    let read: Vec<Vec<Expression>> = readers.iter().map(over_all).collect();
    let watermark = readers[0]
        .watermark
        .map(|watermark| watermark.composed(&readers[0].chosen(&decoded)));
    let computed = computed_by_all(&read);
    let is_computed = |column: &Expression| {
        let mut computed = computed.iter();
        computed.any(|place| read[0][*place].computes_as(column))
    };
    let others = read.iter().flatten().filter(|column| !is_computed(column));
    let plain: BTreeSet<usize> = others.flat_map(Expression::columns).collect();
    let mut columns: Vec<Expression> = plain
        .iter()
        .map(|place| Expression::column(&decoded, *place))
        .collect();
    // Where a decoded column is among those of the source, if it is.
    let mut places = vec![usize::MAX; decoded.fields().len()];
    for (new, old) in plain.iter().enumerate() {
        places[*old] = new;
    }
    let mut fields: Vec<FieldRef> = columns
        .iter()
        .map(|column| column.field().clone())
        .collect();
    for place in computed {
        columns.push(read[0][place].clone());
        fields.push(Arc::clone(&readers[0].schema.fields()[place]));
    }
    let schema = Arc::new(Schema::new(fields));
    let of_source = |column: &Expression| {
        let known = columns.iter().position(|other| other.computes_as(column));
        match known {
            Some(place) => Expression::column(&schema, place),
            None => column.rebased(&places),
        }
    };
    let views = read.iter().zip(readers).map(|(read, reader)| {
        let columns = read.iter().map(of_source).collect();
        (reader.place, columns)
    });
    let readers = views.collect();
    Scan {
        readers,
        schema: Arc::clone(&schema),
        kind: NodeKind::Source {
            table: Arc::clone(table),
            decoded,
            columns,
            watermark,
        },
    }
}

/// What all compute of a record alike, beyond choosing a column: the places of the first one's
/// columns.
fn computed_by_all(read: &[Vec<Expression>]) -> Vec<usize> {
    let (first, others) = read.split_first().expect("a table has readers");
    let mut computed: Vec<usize> = Vec::new();
    for (place, column) in first.iter().enumerate() {
        let is_of_all = others
            .iter()
            .all(|columns| columns.iter().any(|other| other.computes_as(column)));
        let is_known = computed
            .iter()
            .any(|known| first[*known].computes_as(column));
        if is_of_all && !is_known && !column.is_choice() && !column.is_volatile() {
            computed.push(place);
        }
    }
    computed
}

/// The columns of a record that any reader decodes, and of a `ROW` the fields.
fn decoded_by_any(record: &SchemaRef, readers: &[Reader<'_>]) -> SchemaRef {
    let fields = readers.iter().map(|reader| reader.decoded.fields());
    let fields: Vec<&Fields> = fields.collect();
    Arc::new(Schema::new(fields_of_any(record.fields(), &fields)))
}

fn fields_of_any(all: &Fields, some: &[&Fields]) -> Fields {
    let fields = all.iter().filter_map(|field| {
        let found = some.iter().filter_map(|fields| {
            let (_, found) = fields.find(field.name())?;
            Some(found)
        });
        let found: Vec<_> = found.collect();
        let first = found.first()?.as_ref();
        let types: Vec<_> = found.iter().map(|field| field.data_type()).collect();
        let data_type = type_of_any(field.data_type(), &types);
        Some(first.clone().with_data_type(data_type))
    });
    fields.collect()
}

fn type_of_any(all: &DataType, some: &[&DataType]) -> DataType {
    let DataType::Struct(fields) = all else {
        return all.clone();
    };
    let rows: Vec<&Fields> = some
        .iter()
        .filter_map(|data_type| match data_type {
            DataType::Struct(fields) => Some(fields),
            _ => None,
        })
        .collect();
    DataType::Struct(fields_of_any(fields, &rows))
}
