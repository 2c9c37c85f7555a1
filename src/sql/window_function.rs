//! `TABLE(TUMBLE(…))` and its like: the node of the logical plan that
//! appends a row's windows, and how a table function becomes one.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::{Column, DFSchema, DFSchemaRef, Result, Span as LibrarySpan};
use datafusion_expr::logical_plan::UserDefinedLogicalNodeCore;
use datafusion_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion_expr::{Expr, Extension, LogicalPlan};
use datafusion_sql::sqlparser::ast::{Ident, TableFactor};

use super::diagnose::{did_you_mean, library_span, refusal};
use super::unnest;
use super::window_arguments::{Arguments, WindowKind, call};
use crate::plan::Window;

/// The columns that a window function appends.
pub(super) const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

/// The type of window columns and of watermarks.
pub(super) const EVENT_TIME: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

/// Appends the windows of each row.
#[derive(Clone, Debug)]
pub(super) struct WindowAssign {
    pub input: Arc<LogicalPlan>,
    /// The column of event time.
    pub time: Expr,
    /// The columns by which sessions are kept apart.
    pub partition: Vec<Expr>,
    pub window: Window,
    /// Where the `DESCRIPTOR` names the column.
    pub span: Option<LibrarySpan>,
    schema: DFSchemaRef,
}

impl WindowAssign {
    fn new(
        input: Arc<LogicalPlan>,
        time: Expr,
        partition: Vec<Expr>,
        window: Window,
        span: Option<LibrarySpan>,
    ) -> Result<Self> {
        let of_input = input.schema();
        let mut fields: Vec<_> = of_input
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        for name in WINDOW_COLUMNS {
            fields.push((None, Arc::new(Field::new(name, EVENT_TIME, false))));
        }
        let schema = DFSchema::new_with_metadata(fields, HashMap::new())?;
        Ok(Self {
            input,
            time,
            partition,
            window,
            span,
            schema: Arc::new(schema),
        })
    }

    pub(super) fn is_session(&self) -> bool {
        matches!(self.window, Window::Session { .. })
    }

    fn identity(&self) -> (&LogicalPlan, &Expr, &[Expr], Window) {
        (&self.input, &self.time, &self.partition, self.window)
    }

    /// The place of the time column in the input.
    ///
    /// # Errors
    /// If the library's rules have lost it.
    pub(super) fn time_index(&self) -> Result<usize> {
        match &self.time {
            Expr::Column(column) => self.input.schema().index_of_column(column),
            other => Err(refusal(
                format!("the time of a window must be a column, not {other}"),
                self.span,
                None,
            )),
        }
    }
}

impl PartialEq for WindowAssign {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for WindowAssign {}

impl PartialOrd for WindowAssign {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.identity().partial_cmp(&other.identity())
    }
}

impl Hash for WindowAssign {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl UserDefinedLogicalNodeCore for WindowAssign {
    fn name(&self) -> &'static str {
        "WindowAssign"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let time = std::iter::once(&self.time);
        time.chain(&self.partition).cloned().collect()
    }

    /// A condition on the row's own columns holds in all its windows or in none. But a row
    /// that is taken away may have held a session together, if others of the key are left.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        if !self.is_session() {
            return WINDOW_COLUMNS.map(str::to_owned).into();
        }
        let columns = self.schema.columns().into_iter();
        let others =
            columns.filter(|column| !self.partition.contains(&Expr::Column(column.clone())));
        others.map(|column| column.name).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowAssign: {} {:?}", self.time, self.window)?;
        self.partition
            .iter()
            .try_for_each(|column| write!(f, " by {column}"))
    }

    fn with_exprs_and_inputs(
        &self,
        expressions: Vec<Expr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let mut expressions = expressions.into_iter();
        let time = expressions.next().unwrap_or_else(|| self.time.clone());
        let input = inputs.pop().map_or_else(|| self.input.clone(), Arc::new);
        Self::new(input, time, expressions.collect(), self.window, self.span)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let of_input = self.input.schema().fields().len();
        let mut needed: Vec<usize> = output_columns
            .iter()
            .copied()
            .filter(|column| *column < of_input)
            .collect();
        needed.push(self.time_index().ok()?);
        for column in &self.partition {
            let Expr::Column(column) = column else {
                return None;
            };
            needed.push(self.input.schema().maybe_index_of_column(column)?);
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

/// Plans the window table functions of Flink.
#[derive(Debug)]
pub(super) struct WindowFunctions;

impl RelationPlanner for WindowFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let Some((call, alias)) = call(&relation)? else {
            return unnest::planned(relation, context);
        };
        let arguments = Arguments::of(call)?;
        let window = window(&arguments, context)?;
        let input = context.plan(arguments.input)?;
        let time = time_column(&arguments.time, input.schema())?;
        let partition = arguments.partition.iter();
        let partition = partition.map(|name| Ok(Expr::Column(column(name, input.schema())?)));
        let partition = partition.collect::<Result<_>>()?;
        let span = library_span(arguments.time.span);
        let time = Expr::Column(time);
        let node = WindowAssign::new(Arc::new(input), time, partition, window, span)?;
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        });
        let planned = PlannedRelation::new(plan, alias);
        Ok(RelationPlanning::Planned(Box::new(planned)))
    }
}

fn window(arguments: &Arguments, context: &mut dyn RelationPlannerContext) -> Result<Window> {
    let size_ms = arguments.size.millis(context)?;
    let slide_ms = match &arguments.slide {
        None => size_ms,
        Some(slide) => {
            let slide_ms = slide.millis(context)?;
            if size_ms % slide_ms != 0 {
                let message = match arguments.kind {
                    WindowKind::Cumulate => {
                        "the size of a CUMULATE window must be a multiple of its step"
                    }
                    _ => "the size of a HOP window must be a multiple of its slide",
                };
                return Err(refusal(message, slide.span(), None));
            }
            slide_ms
        }
    };
    let between_ms = match arguments.kind {
        WindowKind::Tumble | WindowKind::Cumulate | WindowKind::Session => size_ms,
        WindowKind::Hop => slide_ms,
    };
    let offset = arguments.offset.as_ref();
    let offset = offset.map(|offset| offset.offset_millis(between_ms, context));
    let offset_ms = offset.transpose()?.unwrap_or(0);
    Ok(match arguments.kind {
        WindowKind::Tumble => Window::Tumble { size_ms, offset_ms },
        WindowKind::Hop => Window::Hop {
            size_ms,
            slide_ms,
            offset_ms,
        },
        WindowKind::Cumulate => Window::Cumulate {
            size_ms,
            step_ms: slide_ms,
            offset_ms,
        },
        WindowKind::Session => Window::Session { gap_ms: size_ms },
    })
}

/// The column of `schema` that `DESCRIPTOR(name)` means.
fn time_column(name: &Ident, schema: &DFSchema) -> Result<Column> {
    let time = column(name, schema)?;
    for appended in WINDOW_COLUMNS {
        if schema.fields().iter().any(|field| field.name() == appended) {
            return Err(refusal(
                format!("the input of the window already has a column {appended}"),
                library_span(name.span),
                Some("leave it out or rename it in a subquery".to_owned()),
            ));
        }
    }
    Ok(time)
}

/// The column of `schema` with this name.
fn column(name: &Ident, schema: &DFSchema) -> Result<Column> {
    let named = schema.iter().find(|(_, field)| *field.name() == name.value);
    let Some((qualifier, field)) = named else {
        let known = schema.fields().iter().map(|field| field.name().as_str());
        return Err(refusal(
            format!("the input of the window has no column {}", name.value),
            library_span(name.span),
            did_you_mean(&name.value, known),
        ));
    };
    Ok(Column::new(qualifier.cloned(), field.name()))
}
