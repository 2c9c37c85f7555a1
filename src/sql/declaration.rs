//! The checks of one `CREATE TABLE`, and the table that it declares.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column as LogicalColumn, DFSchema};
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_sql::sqlparser::ast::Ident;

use super::catalog::Catalog;
use super::conversion::cast_to;
use super::diagnose::{diagnostics, did_you_mean, span_of};
use super::query::QueryPlanner;
use super::relation::DeclaredTable;
use super::statement::{
    ColumnDefinition, ColumnDefinitionKind, ColumnType, CreateTable, WatermarkDefinition,
};
use super::time_zone::TimeZone;
use super::{data_type, query};
use crate::expr::Expression;
use crate::plan::{
    Column, ColumnKind, Diagnostic, Distribution, Metadata, Span, Table, WatermarkSpec, type_name,
};

/// The checks of one `CREATE TABLE`.
pub(super) struct Declaration<'a> {
    zone: TimeZone,
    planner: QueryPlanner<'a>,
    statement: Span,
    errors: &'a mut Vec<Diagnostic>,
}

impl<'a> Declaration<'a> {
    /// The checks of a table that may read from `catalog`; what is wrong goes to `errors`.
    pub(super) fn new(
        catalog: &'a Catalog,
        statement: Span,
        errors: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            zone: catalog.zone.clone(),
            planner: QueryPlanner::new(catalog),
            statement,
            errors,
        }
    }

    /// The table, unless something is wrong with it.
    pub(super) fn table(mut self, create: CreateTable) -> Option<DeclaredTable> {
        self.check_names(&create);
        let of_record = self.columns_of_record(&create);
        let schema = self.record_schema(&of_record)?;
        let mut columns = Vec::new();
        let mut computed = Vec::new();
        for (definition, column) in create.columns.iter().zip(of_record) {
            let (column, expression) = match &definition.kind {
                ColumnDefinitionKind::Physical { .. } | ColumnDefinitionKind::Metadata { .. } => {
                    (column?, None)
                }
                ColumnDefinitionKind::Computed(expression) => {
                    self.computed(&definition.name, expression, &schema)?
                }
            };
            columns.push(column);
            computed.push(expression);
        }
        let watermark = match &create.watermark {
            Some(watermark) => Some(self.watermark(watermark, &columns, &computed, &schema)?),
            None => None,
        };
        let (spec, watermark) = watermark.unzip();
        let distribution = create.distribution.map(|distribution| Distribution {
            kind: distribution.kind,
            columns: distribution
                .columns
                .iter()
                .map(|c| c.value.clone())
                .collect(),
            buckets: distribution.buckets,
        });
        let table = Table {
            name: create.name.value.clone(),
            columns,
            watermark: spec,
            primary_key: create.primary_key.iter().map(|c| c.value.clone()).collect(),
            partition_keys: create
                .partition_keys
                .iter()
                .map(|c| c.value.clone())
                .collect(),
            distribution,
            options: create.options,
            span: span_of(&create.name, self.statement),
        };
        Some(DeclaredTable::new(table, computed, watermark))
    }

    fn refuse(&mut self, at: &Ident, message: String, hint: Option<String>) {
        self.errors.push(Diagnostic {
            span: span_of(at, self.statement),
            message,
            hint,
        });
    }

    /// Column names occur once; the primary key's are columns.
    fn check_names(&mut self, create: &CreateTable) {
        let mut seen = HashSet::new();
        for definition in &create.columns {
            if !seen.insert(definition.name.value.as_str()) {
                let message = format!("the column {} occurs twice", definition.name.value);
                self.refuse(&definition.name, message, None);
            }
        }
        let mut in_key = HashSet::new();
        for key in &create.primary_key {
            let column = create
                .columns
                .iter()
                .find(|column| column.name.value == key.value);
            if !in_key.insert(key.value.as_str()) {
                let message = format!("the column {} occurs twice in the primary key", key.value);
                self.refuse(key, message, None);
            }
            match column.map(|column| &column.kind) {
                Some(ColumnDefinitionKind::Physical { .. }) => (),
                Some(kind) => {
                    let is_computed = matches!(kind, ColumnDefinitionKind::Computed(_));
                    let kind = if is_computed { "computed" } else { "METADATA" };
                    let message = format!(
                        "the {kind} column {} cannot be in the primary key",
                        key.value
                    );
                    self.refuse(key, message, None);
                }
                None => {
                    let names = create.columns.iter().map(|c| c.name.value.as_str());
                    let hint = did_you_mean(&key.value, names);
                    let message = format!("the table has no column {}", key.value);
                    self.refuse(key, message, hint);
                }
            }
        }
        let distributed = create.distribution.iter().flat_map(|by| &by.columns);
        self.check_physical(create, distributed, "DISTRIBUTED BY");
        self.check_physical(create, create.partition_keys.iter(), "PARTITIONED BY");
        let is_physical =
            |kind: &ColumnDefinitionKind| matches!(kind, ColumnDefinitionKind::Physical { .. });
        if !create
            .columns
            .iter()
            .any(|column| is_physical(&column.kind))
        {
            let message = format!("the table {} has no physical column", create.name.value);
            self.refuse(&create.name, message, None);
        } else if create.columns.iter().all(|column| {
            let mut keys = create.partition_keys.iter();
            !is_physical(&column.kind) || keys.any(|key| key.value == column.name.value)
        }) {
            let message = format!(
                "the table {} has no column beside those of PARTITIONED BY",
                create.name.value
            );
            let hint = "a record holds at least one";
            self.refuse(&create.name, message, Some(hint.to_owned()));
        }
    }

    /// A clause names columns of the record, and each once.
    fn check_physical<'c>(
        &mut self,
        create: &CreateTable,
        wanted: impl Iterator<Item = &'c Ident>,
        clause: &str,
    ) {
        let mut seen = HashSet::new();
        for name in wanted {
            let mut columns = create.columns.iter();
            let column = columns.find(|column| column.name.value == name.value);
            let (message, hint) = match column.map(|column| &column.kind) {
                Some(ColumnDefinitionKind::Physical { .. }) if seen.insert(&name.value) => continue,
                Some(ColumnDefinitionKind::Physical { .. }) => (
                    format!("the column {} occurs twice in {clause}", name.value),
                    None,
                ),
                Some(_) => (
                    format!("{} is no physical column, as {clause} needs", name.value),
                    Some("name a column that the record holds".to_owned()),
                ),
                None => {
                    let names = create.columns.iter().map(|c| c.name.value.as_str());
                    let hint = did_you_mean(&name.value, names);
                    (format!("the table has no column {}", name.value), hint)
                }
            };
            self.refuse(name, message, hint);
        }
    }

    /// Each column that a record gives; `None` for a computed or a wrong one. A
    /// column of the primary key is not null, whether it says so or not.
    fn columns_of_record(&mut self, create: &CreateTable) -> Vec<Option<Column>> {
        let in_key = |name: &Ident| create.primary_key.iter().any(|key| key.value == name.value);
        let mut columns = Vec::new();
        for ColumnDefinition { name, kind } in &create.columns {
            columns.push(match kind {
                ColumnDefinitionKind::Physical {
                    data_type,
                    not_null,
                } => {
                    let field = self.field(name, data_type, !not_null && !in_key(name));
                    let kind = ColumnKind::Physical;
                    field.map(|field| Column { field, kind })
                }
                ColumnDefinitionKind::Metadata {
                    data_type,
                    not_null,
                    key,
                    is_virtual,
                } => {
                    let field = self.field(name, data_type, !not_null);
                    let kind = ColumnKind::Metadata(Metadata {
                        key: key.clone(),
                        is_virtual: *is_virtual,
                        span: span_of(name, self.statement),
                    });
                    field.map(|field| Column { field, kind })
                }
                ColumnDefinitionKind::Computed(_) => None,
            });
        }
        columns
    }

    fn field(&mut self, name: &Ident, of: &ColumnType, nullable: bool) -> Option<FieldRef> {
        let data_type = data_type::to_arrow(of, &self.zone)
            .map_err(|message| self.refuse(name, message, None))
            .ok()?;
        Some(Arc::new(Field::new(&name.value, data_type, nullable)))
    }

    /// The columns of a record in the order of [`Table::record_schema`].
    fn record_schema(&mut self, columns: &[Option<Column>]) -> Option<DFSchema> {
        let is_physical = |column: &&Column| matches!(column.kind, ColumnKind::Physical);
        let (physical, metadata): (Vec<_>, Vec<_>) =
            columns.iter().flatten().partition(is_physical);
        let fields = physical.into_iter().chain(metadata);
        self.schema_of(fields.map(|column| Arc::clone(&column.field)).collect())
    }

    fn schema_of(&mut self, fields: Vec<FieldRef>) -> Option<DFSchema> {
        let schema = DFSchema::from_unqualified_fields(fields.into(), HashMap::new());
        schema.map_err(|error| self.library_error(&error)).ok()
    }

    /// An error is not repeated: a name that occurs twice is reported by now.
    fn library_error(&mut self, error: &datafusion_common::DataFusionError) {
        let found = diagnostics(error, self.statement);
        if self.errors.is_empty() {
            self.errors.extend(found);
        } else {
            let placed = found.into_iter().filter(|one| one.span != self.statement);
            self.errors.extend(placed);
        }
    }

    fn computed(
        &mut self,
        name: &Ident,
        expression: &datafusion_sql::sqlparser::ast::Expr,
        record: &DFSchema,
    ) -> Option<(Column, Option<Expr>)> {
        let bound = self
            .planner
            .expression(expression, record)
            .and_then(|expression| query::coerced(expression, record))
            .map_err(|error| self.library_error(&error))
            .ok()?;
        self.check_rowwise(name, &bound)?;
        let bound_expression = Expression::new(&bound, record)
            .map_err(|error| self.refuse(name, error.to_string(), None))
            .ok()?;
        let of_expression = bound_expression.field();
        let data_type = of_expression.data_type().clone();
        let field = Field::new(&name.value, data_type, of_expression.is_nullable());
        let column = Column {
            field: Arc::new(field),
            kind: ColumnKind::Computed(bound_expression),
        };
        Some((column, Some(bound)))
    }

    fn watermark(
        &mut self,
        definition: &WatermarkDefinition,
        columns: &[Column],
        computed: &[Option<Expr>],
        record: &DFSchema,
    ) -> Option<(WatermarkSpec, Expr)> {
        self.check_time_column(&definition.column, columns)?;
        let fields = columns.iter().map(|column| Arc::clone(&column.field));
        let whole = self.schema_of(fields.collect())?;
        let bound = self
            .planner
            .expression(&definition.expression, &whole)
            .map_err(|error| self.library_error(&error))
            .ok()?;
        self.check_rowwise(&definition.column, &bound)?;
        let data_type = bound.get_type(&whole).ok()?;
        let of_column = whole
            .field_with_unqualified_name(&definition.column.value)
            .ok()?;
        let DataType::Timestamp(_, zone) = of_column.data_type() else {
            return None;
        };
        // Only the unit may differ: a local time is no instant.
        let event_time = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
        if !matches!(&data_type, DataType::Timestamp(_, own) if own == zone) {
            let message = format!(
                "a watermark must be a {}, as its column, not {}",
                type_name(&event_time),
                type_name(&data_type)
            );
            self.refuse(&definition.column, message, None);
            return None;
        }
        let bound = cast_to(bound, &event_time, &whole)
            .and_then(|expression| query::coerced(expression, &whole))
            .map_err(|error| self.library_error(&error))
            .ok()?;
        let spec = WatermarkSpec {
            column: definition.column.value.clone(),
            expression: Expression::new(&bound, &whole)
                .map_err(|error| self.refuse(&definition.column, error.to_string(), None))
                .ok()?,
        };
        let over_record = substituted(bound, columns, computed)
            .and_then(|expression| query::coerced(expression, record))
            .map_err(|error| self.library_error(&error))
            .ok()?;
        Some((spec, over_record))
    }

    /// What a table computes, it computes of one row.
    fn check_rowwise(&mut self, at: &Ident, expression: &Expr) -> Option<()> {
        let has_aggregate = expression
            .exists(|part| Ok(matches!(part, Expr::AggregateFunction(_))))
            .unwrap_or(true);
        if has_aggregate {
            let message = format!("{} cannot be computed by an aggregate", at.value);
            self.refuse(at, message, None);
            return None;
        }
        Some(())
    }

    fn check_time_column(&mut self, name: &Ident, columns: &[Column]) -> Option<()> {
        let column = columns
            .iter()
            .find(|column| *column.field.name() == name.value);
        let Some(column) = column else {
            let names = columns.iter().map(|column| column.field.name().as_str());
            let hint = did_you_mean(&name.value, names);
            self.refuse(
                name,
                format!("the table has no column {}", name.value),
                hint,
            );
            return None;
        };
        if let ColumnKind::Computed(expression) = &column.kind
            && expression.is_processing_time()
        {
            let message = format!("the processing time {} has no watermark", name.value);
            let hint = "leave WATERMARK FOR out: windows over it close by the time of day";
            self.refuse(name, message, Some(hint.to_owned()));
            return None;
        }
        match column.field.data_type() {
            DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, _) => Some(()),
            other => {
                let message = format!(
                    "the event time {} must be of type TIMESTAMP(3) or TIMESTAMP_LTZ(3), not {}",
                    name.value,
                    type_name(other)
                );
                let hint =
                    "declare it TIMESTAMP(3), or compute a column AS CAST(… AS TIMESTAMP(3))";
                self.refuse(name, message, Some(hint.to_owned()));
                None
            }
        }
    }
}

/// The expression with computed columns replaced by what computes them.
fn substituted(
    expression: Expr,
    columns: &[Column],
    computed: &[Option<Expr>],
) -> datafusion_common::Result<Expr> {
    let replacement = |name: &LogicalColumn| {
        let place = columns
            .iter()
            .position(|column| *column.field.name() == name.name)?;
        computed.get(place)?.clone()
    };
    let replaced = expression.transform_up(|part| {
        Ok(match &part {
            Expr::Column(name) => match replacement(name) {
                Some(computed) => Transformed::yes(computed),
                None => Transformed::no(part),
            },
            _ => Transformed::no(part),
        })
    })?;
    Ok(replaced.data)
}
