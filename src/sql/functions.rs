//! The scalar functions of Flink that a query may call, and what each becomes.
//!
//! A function that is not in the table is refused: the query library knows many
//! more, of which some have another meaning under Flink's name.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::{DFSchema, Result, TableReference};
use datafusion_expr::expr::BinaryExpr;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr};
use datafusion_expr::{Expr, ExprSchemable, Operator, ScalarUDF, lit};
use datafusion_functions as library;
use datafusion_sql::sqlparser::ast::BinaryOperator;

use super::access::{self, DottedNames};
use super::conversion::{as_local, cast_to};
use super::rewrite::{self, call};
use super::time_zone::TimeZone;
use super::typing::{misfit, unified};
use super::untyped_call::UntypedCall;
use crate::expr::functions as own;
use crate::plan::type_name;

/// How a call is typed.
#[derive(Clone, Copy)]
enum Form {
    /// The call of another function with the same arguments.
    Call(fn() -> Arc<ScalarUDF>),
    /// The call of another function whose arguments all get their common type.
    Unified(fn() -> Arc<ScalarUDF>),
    /// An expression, whatever the types.
    Rewrite(fn(Vec<Expr>) -> Expr),
    /// An expression that depends on the program's time zone.
    Zoned(fn(Vec<Expr>, &TimeZone) -> Expr),
    /// An expression.
    Expand(fn(Vec<Expr>, &DFSchema) -> Result<Expr>),
}

/// A function: its name, the arguments that it takes (a letter each: `s` text,
/// `i` integer, `n` number, `d` number as `DOUBLE`, `t` date or time, `c` array or map, `a` anything
/// but a row, an array or a map, `x` anything, `*` any number of the one before), and how a call of
/// it is typed.
struct Function(&'static str, &'static [&'static str], Form);

use Form::{Call, Expand, Rewrite, Unified, Zoned};

static TABLE: &[Function] = &[
    Function("UPPER", &["s"], Call(library::string::upper)),
    Function("LOWER", &["s"], Call(library::string::lower)),
    Function(
        "CHAR_LENGTH",
        &["s"],
        Call(library::unicode::character_length),
    ),
    Function(
        "CHARACTER_LENGTH",
        &["s"],
        Call(library::unicode::character_length),
    ),
    Function("SUBSTRING", &["si", "sii"], Call(own::substring)),
    Function("SUBSTR", &["si", "sii"], Call(own::substring)),
    Function("TRIM", &["s", "ss"], Call(library::string::btrim)),
    Function("BTRIM", &["s", "ss"], Call(library::string::btrim)),
    Function("LTRIM", &["s", "ss"], Call(library::string::ltrim)),
    Function("RTRIM", &["s", "ss"], Call(library::string::rtrim)),
    Function("CONCAT", &["s*"], Call(own::concat)),
    Function("CONCAT_WS", &["ss*"], Call(library::string::concat_ws)),
    Function("REPLACE", &["sss"], Call(library::string::replace)),
    Function("REPEAT", &["si"], Call(library::string::repeat)),
    Function("REVERSE", &["s"], Call(library::unicode::reverse)),
    Function("LPAD", &["sis"], Call(library::unicode::lpad)),
    Function("RPAD", &["sis"], Call(library::unicode::rpad)),
    Function("INITCAP", &["s"], Call(library::unicode::initcap)),
    Function("ASCII", &["s"], Call(library::string::ascii)),
    Function("INSTR", &["ss"], Call(library::unicode::strpos)),
    Function("POSITION", &["ss"], Call(library::unicode::strpos)),
    Function("LOCATE", &["ss"], Rewrite(rewrite::locate)),
    Function("LEFT", &["si"], Rewrite(rewrite::left)),
    Function("RIGHT", &["si"], Rewrite(rewrite::right)),
    Function("SPLIT_INDEX", &["ssi"], Call(own::split_index)),
    Function("REGEXP", &["ss"], Expand(rewrite::regexp)),
    Function("REGEXP_REPLACE", &["sss"], Expand(rewrite::regexp_replace)),
    Function(
        "REGEXP_EXTRACT",
        &["ss", "ssi"],
        Expand(rewrite::regexp_extract),
    ),
    Function("ABS", &["n"], Call(library::math::abs)),
    Function("CEIL", &["n"], Expand(rewrite::ceil)),
    Function("CEILING", &["n"], Expand(rewrite::ceil)),
    Function("FLOOR", &["n"], Expand(rewrite::floor)),
    Function("ROUND", &["n", "ni"], Expand(rewrite::round)),
    Function("MOD", &["nn"], Expand(rewrite::modulo)),
    Function("POWER", &["dd"], Call(library::math::power)),
    Function("SQRT", &["d"], Call(library::math::sqrt)),
    Function("LN", &["d"], Call(library::math::ln)),
    Function("LOG10", &["d"], Call(library::math::log10)),
    Function("LOG2", &["d"], Call(library::math::log2)),
    Function("EXP", &["d"], Call(library::math::exp)),
    Function("SIN", &["d"], Call(library::math::sin)),
    Function("COS", &["d"], Call(library::math::cos)),
    Function("TAN", &["d"], Call(library::math::tan)),
    Function("ASIN", &["d"], Call(library::math::asin)),
    Function("ACOS", &["d"], Call(library::math::acos)),
    Function("ATAN", &["d"], Call(library::math::atan)),
    Function("ATAN2", &["dd"], Call(library::math::atan2)),
    Function("DEGREES", &["d"], Call(library::math::degrees)),
    Function("RADIANS", &["d"], Call(library::math::radians)),
    Function("PI", &[""], Call(library::math::pi)),
    Function("SIGN", &["n"], Expand(rewrite::sign)),
    Function("GREATEST", &["a*"], Unified(own::greatest)),
    Function("LEAST", &["a*"], Unified(own::least)),
    Function("COALESCE", &["a*"], Expand(rewrite::coalesce)),
    Function("IFNULL", &["aa"], Expand(rewrite::coalesce)),
    Function("NULLIF", &["aa"], Unified(library::core::nullif)),
    Function("IF", &["aaa"], Expand(rewrite::choose)),
    Function("EXTRACT", &["st"], Expand(rewrite::extract)),
    Function(
        "YEAR",
        &["t"],
        Rewrite(|arguments| rewrite::part("YEAR", arguments)),
    ),
    Function(
        "QUARTER",
        &["t"],
        Rewrite(|arguments| rewrite::part("QUARTER", arguments)),
    ),
    Function(
        "MONTH",
        &["t"],
        Rewrite(|arguments| rewrite::part("MONTH", arguments)),
    ),
    Function(
        "WEEK",
        &["t"],
        Rewrite(|arguments| rewrite::part("WEEK", arguments)),
    ),
    Function(
        "DAYOFYEAR",
        &["t"],
        Rewrite(|arguments| rewrite::part("DOY", arguments)),
    ),
    Function(
        "DAYOFMONTH",
        &["t"],
        Rewrite(|arguments| rewrite::part("DAY", arguments)),
    ),
    Function(
        "DAYOFWEEK",
        &["t"],
        Rewrite(|arguments| rewrite::part("DOW", arguments)),
    ),
    Function(
        "HOUR",
        &["t"],
        Rewrite(|arguments| rewrite::part("HOUR", arguments)),
    ),
    Function(
        "MINUTE",
        &["t"],
        Rewrite(|arguments| rewrite::part("MINUTE", arguments)),
    ),
    Function(
        "SECOND",
        &["t"],
        Rewrite(|arguments| rewrite::part("SECOND", arguments)),
    ),
    Function("DATE_FORMAT", &["ts"], Expand(rewrite::date_format)),
    Function("TO_TIMESTAMP", &["s"], Expand(rewrite::to_timestamp)),
    Function("TO_DATE", &["s"], Expand(rewrite::to_date)),
    Function("PROCTIME", &[""], Zoned(rewrite::proctime)),
    Function("CARDINALITY", &["c"], Call(own::cardinality)),
    // Operators on what has no type yet: no name of SQL is written so.
    Function(access::FIELD, &["xs*"], Expand(access::field)),
    Function(access::ITEM, &["xx"], Expand(access::item)),
    Function(
        "+",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Plus, parts, schema)),
    ),
    Function(
        "-",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Minus, parts, schema)),
    ),
    Function(
        "*",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Multiply, parts, schema)),
    ),
    Function(
        "/",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Divide, parts, schema)),
    ),
    Function(
        "%",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::Modulo, parts, schema)),
    ),
    Function(
        "||",
        &["aa"],
        Expand(|parts, schema| rewrite::operation(Operator::StringConcat, parts, schema)),
    ),
];

/// The function of this name, in any case of letters, as the planner calls it
/// before its arguments are typed, in a program of this time zone.
pub(super) fn scalar(name: &str, zone: &TimeZone) -> Option<Arc<ScalarUDF>> {
    let entry = TABLE
        .iter()
        .find(|function| function.0.eq_ignore_ascii_case(name));
    entry.map(|function| UntypedCall::function(function.0, zone.clone()))
}

/// All their names.
pub(super) fn names() -> Vec<String> {
    let names = TABLE.iter().map(|function| function.0);
    let written = names.filter(|name| name.starts_with(char::is_alphabetic));
    written.map(str::to_owned).collect()
}

/// The call of a function whose arguments are typed. A call that is typed
/// already stays as it is.
///
/// # Errors
/// If the arguments are too many, too few or of other types than it takes.
pub(super) fn typed_call(
    function: Arc<ScalarUDF>,
    arguments: Vec<Expr>,
    schema: &DFSchema,
) -> Result<Expr> {
    let Some(untyped) = UntypedCall::of(&function) else {
        return Ok(call(function, arguments));
    };
    let entry = TABLE.iter().find(|entry| entry.0 == function.name());
    let Function(name, patterns, form) = entry.expect("an untyped call is of the table");
    let arguments = fitted(name, patterns, arguments, schema)?;
    let typed = match form {
        Call(target) => call(target(), arguments),
        Unified(target) => {
            let what = format!("the arguments of {name}");
            call(target(), unified(arguments, schema, &what)?)
        }
        Rewrite(form) => form(arguments),
        Zoned(form) => form(arguments, untyped.zone()),
        Expand(expand) => expand(arguments, schema)?,
    };
    plain_text(name, typed, schema)
}

/// The library's functions may make other layouts of text than columns have.
fn plain_text(name: &str, expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match expression.get_type(schema) {
        Ok(DataType::Utf8View | DataType::LargeUtf8) => {
            cast_to(expression, &DataType::Utf8, schema)
        }
        Ok(_) => Ok(expression),
        Err(_) => {
            let parts: Vec<&Expr> = match &expression {
                Expr::ScalarFunction(call) => call.args.iter().collect(),
                other => vec![other],
            };
            let types = parts.iter().map(|part| part.get_type(schema));
            let types: Result<Vec<String>> =
                types.map(|own| own.map(|own| type_name(&own))).collect();
            let message = format!("{name} does not take ({})", types?.join(", "));
            Err(misfit(message, &parts))
        }
    }
}

/// The arguments, cast to what the first pattern of their number wants.
fn fitted(
    name: &str,
    patterns: &[&str],
    arguments: Vec<Expr>,
    schema: &DFSchema,
) -> Result<Vec<Expr>> {
    let count = arguments.len();
    let letters = patterns.iter().find_map(|pattern| expanded(pattern, count));
    let Some(letters) = letters else {
        let message = if matches!(name, "TO_TIMESTAMP" | "TO_DATE") && count == 2 {
            format!("{name} with a format is not supported yet")
        } else {
            format!("{name} does not take {count} arguments")
        };
        return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
    };
    let fit = |(argument, letter): (Expr, char)| {
        let own = argument.get_type(schema)?;
        let (fits, wanted) = match letter {
            's' => (own == DataType::Utf8, Some(DataType::Utf8)),
            'i' => (own.is_integer(), Some(DataType::Int64)),
            'd' => (own.is_numeric(), Some(DataType::Float64)),
            'n' => (own.is_numeric(), None),
            't' => (own.is_temporal(), None),
            'c' => (matches!(own, DataType::List(_) | DataType::Map(..)), None),
            'a' => (!own.is_nested(), None),
            _ => (true, None),
        };
        if !fits && own != DataType::Null {
            let message = format!("{name} does not take {} here", type_name(&own));
            return Err(misfit(message, &[&argument]));
        }
        match wanted {
            Some(wanted) => cast_to(argument, &wanted, schema),
            // Its parts are those that the clock of its zone shows.
            None if letter == 't' => as_local(argument, schema),
            None => Ok(argument),
        }
    };
    arguments.into_iter().zip(letters).map(fit).collect()
}

/// The letters of a pattern for `count` arguments, if it takes as many.
fn expanded(pattern: &str, count: usize) -> Option<Vec<char>> {
    let Some(fixed) = pattern.strip_suffix('*') else {
        return (pattern.len() == count).then(|| pattern.chars().collect());
    };
    let last = fixed.chars().last()?;
    let letters = fixed.chars().chain(std::iter::repeat(last));
    (count >= fixed.len()).then(|| letters.take(count).collect())
}

/// The functions that SQL writes in a form of their own.
#[derive(Debug)]
pub(super) struct FlinkExpressions {
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
            call.args = vec![lit(true)];
        }
        Ok(PlannerResult::Original(call))
    }
}

/// A function that SQL writes in a form of its own; none of them looks at a clock.
pub(super) fn operator(name: &str) -> Option<Arc<ScalarUDF>> {
    scalar(name, &TimeZone::default())
}

fn planned(name: &str, arguments: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    match operator(name) {
        Some(function) => PlannerResult::Planned(call(function, arguments)),
        None => PlannerResult::Original(arguments),
    }
}
