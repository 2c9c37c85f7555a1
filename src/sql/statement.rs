//! The statements of a program as they were written, before any name is resolved.
//!
//! Queries, expressions and plain types are the parser's own trees; what Flink
//! adds around them has its shape here.

use datafusion_sql::sqlparser::ast::{DataType, Expr, Ident, Query};
use indexmap::IndexMap;

use crate::plan::{DistributionKind, Span, TableOption};

/// One statement and where it begins.
#[derive(Clone, Debug)]
pub struct ParsedStatement {
    /// The statement.
    pub statement: Statement,
    /// Where its first word stands.
    pub span: Span,
}

/// A statement of a pipeline file.
#[derive(Clone, Debug)]
#[expect(
    clippy::enum_variant_names,
    clippy::large_enum_variant,
    reason = "a statement set is Flink's term, and a program has few statements"
)]
pub enum Statement {
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `INSERT INTO … SELECT`.
    Insert(Insert),
    /// `EXECUTE STATEMENT SET BEGIN … END`.
    StatementSet(Vec<Insert>),
    /// `SET 'key' = 'value'`.
    Set {
        /// The setting's name.
        key: String,
        /// Its value as it was written.
        value: String,
    },
    /// `EXPLAIN`.
    Explain(Explain),
    /// A bare `SELECT`; only the last statement is one.
    Select(Box<Query>),
    /// `DROP TABLE` or `DROP VIEW`.
    Drop(Drop),
    /// `USE` of the one catalog and database that there are: it changes nothing.
    Use,
}

/// `EXPLAIN` of an [`Insert`], a statement set or a query.
#[derive(Clone, Debug)]
pub struct Explain {
    /// What is explained.
    pub statement: Box<ParsedStatement>,
    /// Whether the plan is asked for as JSON, too: `JSON_EXECUTION_PLAN`.
    pub as_json: bool,
}

/// `CREATE [TEMPORARY] TABLE`.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: Ident,
    /// Whether an older table of this name may stay.
    pub if_not_exists: bool,
    /// Its columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// Its event time.
    pub watermark: Option<WatermarkDefinition>,
    /// The columns of its primary key, from the column or the table constraint.
    pub primary_key: Vec<Ident>,
    /// `DISTRIBUTED BY …`.
    pub distribution: Option<DistributionDefinition>,
    /// `PARTITIONED BY (…)`.
    pub partition_keys: Vec<Ident>,
    /// `WITH (…)` in the order of the text; no key is there twice.
    pub options: IndexMap<String, TableOption>,
    /// `LIKE other (…)`.
    pub like: Option<Like>,
}

/// `DISTRIBUTED BY [HASH | RANGE] (columns) [INTO n BUCKETS]` or `DISTRIBUTED INTO n BUCKETS`.
#[derive(Clone, Debug)]
pub struct DistributionDefinition {
    /// How rows are dealt; `None` leaves it to the connector.
    pub kind: Option<DistributionKind>,
    /// By which columns; empty leaves it to the connector.
    pub columns: Vec<Ident>,
    /// Into how many buckets.
    pub buckets: Option<u32>,
}

/// `LIKE other (…)`: what a table takes over from another.
#[derive(Clone, Debug)]
pub struct Like {
    /// The other table.
    pub table: Ident,
    /// What is said of each part of it; a part that is not there has its default.
    pub parts: Vec<(LikePart, Merging)>,
}

/// A part of a table that `LIKE` may take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikePart {
    /// All of those below that are not named.
    All,
    /// The primary key.
    Constraints,
    /// `DISTRIBUTED BY`.
    Distribution,
    /// Computed columns.
    Generated,
    /// Metadata columns.
    Metadata,
    /// `WITH (…)`.
    Options,
    /// `PARTITIONED BY`.
    Partitions,
    /// The watermark.
    Watermarks,
}

/// What is done with a part of the other table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// It is taken over; the new table must not have the same.
    Including,
    /// It is left out.
    Excluding,
    /// It is taken over unless the new table has the same.
    Overwriting,
}

/// `DROP [TEMPORARY] TABLE | VIEW [IF EXISTS] name`.
#[derive(Clone, Debug)]
pub struct Drop {
    /// The name that goes.
    pub name: Ident,
    /// Whether there may be no such name.
    pub if_exists: bool,
    /// Whether it is a view's.
    pub is_view: bool,
}

/// One column of a table.
#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// What it holds.
    pub kind: ColumnDefinitionKind,
}

/// What a column holds.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a table has few columns, and they live as long as planning"
)]
pub enum ColumnDefinitionKind {
    /// A field of the record.
    Physical {
        /// Its type.
        data_type: ColumnType,
        /// Whether it said `NOT NULL`; a primary key column need not say it.
        not_null: bool,
    },
    /// What the connector knows of the record: `name type METADATA`.
    Metadata {
        /// Its type.
        data_type: ColumnType,
        /// Whether it said `NOT NULL`.
        not_null: bool,
        /// `FROM 'key'`; without it the column's name is the key.
        key: String,
        /// Whether it said `VIRTUAL`: it is not written.
        is_virtual: bool,
    },
    /// `name AS expression`.
    Computed(Expr),
}

/// The type of a column.
#[derive(Clone, Debug)]
pub enum ColumnType {
    /// One that is not made of others.
    Plain(DataType),
    /// `ROW<name type, …>`.
    Row(Vec<(Ident, ElementType)>),
    /// `ARRAY<type>`.
    Array(Box<ElementType>),
    /// `MAP<key, value>`.
    Map(Box<[ElementType; 2]>),
}

/// The type of what stands inside a row, an array or a map.
#[derive(Clone, Debug)]
pub struct ElementType {
    /// The type.
    pub data_type: ColumnType,
    /// Whether it said `NOT NULL`.
    pub not_null: bool,
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub struct WatermarkDefinition {
    /// The column that is the event time.
    pub column: Ident,
    /// The watermark of a row.
    pub expression: Expr,
}

/// `CREATE [TEMPORARY] VIEW`.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// Its name.
    pub name: Ident,
    /// Whether an older view of this name may stay.
    pub if_not_exists: bool,
    /// New names for the columns of the query; empty keeps the query's own.
    pub columns: Vec<Ident>,
    /// What it stands for.
    pub query: Box<Query>,
}

/// `INSERT INTO table [(columns)] query`.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The table that is written.
    pub table: Ident,
    /// The columns that the query fills, in its order; empty means all.
    pub columns: Vec<Ident>,
    /// What is written.
    pub query: Box<Query>,
    /// Where the statement begins.
    pub span: Span,
}
