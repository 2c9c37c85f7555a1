//! An optimised logical plan to nodes of a dataflow.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion_common::{DFSchema, DataFusionError, Result, Span as LibrarySpan};
use datafusion_expr::logical_plan::{Distinct, Extension, Projection, TableScan, Union, Unnest};
use datafusion_expr::{Expr, LogicalPlan, lit};

use super::diagnose::refusal;
use super::late_rows::LateSource;
use super::relation::{DeclaredTable, Relation, declared_expression};
use super::window_function::{EVENT_TIME, WINDOW_COLUMNS, WindowAssign};
use super::{unnest, values};
use crate::expr::Expression;
use crate::plan::{Diagnostic, Node, NodeKind, Table, Window, type_name};
use crate::stream::{ChangelogMode, OperatorId};

/// Appends the nodes of plans to one dataflow.
#[derive(Debug, Default)]
pub(super) struct Lowering {
    pub(super) nodes: Vec<Node>,
    /// The tables that may be written to, by name.
    pub(super) tables: HashMap<String, Arc<Table>>,
    /// The sources whose late rows go to a table.
    pub(super) late_sources: HashMap<OperatorId, LateSource>,
    /// What is wrong beside the plan, with its places.
    pub(super) refused: Vec<Diagnostic>,
}

/// The rows that a node makes.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub id: OperatorId,
    pub schema: SchemaRef,
    /// What each column means for time.
    pub roles: Vec<Role>,
}

/// What a column means for time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Value,
    /// It is the event time of the watermarks.
    EventTime,
    /// It is the time of day at which a row has passed its source or projection.
    ProcessingTime,
    /// A window's start.
    WindowStart(Window),
    /// A window's end.
    WindowEnd(Window),
    /// A window's last millisecond, which is the event time of its rows.
    WindowTime(Window),
    /// As [`Self::WindowStart`], of a window over processing time.
    ClockStart(Window),
    /// As [`Self::WindowEnd`], of a window over processing time.
    ClockEnd(Window),
    /// As [`Self::WindowTime`], of a window over processing time.
    ClockTime(Window),
}

impl Role {
    fn is_event_time(self) -> bool {
        matches!(self, Self::EventTime | Self::WindowTime(_))
    }

    /// Whether it is a column that a window function appended.
    pub(super) fn is_of_window(self) -> bool {
        !matches!(self, Self::Value | Self::EventTime | Self::ProcessingTime)
    }
}

impl Lowering {
    /// Ends the dataflow of `plan` in a sink: its columns are those of the table.
    ///
    /// # Errors
    /// If the plan does what no operator can do yet.
    pub(super) fn sink(&mut self, plan: &LogicalPlan, table: &Arc<Table>) -> Result<()> {
        let rows = self.rows(plan)?;
        let schema = table.written_schema();
        let rows = self.aligned(rows, &schema);
        let table = Arc::clone(table);
        self.push(vec![rows.id], NodeKind::Sink { table }, schema);
        Ok(())
    }

    /// Ends the dataflow of `plan` on standard output.
    ///
    /// # Errors
    /// As [`Self::sink`].
    pub(super) fn print(&mut self, plan: &LogicalPlan) -> Result<()> {
        for field in plan.schema().fields() {
            check_column(field)?;
        }
        let rows = self.rows(plan)?;
        self.push(vec![rows.id], NodeKind::Print, rows.schema);
        Ok(())
    }

    /// The nodes of a plan.
    ///
    /// # Errors
    /// If the plan does what no operator can do yet.
    ///
    /// # Panics
    /// If the nodes do not make the columns of the plan: what reads them finds
    /// them by their places.
    pub(super) fn rows(&mut self, plan: &LogicalPlan) -> Result<Rows> {
        let rows = self.node(plan)?;
        let planned = plan.schema().fields().iter().map(|field| field.data_type());
        let made = rows.schema.fields().iter().map(|field| field.data_type());
        assert!(
            planned.eq(made),
            "the columns of a node are those of its plan"
        );
        Ok(rows)
    }

    fn node(&mut self, plan: &LogicalPlan) -> Result<Rows> {
        match plan {
            LogicalPlan::TableScan(scan) => self.source(scan),
            LogicalPlan::Values(rows) => Ok(self.values(values::as_table(rows)?)),
            LogicalPlan::SubqueryAlias(alias) => self.rows(&alias.input),
            LogicalPlan::Filter(filter) => {
                let input = self.rows(&filter.input)?;
                if filter.predicate == lit(true) {
                    return Ok(input);
                }
                let predicate = expression(&filter.predicate, filter.input.schema())?;
                let kind = NodeKind::Filter { predicate };
                let id = self.push(vec![input.id], kind, Arc::clone(&input.schema));
                Ok(Rows { id, ..input })
            }
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Extension(extension) => self.windows(extension),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            other => Err(unsupported(other)),
        }
    }

    fn source(&mut self, scan: &TableScan) -> Result<Rows> {
        let Some(Relation::Table(declared)) = scan.source.downcast_ref::<Relation>() else {
            return Err(refusal(
                "a query can only read tables of its program",
                None,
                None,
            ));
        };
        let table = &declared.table;
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let read = scan.projection.as_ref().unwrap_or(&all);
        let (kind, schema) = source_node(declared, read, &[])?;
        let NodeKind::Source { columns, .. } = &kind else {
            unreachable!("it is the node of a source");
        };
        let time = table.watermark.as_ref().map(|watermark| &watermark.column);
        let role = |(field, column): (&FieldRef, &Expression)| {
            if Some(field.name()) == time {
                Role::EventTime
            } else if column.is_processing_time() {
                Role::ProcessingTime
            } else {
                Role::Value
            }
        };
        let roles = schema.fields().iter().zip(columns).map(role).collect();
        let id = self.push(Vec::new(), kind, Arc::clone(&schema));
        self.note_late_rows(id, declared, read);
        Ok(Rows { id, schema, roles })
    }

    fn unnest(&mut self, unnest: &Unnest) -> Result<Rows> {
        let input = self.rows(&unnest.input)?;
        let Some((column, keeps_rows)) = unnest::meaning(unnest) else {
            return Err(refusal("this form of UNNEST is not supported", None, None));
        };
        let fields = unnest.schema.fields().iter().cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let kind = NodeKind::Unnest { column, keeps_rows };
        let id = self.push(vec![input.id], kind, Arc::clone(&schema));
        let roles = input.roles;
        Ok(Rows { id, schema, roles })
    }

    /// The rows of a table whose columns are all its own.
    fn values(&mut self, table: Table) -> Rows {
        let schema = table.physical_schema();
        let columns = (0..schema.fields().len()).map(|column| Expression::column(&schema, column));
        let kind = NodeKind::Source {
            table: Arc::new(table),
            decoded: Arc::clone(&schema),
            columns: columns.collect(),
            watermark: None,
        };
        let roles = vec![Role::Value; schema.fields().len()];
        let id = self.push(Vec::new(), kind, Arc::clone(&schema));
        Rows { id, schema, roles }
    }

    fn projection(&mut self, projection: &Projection) -> Result<Rows> {
        let input = self.rows(&projection.input)?;
        let columns = projection
            .expr
            .iter()
            .map(|column| expression(column, projection.input.schema()))
            .collect::<Result<Vec<_>>>()?;
        let names = projection.schema.fields().iter().map(|field| field.name());
        Ok(self.project(input, columns, names.map(String::as_str)))
    }

    /// Computes columns from rows; nothing is done if these are the columns
    /// already, and nothing twice if the rows are only chosen columns themselves.
    pub(super) fn project<'a>(
        &mut self,
        input: Rows,
        columns: Vec<Expression>,
        names: impl Iterator<Item = &'a str>,
    ) -> Rows {
        let fields = columns.iter().zip(names).map(|(column, name)| {
            let of_column = column.field();
            Field::new(name, column.data_type().clone(), of_column.is_nullable())
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.project_as(input, columns, schema)
    }

    fn project_as(&mut self, input: Rows, columns: Vec<Expression>, schema: SchemaRef) -> Rows {
        let role_of = |column: &Expression| {
            if column.is_processing_time() {
                return Role::ProcessingTime;
            }
            let place = column.as_column();
            let role = place.and_then(|place| input.roles.get(place));
            role.copied().unwrap_or(Role::Value)
        };
        let roles: Vec<Role> = columns.iter().map(role_of).collect();
        let in_place = |(place, column): (usize, &Expression)| column.as_column() == Some(place);
        if schema == input.schema && columns.iter().enumerate().all(in_place) {
            return input;
        }
        let (source, columns) = self.merged(input.id, columns);
        let id = self.push(source, NodeKind::Project { columns }, Arc::clone(&schema));
        Rows { id, schema, roles }
    }

    /// If the last node and the new one are both projections and one of them only
    /// chooses columns, they become one.
    fn merged(
        &mut self,
        input: OperatorId,
        columns: Vec<Expression>,
    ) -> (Vec<OperatorId>, Vec<Expression>) {
        let below = match self.nodes.last() {
            Some(Node {
                id,
                kind: NodeKind::Project { columns },
                inputs,
                ..
            }) if *id == input => (columns, inputs),
            _ => return (vec![input], columns),
        };
        let (inner, inputs) = below;
        let merged = match (choice(&columns), choice(inner)) {
            (Some(outer), _) => outer
                .into_iter()
                .map(|place| inner.get(place).cloned())
                .collect::<Option<Vec<_>>>(),
            (None, Some(inner)) => Some(
                columns
                    .iter()
                    .map(|column| column.rebased(&inner))
                    .collect(),
            ),
            (None, None) => None,
        };
        match merged {
            Some(merged) => {
                let inputs = inputs.clone();
                self.nodes.pop();
                (inputs, merged)
            }
            None => (vec![input], columns),
        }
    }

    /// The rows with the names of `schema`, and nulls where it allows them.
    fn aligned(&mut self, rows: Rows, schema: &SchemaRef) -> Rows {
        if rows.schema == *schema {
            return rows;
        }
        let columns = (0..schema.fields().len())
            .map(|column| Expression::column(&rows.schema, column))
            .collect();
        let fields = schema.fields().iter().zip(rows.schema.fields());
        let fields = fields.map(|(wanted, own)| {
            let nullable = wanted.is_nullable() || own.is_nullable();
            Field::new(wanted.name(), own.data_type().clone(), nullable)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.project_as(rows, columns, schema)
    }

    fn windows(&mut self, extension: &Extension) -> Result<Rows> {
        let node: &dyn std::any::Any = extension.node.as_any();
        let Some(assign) = node.downcast_ref::<WindowAssign>() else {
            return Err(refusal("the plan holds a node of unknown kind", None, None));
        };
        if assign.is_session() {
            return self.session_rows(assign);
        }
        let input = self.rows(&assign.input)?;
        let time = assign.time_index()?;
        let by_clock = goes_by_clock(&input, time, assign.span)?;
        let window = assign.window;
        let schema = with_window_columns(&input.schema);
        let mut roles = vec![Role::Value; input.roles.len()];
        roles.extend(window_roles(window, by_clock));
        let kind = NodeKind::WindowAssign { time, window };
        let id = self.push(vec![input.id], kind, Arc::clone(&schema));
        Ok(Rows { id, schema, roles })
    }

    fn union(&mut self, union: &Union) -> Result<Rows> {
        let fields: Vec<FieldRef> = union.schema.fields().iter().cloned().collect();
        let schema = Arc::new(Schema::new(fields));
        let mut inputs = Vec::new();
        let mut roles: Option<Vec<Role>> = None;
        for input in &union.inputs {
            let rows = self.rows(input)?;
            let rows = self.aligned(rows, &schema);
            roles = Some(match roles {
                None => rows.roles,
                Some(known) => known
                    .into_iter()
                    .zip(rows.roles)
                    .map(|(known, own)| if known == own { known } else { Role::Value })
                    .collect(),
            });
            inputs.push(rows.id);
        }
        let id = self.push(inputs, NodeKind::Union, Arc::clone(&schema));
        let roles = roles.unwrap_or_default();
        Ok(Rows { id, schema, roles })
    }

    /// Appends a node.
    pub(super) fn push(
        &mut self,
        inputs: Vec<OperatorId>,
        kind: NodeKind,
        schema: SchemaRef,
    ) -> OperatorId {
        let id = u32::try_from(self.nodes.len()).expect("a program's text is far shorter");
        let id = OperatorId(id);
        self.nodes.push(Node {
            id,
            inputs,
            kind,
            schema,
            changes: ChangelogMode::InsertOnly,
        });
        id
    }
}

/// The node that reads these columns of a table, with `more` behind them, which are computed
/// from a record.
///
/// # Errors
/// If an expression has no physical form.
pub(super) fn source_node(
    declared: &DeclaredTable,
    read: &[usize],
    more: &[Expr],
) -> Result<(NodeKind, SchemaRef)> {
    let columns = read
        .iter()
        .map(|column| declared_expression(declared, *column))
        .chain(more.iter().cloned().map(Some))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| refusal("a column is out of the table", None, None))?;
    let decoded = decoded_columns(declared, &columns)?;
    let of_record = DFSchema::try_from(Arc::clone(&decoded))?;
    let bound = |column: &Expr| expression(column, &of_record);
    let columns = columns.iter().map(bound).collect::<Result<Vec<_>>>()?;
    let watermark = declared.watermark.as_ref().map(bound).transpose()?;
    let own = declared.columns.project(read)?;
    let own = own.fields().iter().cloned();
    let more = columns[read.len()..].iter().enumerate();
    let more = more.map(|(place, column)| {
        let field = column.field().as_ref().clone();
        Arc::new(field.with_name(format!("$late{place}")))
    });
    let schema = Arc::new(Schema::new(own.chain(more).collect::<Vec<_>>()));
    let kind = NodeKind::Source {
        table: Arc::clone(&declared.table),
        decoded,
        columns,
        watermark,
    };
    Ok((kind, schema))
}

/// The columns that the expressions are, if they are nothing but columns.
fn choice(columns: &[Expression]) -> Option<Vec<usize>> {
    columns.iter().map(Expression::as_column).collect()
}

/// A logical expression, bound to the columns of `schema`.
///
/// # Errors
/// If it has no physical form.
pub(super) fn expression(logical: &Expr, schema: &DFSchema) -> Result<Expression> {
    Expression::new(logical, schema).map_err(|error| DataFusionError::Plan(error.to_string()))
}

/// Whether windows over a column of these rows are closed by the clock, as it is processing
/// time; `span` is where it was named.
///
/// # Errors
/// If it is not the event time of the rows either.
pub(super) fn goes_by_clock(input: &Rows, time: usize, span: Option<LibrarySpan>) -> Result<bool> {
    let role = input.roles.get(time).copied().unwrap_or(Role::Value);
    let by_clock = matches!(role, Role::ProcessingTime | Role::ClockTime(_));
    if !by_clock && !role.is_event_time() {
        let name = input.schema.fields().get(time).map(|field| field.name());
        let message = format!(
            "the window needs the event time of its input, and {} is not it",
            name.map_or("the column", String::as_str)
        );
        let hint = "name the column of WATERMARK FOR, and pass it on unchanged from its table";
        return Err(refusal(message, span, Some(hint.to_owned())));
    }
    let of_time = input
        .schema
        .fields()
        .get(time)
        .map(|field| field.data_type());
    if let Some(DataType::Timestamp(_, Some(zone))) = of_time
        && zone.as_ref() != "UTC"
    {
        let message = format!("windows of instants in the time zone {zone} are not supported yet");
        let hint = "leave SET 'table.local-time-zone' out, or make the event time a TIMESTAMP(3)";
        return Err(refusal(message, span, Some(hint.to_owned())));
    }
    Ok(by_clock)
}

/// A schema with the columns of a window behind it.
pub(super) fn with_window_columns(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
    for name in WINDOW_COLUMNS {
        fields.push(Arc::new(Field::new(name, EVENT_TIME, false)));
    }
    Arc::new(Schema::new(fields))
}

/// What the columns of a window mean, in their order.
pub(super) fn window_roles(window: Window, by_clock: bool) -> [Role; 3] {
    if by_clock {
        return [
            Role::ClockStart(window),
            Role::ClockEnd(window),
            Role::ClockTime(window),
        ];
    }
    [
        Role::WindowStart(window),
        Role::WindowEnd(window),
        Role::WindowTime(window),
    ]
}

/// Whether rows with this column can leave the dataflow.
///
/// # Errors
/// If its type is one that no column of a table can have.
pub(super) fn check_column(field: &Field) -> Result<()> {
    let name = field.name();
    match field.data_type() {
        DataType::Null => Err(refusal(
            format!("the column {name} has no type"),
            None,
            Some("write CAST(NULL AS …)".to_owned()),
        )),
        DataType::Interval(_) | DataType::Duration(_) => Err(refusal(
            format!("the column {name} is an INTERVAL, which no column can hold"),
            None,
            None,
        )),
        // Only a declared table brings in a type that is made of others.
        other if other.is_nested() || crate::stream::is_key_type(other) => Ok(()),
        other => Err(refusal(
            format!(
                "the column {name} is of type {}, which is not supported yet",
                type_name(other)
            ),
            None,
            None,
        )),
    }
}

/// The columns that must be made of a record, in the order of
/// [`Table::record_schema`].
fn decoded_columns(declared: &DeclaredTable, columns: &[Expr]) -> Result<SchemaRef> {
    let expressions = columns.iter().chain(&declared.watermark);
    let names: BTreeSet<String> = expressions
        .flat_map(Expr::column_refs)
        .map(|column| column.name.clone())
        .collect();
    let record = &declared.record;
    let needed = record.fields().iter().enumerate();
    let needed = needed.filter(|(_, field)| names.contains(field.name()));
    let mut needed: Vec<usize> = needed.map(|(place, _)| place).collect();
    let physical = record.fields().len() - declared.table.metadata().count();
    if needed.first().is_none_or(|first| *first >= physical) {
        // A row is known by at least one column that is decoded.
        needed.insert(0, 0);
    }
    Ok(Arc::new(record.project(&needed)?))
}

fn unsupported(plan: &LogicalPlan) -> DataFusionError {
    let what = match plan {
        LogicalPlan::Join(_) => "JOIN",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Distinct(_) => "DISTINCT",
        LogicalPlan::Window(_) => "OVER",
        LogicalPlan::Subquery(_) => "a correlated subquery",
        _ => "this query",
    };
    refusal(format!("{what} is not supported yet"), None, None)
}
