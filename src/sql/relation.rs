//! A named relation as the query library sees it: a declared table or a view.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
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
#[derive(Debug)]
pub(super) struct DeclaredTable {
    /// The table.
    pub table: Arc<Table>,
    /// The expression of each computed column over the physical columns; `None`
    /// for a physical column.
    pub computed: Vec<Option<Expr>>,
    /// The watermark over the physical columns, as `TIMESTAMP(3)`.
    pub watermark: Option<Expr>,
}

impl TableSource for Relation {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::Table(declared) => declared.table.schema(),
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
