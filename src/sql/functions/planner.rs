//! What SQL writes in a form of its own, as the calls of functions that it means.

use arrow::datatypes::Field;
use datafusion_common::{DFSchema, Result, TableReference};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr};
use datafusion_expr::{Expr, ExprSchemable, Operator, lit};
use datafusion_sql::sqlparser::ast::BinaryOperator;

use super::operator;
use crate::sql::access::DottedNames;
use crate::sql::diagnose::refusal;
use crate::sql::rewrite::call;

/// The functions that SQL writes in a form of their own.
#[derive(Debug)]
pub(in crate::sql) struct FlinkExpressions {
    /// The names with dots in the text that is planned.
    pub dotted: DottedNames,
}

impl ExprPlanner for FlinkExpressions {
    /// What stands behind the name of a column are fields, of which nothing is
    /// known before the types are.
    fn plan_compound_identifier(
        &self,
        field: &Field,
        table: Option<&TableReference>,
        names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let call = self.dotted.field_of(field, table, names);
        Ok(PlannerResult::Planned(call))
    }

    fn plan_extract(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("EXTRACT", arguments))
    }

    fn plan_position(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("POSITION", arguments))
    }

    fn plan_overlay(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("OVERLAY", arguments))
    }

    fn plan_substring(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("SUBSTRING", arguments))
    }

    /// The library has no result for some operations that Flink has one for: on a
    /// call that has no type yet, or on decimals with too many digits. They wait
    /// until they are typed.
    fn plan_binary_op(
        &self,
        operation: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match operation.op {
            BinaryOperator::Plus => Operator::Plus,
            BinaryOperator::Minus => Operator::Minus,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            BinaryOperator::StringConcat => Operator::StringConcat,
            _ => return Ok(PlannerResult::Original(operation)),
        };
        let parts = vec![operation.left.clone(), operation.right.clone()];
        let (left, right) = (Box::new(operation.left), Box::new(operation.right));
        let whole = Expr::BinaryExpr(BinaryExpr::new(left, op, right));
        if whole.get_type(schema).is_ok() {
            return Ok(PlannerResult::Planned(whole));
        }
        let function = operator(&op.to_string()).expect("the operators are in the table");
        Ok(PlannerResult::Planned(call(function, parts)))
    }

    /// `COUNT(*)` counts a constant.
    fn plan_aggregate(
        &self,
        mut call: RawAggregateExpr,
    ) -> Result<PlannerResult<RawAggregateExpr>> {
        #[expect(
            deprecated,
            reason = "the library still plans the * of COUNT(*) as one"
        )]
        let is_star = matches!(call.args.as_slice(), [] | [Expr::Wildcard { .. }]);
        if is_star && call.func.name() == "COUNT" {
            if call.distinct {
                let hint = "write COUNT(*), or COUNT(DISTINCT column)";
                return Err(refusal(
                    "COUNT(DISTINCT *) counts nothing",
                    None,
                    Some(hint.to_owned()),
                ));
            }
            call.args = vec![lit(true)];
        }
        Ok(PlannerResult::Original(call))
    }
}

fn planned(name: &str, arguments: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    match operator(name) {
        Some(function) => PlannerResult::Planned(call(function, arguments)),
        None => PlannerResult::Original(arguments),
    }
}
