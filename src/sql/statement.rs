//! A statement of a program, as the parser hands it to the planner.

use datafusion_sql::sqlparser::ast::{DataType, Expr, Ident, Query};
use indexmap::IndexMap;

use crate::plan::{Span, TableOption};

/// One statement and where it begins.
#[derive(Clone, Debug)]
pub struct ParsedStatement {
    /// The statement.
    pub statement: Statement,
    /// Where it begins.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
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
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// `EXPLAIN` of an insert, a statement set or a query.
    Explain(Box<ParsedStatement>),
    /// A bare query, the last statement of its program.
    Select(Box<Query>),
}

/// `CREATE TABLE`.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: Ident,
    /// Whether it may exist already.
    pub if_not_exists: bool,
    /// Its columns.
    pub columns: Vec<ColumnDefinition>,
    /// `WATERMARK FOR`.
    pub watermark: Option<WatermarkDefinition>,
    /// `PRIMARY KEY (…) NOT ENFORCED`.
    pub primary_key: Vec<Ident>,
    /// `WITH (…)`.
    pub options: IndexMap<String, TableOption>,
}

/// A column of `CREATE TABLE`.
#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Ident,
    /// Where its values come from.
    pub kind: ColumnDefinitionKind,
}

/// Where the values of a declared column come from.
#[derive(Clone, Debug)]
pub enum ColumnDefinitionKind {
    /// From the record.
    Physical {
        /// Its type.
        data_type: DataType,
        /// Whether it is `NOT NULL`.
        not_null: bool,
    },
    /// From an expression over the physical columns.
    Computed(Expr),
}

/// `WATERMARK FOR column AS expression`.
#[derive(Clone, Debug)]
pub struct WatermarkDefinition {
    /// The column that is the event time.
    pub column: Ident,
    /// The watermark.
    pub expression: Expr,
}

/// `CREATE VIEW`.
#[derive(Clone, Debug)]
pub struct CreateView {
    /// Its name.
    pub name: Ident,
    /// Whether it may exist already.
    pub if_not_exists: bool,
    /// The names of its columns, if they are given.
    pub columns: Vec<Ident>,
    /// Its query.
    pub query: Box<Query>,
}

/// `INSERT INTO table [(columns)] query`.
#[derive(Clone, Debug)]
pub struct Insert {
    /// The table.
    pub table: Ident,
    /// The columns, if they are given.
    pub columns: Vec<Ident>,
    /// The rows.
    pub query: Box<Query>,
    /// Where it begins.
    pub span: Span,
}
