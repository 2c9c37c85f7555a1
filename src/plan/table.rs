//! A table as it was declared: columns, watermark, key and options.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use indexmap::IndexMap;

use crate::expr::Expression;

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
    /// Computed from the physical columns ([`Table::physical_schema`]).
    Computed(Expression),
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub struct WatermarkSpec {
    /// The column that is the event time.
    pub column: String,
    /// The watermark that a row gives rise to, over all columns of the table
    /// ([`Table::schema`]), of type `TIMESTAMP(3)`.
    pub expression: Expression,
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
    /// All columns, computed ones included.
    pub fn schema(&self) -> SchemaRef {
        let fields = self.columns.iter().map(|column| column.field.clone());
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns that a record holds, which are also those that a sink writes.
    pub fn physical_schema(&self) -> SchemaRef {
        let physical = self
            .columns
            .iter()
            .filter(|column| matches!(column.kind, ColumnKind::Physical))
            .map(|column| column.field.clone());
        Arc::new(Schema::new(physical.collect::<Vec<_>>()))
    }

    /// The value of an option.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(|option| option.value.as_str())
    }
}
