//! A named relation as the query library sees it: a declared table or a view.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion_common::Column;
use datafusion_expr::{Expr, LogicalPlan, TableSource};

use crate::plan::Table;

/// What a name in `FROM` stands for.
#[derive(Debug)]
pub(super) enum Relation {
    /// A table.
    Table(DeclaredTable),
    /// A view: its query stands for it.
    View(LogicalPlan),
}

/// A table with the logical form of its expressions, which a plan that reads
/// only some of its columns binds anew.
#[derive(Clone, Debug)]
pub(super) struct DeclaredTable {
    /// The table.
    pub table: Arc<Table>,
    /// Its columns; of a `ROW` only the fields that the plan reads.
    pub columns: SchemaRef,
    /// What is read of a record, as far as a plan may ask for it.
    pub record: SchemaRef,
    /// The expression of each computed column over the columns of a record; `None`
    /// for one of those.
    pub computed: Vec<Option<Expr>>,
    /// The watermark over the columns of a record, in milliseconds.
    pub watermark: Option<Expr>,
}

impl DeclaredTable {
    /// A table of which everything is read.
    pub(super) fn new(table: Table, computed: Vec<Option<Expr>>, watermark: Option<Expr>) -> Self {
        Self {
            columns: table.schema(),
            record: table.record_schema(),
            table: Arc::new(table),
            computed,
            watermark,
        }
    }
}

/// A column of the table over the columns of a record.
pub(super) fn declared_expression(declared: &DeclaredTable, column: usize) -> Option<Expr> {
    if let Some(computed) = declared.computed.get(column)? {
        return Some(computed.clone());
    }
    let field = declared.columns.fields().get(column)?;
    Some(Expr::Column(Column::new_unqualified(field.name())))
}

impl TableSource for Relation {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Table(declared) => Arc::clone(&declared.columns),
            Self::View(plan) => Arc::clone(plan.schema().inner()),
        }
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        match self {
            Self::Table(_) => None,
            Self::View(plan) => Some(Cow::Borrowed(plan)),
        }
    }
}
