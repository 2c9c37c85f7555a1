//! Statements to a program: the catalog is filled in order, and every error of
//! every statement is reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion_common::{Column, ExprSchema, ScalarValue, Span as LibrarySpan};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion_sql::sqlparser::ast::{Query, SelectItem, SetExpr, Spanned};

use super::blame;
use super::catalog::Catalog;
use super::conversion::{cast_to, is_assignable};
use super::diagnose::{self, diagnostics, did_you_mean, library_span, refusal, span_of};
use super::hints;
use super::lower::{Lowering, check_column};
use super::query::{self, QueryPlanner};
use super::relation::Relation;
use super::statement::{Insert, ParsedStatement, Statement};
use super::time_zone::TimeZone;
use crate::plan::{ColumnKind, Dataflow, Diagnostic, Explained, Program, Span, Table, type_name};

/// The program that the statements are; `time_zone` goes over the one that they set.
///
/// # Errors
/// All errors of all statements.
pub(crate) fn plan(
    statements: Vec<ParsedStatement>,
    time_zone: Option<&str>,
) -> Result<Program, Vec<Diagnostic>> {
    let mut planner = ProgramPlanner::default();
    match TimeZone::of(time_zone, &statements) {
        Ok(zone) => planner.catalog.zone = zone,
        Err(error) => planner.errors.push(error),
    }
    for statement in statements {
        planner.statement(statement);
    }
    if !planner.errors.is_empty() {
        return Err(planner.errors);
    }
    Ok(Program {
        settings: planner.settings,
        dataflow: Dataflow {
            nodes: planner.lowering.nodes,
        },
        explains: planner.explains,
    })
}

#[derive(Default)]
struct ProgramPlanner {
    catalog: Catalog,
    settings: BTreeMap<String, (String, Span)>,
    lowering: Lowering,
    explains: Vec<Explained>,
    errors: Vec<Diagnostic>,
}

impl ProgramPlanner {
    fn statement(&mut self, parsed: ParsedStatement) {
        let span = parsed.span;
        match parsed.statement {
            Statement::CreateTable(create) => {
                let errors = self.catalog.create_table(create, span);
                self.errors.extend(errors);
            }
            Statement::CreateView(create) => {
                let errors = self.catalog.create_view(&create, span);
                self.errors.extend(errors);
            }
            Statement::Drop(drop) => {
                let errors = self.catalog.drop(&drop, span);
                self.errors.extend(errors);
            }
            Statement::Use => {}
            Statement::Set { key, value } => {
                self.settings.insert(key, (value, span));
            }
            Statement::Explain(explain) => {
                let mut lowering = Lowering::default();
                self.output(&explain.statement, &mut lowering);
                let dataflow = Dataflow {
                    nodes: lowering.nodes,
                };
                self.explains.push(Explained {
                    dataflow,
                    as_json: explain.as_json,
                });
            }
            Statement::Insert(_) | Statement::StatementSet(_) | Statement::Select(_) => {
                let mut lowering = std::mem::take(&mut self.lowering);
                self.output(&parsed, &mut lowering);
                self.lowering = lowering;
            }
        }
    }

    /// Plans a statement by which rows leave.
    fn output(&mut self, parsed: &ParsedStatement, lowering: &mut Lowering) {
        let tables = self.catalog.tables();
        lowering.tables = tables
            .map(|(name, table)| (name.to_owned(), Arc::clone(table)))
            .collect();
        match &parsed.statement {
            Statement::Insert(insert) => self.insert(insert, lowering),
            Statement::StatementSet(inserts) => {
                for insert in inserts {
                    self.insert(insert, lowering);
                }
            }
            Statement::Select(query) => self.select(query, parsed.span, lowering),
            _ => self.errors.push(Diagnostic {
                span: parsed.span,
                message: "only INSERT, a statement set or a query can be explained".to_owned(),
                hint: None,
            }),
        }
        self.errors.append(&mut lowering.refused);
    }

    fn select(&mut self, query: &Query, span: Span, lowering: &mut Lowering) {
        let planned = QueryPlanner::new(&self.catalog)
            .plan(query)
            .and_then(query::optimize)
            .and_then(|plan| lowering.print(&plan));
        if let Err(error) = planned {
            let errors = self.placed(diagnostics(&error, span), query, span);
            self.errors.extend(errors);
        }
    }

    /// The errors of a query, each as near to its cause as can be.
    fn placed(&self, errors: Vec<Diagnostic>, query: &Query, span: Span) -> Vec<Diagnostic> {
        blame::placed(errors, query, span, |query| {
            let planned = QueryPlanner::new(&self.catalog)
                .plan(query)
                .and_then(query::optimize)
                .and_then(|plan| Lowering::default().print(&plan));
            let error = planned.err();
            error.map_or_else(Vec::new, |error| diagnostics(&error, span))
        })
    }

    fn insert(&mut self, insert: &Insert, lowering: &mut Lowering) {
        let table = self.sink_table(insert);
        // The query is planned even if the table is wrong, for its own errors.
        let planned = QueryPlanner::new(&self.catalog)
            .plan(&insert.query)
            .map_err(|error| diagnostics(&error, insert.span));
        let (table, plan) = match (table, planned) {
            (Ok(table), Ok(plan)) => (table, plan),
            (table, planned) => {
                self.errors.extend(table.err().into_iter().flatten());
                let errors = planned.err().unwrap_or_default();
                let errors = self.placed(errors, &insert.query, insert.span);
                self.errors.extend(errors);
                return;
            }
        };
        let lowered = into_table(plan, &table, insert).and_then(|plan| {
            query::optimize(plan)
                .and_then(|plan| lowering.sink(&plan, &table))
                .map_err(|error| {
                    let errors = diagnostics(&error, insert.span);
                    self.placed(errors, &insert.query, insert.span)
                })
        });
        self.errors.extend(lowered.err().into_iter().flatten());
    }

    fn sink_table(&self, insert: &Insert) -> Result<Arc<Table>, Option<Diagnostic>> {
        let name = &insert.table;
        let (bare, _) = hints::split(&name.value);
        let refused = |message: String, hint: Option<String>| {
            Some(Diagnostic {
                span: span_of(name, insert.span),
                message,
                hint,
            })
        };
        match self.catalog.relation(&name.value).as_deref() {
            Some(Relation::Table(declared)) => Ok(Arc::clone(&declared.table)),
            Some(Relation::View(_)) => {
                let message = format!("cannot insert into the view {bare}");
                Err(refused(message, None))
            }
            None if self.catalog.is_broken(&name.value) => Err(None),
            None => {
                let hint = did_you_mean(bare, self.catalog.names());
                Err(refused(format!("there is no table {bare}"), hint))
            }
        }
    }
}

/// The query with the columns of the table that it is written to.
fn into_table(
    plan: LogicalPlan,
    table: &Table,
    insert: &Insert,
) -> Result<LogicalPlan, Vec<Diagnostic>> {
    let targets = targets(table, insert)?;
    let sources = plan.schema().columns();
    if sources.len() != targets.len() {
        return Err(vec![Diagnostic {
            span: insert.span,
            message: format!(
                "the query has {} columns, but {} are written to {}",
                sources.len(),
                targets.len(),
                table.name
            ),
            hint: None,
        }]);
    }
    let mut errors = Vec::new();
    let mut columns = Vec::new();
    let schema = Arc::clone(plan.schema());
    for field in table.written_schema().fields() {
        let position = targets.iter().position(|name| name == field.name());
        let source = position.and_then(|position| {
            let column = sources.get(position)?;
            Some((position, column))
        });
        let value = match source {
            Some((position, column)) => assigned(position, column, field, &schema),
            None if field.is_nullable() => ScalarValue::try_from(field.data_type()).map(lit),
            None => Err(refusal(
                format!(
                    "the column {} of {} is NOT NULL and gets no value",
                    field.name(),
                    table.name
                ),
                None,
                None,
            )),
        };
        match value {
            Ok(value) => columns.push(value.alias(field.name())),
            Err(error) => {
                let place = position.and_then(|position| column_span(&insert.query, position));
                errors.extend(diagnostics(&error, diagnose::place(place, insert.span)));
            }
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    LogicalPlanBuilder::from(plan)
        .project(columns)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| diagnostics(&error, insert.span))
}

/// Where the column at `position` of a plain `SELECT` stands.
fn column_span(query: &Query, position: usize) -> Option<LibrarySpan> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let before = select.projection.get(..=position)?;
    let has_star = before.iter().any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _)
        )
    });
    let item = before.last().filter(|_| !has_star)?;
    library_span(item.span())
}

/// The columns that an insert names, or else all that are written, as declared.
fn targets(table: &Table, insert: &Insert) -> Result<Vec<String>, Vec<Diagnostic>> {
    let written = table.written_schema();
    let is_written = |name: &str| written.field_with_name(name).is_ok();
    if insert.columns.is_empty() {
        let names = table.columns.iter().map(|column| column.field.name());
        return Ok(names.filter(|name| is_written(name)).cloned().collect());
    }
    let mut errors = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for column in &insert.columns {
        let name = &column.value;
        let message = if names.contains(name) {
            Some((format!("the column {name} is written twice"), None))
        } else if is_written(name) {
            None
        } else if let Some(own) = table.columns.iter().find(|own| own.field.name() == name) {
            let kind = match own.kind {
                ColumnKind::Metadata(_) => "virtual",
                ColumnKind::Physical | ColumnKind::Computed(_) => "computed",
            };
            Some((format!("the {kind} column {name} cannot be written"), None))
        } else {
            let known = written.fields().iter().map(|field| field.name().as_str());
            let hint = did_you_mean(name, known);
            Some((
                format!("the table {} has no column {name}", table.name),
                hint,
            ))
        };
        if let Some((message, hint)) = message {
            errors.push(Diagnostic {
                span: span_of(column, insert.span),
                message,
                hint,
            });
        }
        names.push(name.clone());
    }
    if errors.is_empty() {
        Ok(names)
    } else {
        Err(errors)
    }
}

/// A column of the query as a column of the table.
fn assigned(
    position: usize,
    column: &Column,
    target: &arrow::datatypes::Field,
    schema: &datafusion_common::DFSchema,
) -> datafusion_common::Result<Expr> {
    let own = schema.field_from_column(column)?;
    if !is_assignable(own.data_type(), target.data_type()) {
        check_column(own)?;
        let (from, to) = (type_name(own.data_type()), type_name(target.data_type()));
        let is_castable = !own.data_type().is_nested() && !target.data_type().is_nested();
        let advice = if is_castable {
            format!(": write CAST(… AS {to})")
        } else {
            String::new()
        };
        return Err(refusal(
            format!(
                "column {} of the query is {from}, but sink column {} is {to}{advice}",
                position + 1,
                target.name()
            ),
            None,
            None,
        ));
    }
    cast_to(Expr::Column(column.clone()), target.data_type(), schema)
}
