//! A query to an optimised logical plan.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, DataFusionError, Result, TableReference};
use datafusion_expr::logical_plan::TableScanBuilder;
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion_optimizer::analyzer::Analyzer;
use datafusion_optimizer::analyzer::type_coercion::{TypeCoercion, TypeCoercionRewriter};
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{Optimizer, OptimizerContext};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion_sql::sqlparser::ast::{
    Expr as SqlExpr, Query, Statement, VisitMut, visit_expressions_mut,
};

use super::access::DottedNames;
use super::catalog::Catalog;
use super::data_type::FlinkTypes;
use super::diagnose::{consequence, did_you_mean, refusal};
use super::functions::{self, FlinkExpressions};
use super::group_windows::with_window_function;
use super::grouping::with_columns_of_sets;
use super::row_pruning::without_unread_fields;
use super::select_names::name_columns;
use super::selects::each_select;
use super::window_function::WindowFunctions;
use super::{
    aggregates, hints, literals, one_row, set_operations, typing, unnest, values, written_forms,
};

/// Plans queries over the relations of a catalog.
pub(super) struct QueryPlanner<'a> {
    catalog: &'a Catalog,
}

impl<'a> QueryPlanner<'a> {
    /// A planner of queries that read relations of `catalog`.
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog }
    }

    /// The plan of a query with Flink's types, not yet optimised.
    ///
    /// # Errors
    /// If it names what does not exist, or its types do not fit.
    pub(super) fn plan(&self, query: &Query) -> Result<LogicalPlan> {
        let mut query = query.clone();
        each_select(&mut query, &mut |select| {
            unnest::folded(&mut select.from);
            name_columns(select);
            with_window_function(select)
        })?;
        let dotted = rewritten(&mut query)?;
        let plan = Scope::new(self.catalog, dotted)
            .binder()
            .sql_statement_to_plan(Statement::Query(Box::new(query)))?;
        let plan = set_operations::as_aggregates(plan)?;
        let plan = with_columns_of_sets(values::with_rows_from_nothing(plan)?)?;
        typing::plan_with_flink_types(plan)
    }

    /// An expression over the columns of `schema`, with Flink's types.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub(super) fn expression(&self, expression: &SqlExpr, schema: &DFSchema) -> Result<Expr> {
        let mut expression = expression.clone();
        let dotted = rewritten(&mut expression)?;
        let bound = Scope::new(self.catalog, dotted).binder().sql_to_expr(
            expression,
            schema,
            &mut PlannerContext::new(),
        )?;
        typing::with_flink_types(bound, schema)
    }
}

/// Rewrites the expressions of a tree into those that the library reads as Flink does.
///
/// # Errors
/// If the text of a literal is not of its form.
pub(super) fn rewritten(tree: &mut impl VisitMut) -> Result<DottedNames> {
    let mut names = DottedNames::default();
    let mut one = |expression: &mut SqlExpr| {
        written_forms::as_calls(expression);
        names.as_calls(expression);
        match literals::as_in_flink(expression) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    };
    // One type for every tree: the walk is a twentieth of what the crate compiles to.
    let one: &mut dyn FnMut(&mut SqlExpr) -> ControlFlow<DataFusionError> = &mut one;
    match visit_expressions_mut(tree, one) {
        ControlFlow::Continue(()) => Ok(names),
        ControlFlow::Break(error) => Err(error),
    }
}

/// What the names of one text stand for.
struct Scope<'a> {
    catalog: &'a Catalog,
    options: ConfigOptions,
    expression_planners: Vec<Arc<dyn ExprPlanner>>,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
}

impl<'a> Scope<'a> {
    fn new(catalog: &'a Catalog, dotted: DottedNames) -> Self {
        let mut options = ConfigOptions::default();
        options.sql_parser.enable_ident_normalization = false;
        Self {
            catalog,
            options,
            expression_planners: vec![Arc::new(FlinkExpressions { dotted })],
            relation_planners: vec![Arc::new(WindowFunctions)],
        }
    }

    fn binder(&self) -> SqlToRel<'_, Self> {
        let options = ParserOptions::new()
            .with_parse_float_as_decimal(true)
            .with_enable_ident_normalization(false)
            .with_map_string_types_to_utf8view(false)
            .with_collect_spans(true);
        SqlToRel::new_with_options(self, options)
    }
}

/// Applies the rules that hold for input without an end.
///
/// # Errors
/// If the types of an expression do not fit.
pub(super) fn optimize(plan: LogicalPlan) -> Result<LogicalPlan> {
    let analyzer = Analyzer::with_rules(vec![Arc::new(TypeCoercion::new())]);
    let plan = analyzer.execute_and_check(plan, &ConfigOptions::default(), |_, _| ())?;
    // Rules that look at an input's end or size (limits, sorts, join order, empty
    // relations) are left out on purpose.
    let optimizer = Optimizer::with_rules(vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ]);
    // Without a start of the query no rule can fold the time of day into the plan.
    let context = OptimizerContext::new()
        .without_query_execution_start_time()
        .with_skip_failing_rules(false);
    let plan = optimizer.optimize(one_row::kept(plan)?, &context, |_, _| ())?;
    without_unread_fields(with_columns_to_read(one_row::released(plan)?)?)
}

/// Rows that are read for their number alone keep a column: batches have columns.
fn with_columns_to_read(plan: LogicalPlan) -> Result<LogicalPlan> {
    let with_columns = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) if scan.projection.as_ref().is_some_and(Vec::is_empty) => {
            let scan = TableScanBuilder::new(scan.table_name, scan.source)
                .with_projection(Some(vec![0]))
                .build()?;
            Ok(Transformed::yes(LogicalPlan::TableScan(scan)))
        }
        LogicalPlan::Projection(projection) if projection.expr.is_empty() => {
            let input = Arc::unwrap_or_clone(projection.input);
            Ok(Transformed::yes(input))
        }
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(with_columns.data)
}

/// The expression with what the library coerces by itself: the arguments of its
/// own functions.
///
/// # Errors
/// If the types of an argument do not fit.
pub(super) fn coerced(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    let mut rewriter = TypeCoercionRewriter::new(schema);
    Ok(expression.rewrite(&mut rewriter)?.data)
}

impl ContextProvider for Scope<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let wanted = name.to_string();
        if let Some(relation) = self.catalog.relation(&wanted) {
            return Ok(relation);
        }
        if self.catalog.is_broken(&wanted) {
            return Err(consequence());
        }
        let wanted = hints::split(&wanted).0;
        let hint = did_you_mean(wanted, self.catalog.names())
            .unwrap_or_else(|| "a table must be created before the statement that reads it".into());
        Err(refusal(
            format!("there is no table or view {wanted}"),
            None,
            Some(hint),
        ))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expression_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(FlinkTypes {
            zone: self.catalog.zone.clone(),
        }))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name, &self.catalog.zone)
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        aggregates::aggregate(name)
    }

    fn get_window_meta(&self, _name: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        functions::names()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        aggregates::names()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
