//! A table as it was declared: columns, watermark, key and options.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use indexmap::IndexMap;

use crate::expr::Expression;

/// The option of a source table that names the table for its late rows.
pub const LATE_ROWS: &str = "late-rows.table";

/// A declared table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Its event time, if it has one.
    pub watermark: Option<WatermarkSpec>,
    /// The columns of its primary key, which is not enforced.
    pub primary_key: Vec<String>,
    /// `PARTITIONED BY (…)`: physical columns.
    pub partition_keys: Vec<String>,
    /// `DISTRIBUTED BY …`. Nothing reads it yet.
    pub distribution: Option<Distribution>,
    /// `WITH (…)`, in the order of the text.
    pub options: IndexMap<String, TableOption>,
    /// Where its name stands in the text.
    pub span: Span,
}

/// One column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name, type and nullability.
    pub field: Arc<Field>,
    /// Where its values come from.
    pub kind: ColumnKind,
}

/// Where a column's values come from.
#[derive(Clone, Debug)]
pub enum ColumnKind {
    /// From the record.
    Physical,
    /// From what the connector knows of the record.
    Metadata(Metadata),
    /// Computed from the columns of a record ([`Table::record_schema`]).
    Computed(Expression),
}

/// `METADATA FROM 'key'`.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The connector's name for it.
    pub key: String,
    /// Whether it is only read.
    pub is_virtual: bool,
    /// Where the column stands in the text.
    pub span: Span,
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub struct WatermarkSpec {
    /// The column that is the event time.
    pub column: String,
    /// The watermark that a row gives rise to, over all columns of the table
    /// ([`Table::schema`]), of type `TIMESTAMP(3)` or `TIMESTAMP_LTZ(3)`.
    pub expression: Expression,
}

/// How the rows of a table lie in the buckets of what holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// How rows are dealt; `None` leaves it to the connector.
    pub kind: Option<DistributionKind>,
    /// By which physical columns; empty leaves it to the connector.
    pub columns: Vec<String>,
    /// Into how many buckets, at least one.
    pub buckets: Option<u32>,
}

/// How rows are dealt to buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DistributionKind {
    /// By a hash of the columns.
    Hash,
    /// By ranges of the columns' values.
    Range,
}

/// The value of an option and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOption {
    /// The value.
    pub value: String,
    /// Where the key stands in the text.
    pub span: Span,
}

/// A place in a program's text. Line and column count from 1; the column counts characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which of the program's files, from 0.
    pub file: usize,
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl Table {
    /// All columns, whatever their kind.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| column.field.clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns that a record holds.
    pub fn physical_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(self.physical().collect::<Vec<_>>()))
    }

    /// The columns that a source makes of a record: the physical ones, and behind them
    /// the metadata.
    pub fn record_schema(&self) -> SchemaRef {
        let metadata = self.metadata().map(|(field, _)| Arc::clone(field));
        Arc::new(Schema::new(
            self.physical().chain(metadata).collect::<Vec<_>>(),
        ))
    }

    /// The columns that a sink makes a record of: the physical ones, and behind them the
    /// metadata that is not virtual.
    pub fn written_schema(&self) -> SchemaRef {
        let written = self.metadata().filter(|(_, metadata)| !metadata.is_virtual);
        let written = written.map(|(field, _)| Arc::clone(field));
        Arc::new(Schema::new(
            self.physical().chain(written).collect::<Vec<_>>(),
        ))
    }

    fn physical(&self) -> impl Iterator<Item = Arc<Field>> {
        let is_physical = |column: &&Column| matches!(column.kind, ColumnKind::Physical);
        let physical = self.columns.iter().filter(is_physical);
        physical.map(|column| Arc::clone(&column.field))
    }

    /// The metadata columns in order.
    pub fn metadata(&self) -> impl Iterator<Item = (&Arc<Field>, &Metadata)> {
        self.columns.iter().filter_map(|column| match &column.kind {
            ColumnKind::Metadata(metadata) => Some((&column.field, metadata)),
            ColumnKind::Physical | ColumnKind::Computed(_) => None,
        })
    }

    /// The table for its late rows, by name, as its options say it.
    pub fn late_rows(&self) -> Option<&TableOption> {
        let option = self.options.get(LATE_ROWS);
        option.filter(|option| !option.value.is_empty())
    }

    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(|option| option.value.as_str())
    }
}
