//! The scalar functions of Flink that a query may call, and what each becomes.
//!
//! A function that is not in the table is refused: the query library knows many
//! more, of which some have another meaning under Flink's name.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{Case, ScalarFunction};
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr};
use datafusion_expr::{
    ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit,
};
use datafusion_functions as library;

use super::arithmetic;
use super::conversion::{cast_to, try_cast};
use super::typing::{misfit, unified};
use crate::expr::functions as own;
use crate::plan::type_name;

/// How a call is typed.
#[derive(Clone, Copy)]
enum Form {
    /// The call of another function with the same arguments.
    Call(fn() -> Arc<ScalarUDF>),
    /// The call of another function whose arguments all get their common type.
    Unified(fn() -> Arc<ScalarUDF>),
    /// An expression.
    Expand(fn(Vec<Expr>, &DFSchema) -> Result<Expr>),
}

/// A function: its name, the arguments that it takes (a letter each: `s` text,
/// `i` integer, `n` number, `d` number as `DOUBLE`, `a` anything, `*` any number
/// of the one before), and how a call of it is typed.
struct Function(&'static str, &'static [&'static str], Form);

use Form::{Call, Expand, Unified};

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
    Function("LOCATE", &["ss"], Expand(locate)),
    Function("LEFT", &["si"], Expand(left)),
    Function("RIGHT", &["si"], Expand(right)),
    Function("SPLIT_INDEX", &["ssi"], Call(own::split_index)),
    Function("REGEXP", &["ss"], Call(library::regex::regexp_like)),
    Function("REGEXP_REPLACE", &["sss"], Expand(regexp_replace)),
    Function("REGEXP_EXTRACT", &["ss", "ssi"], Expand(regexp_extract)),
    Function("ABS", &["n"], Call(library::math::abs)),
    Function("CEIL", &["n"], Expand(ceil)),
    Function("CEILING", &["n"], Expand(ceil)),
    Function("FLOOR", &["n"], Expand(floor)),
    Function("ROUND", &["n", "ni"], Expand(round)),
    Function("MOD", &["nn"], Expand(modulo)),
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
    Function("SIGN", &["n"], Expand(sign)),
    Function("GREATEST", &["a*"], Unified(own::greatest)),
    Function("LEAST", &["a*"], Unified(own::least)),
    Function("COALESCE", &["a*"], Expand(coalesce)),
    Function("IFNULL", &["aa"], Expand(coalesce)),
    Function("NULLIF", &["aa"], Unified(library::core::nullif)),
    Function("IF", &["aaa"], Expand(choose)),
    Function("EXTRACT", &["sa"], Call(own::extract)),
    Function(
        "YEAR",
        &["a"],
        Expand(|arguments, _| Ok(part("YEAR", arguments))),
    ),
    Function(
        "QUARTER",
        &["a"],
        Expand(|arguments, _| Ok(part("QUARTER", arguments))),
    ),
    Function(
        "MONTH",
        &["a"],
        Expand(|arguments, _| Ok(part("MONTH", arguments))),
    ),
    Function(
        "WEEK",
        &["a"],
        Expand(|arguments, _| Ok(part("WEEK", arguments))),
    ),
    Function(
        "DAYOFYEAR",
        &["a"],
        Expand(|arguments, _| Ok(part("DOY", arguments))),
    ),
    Function(
        "DAYOFMONTH",
        &["a"],
        Expand(|arguments, _| Ok(part("DAY", arguments))),
    ),
    Function(
        "DAYOFWEEK",
        &["a"],
        Expand(|arguments, _| Ok(part("DOW", arguments))),
    ),
    Function(
        "HOUR",
        &["a"],
        Expand(|arguments, _| Ok(part("HOUR", arguments))),
    ),
    Function(
        "MINUTE",
        &["a"],
        Expand(|arguments, _| Ok(part("MINUTE", arguments))),
    ),
    Function(
        "SECOND",
        &["a"],
        Expand(|arguments, _| Ok(part("SECOND", arguments))),
    ),
    Function("DATE_FORMAT", &["as"], Call(own::date_format)),
    Function("TO_TIMESTAMP", &["s"], Expand(to_timestamp)),
    Function("TO_DATE", &["s"], Expand(to_date)),
];

/// The function of this name, in any case of letters, as the planner calls it
/// before its arguments are typed.
pub(super) fn scalar(name: &str) -> Option<Arc<ScalarUDF>> {
    static CALLS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
        TABLE
            .iter()
            .map(|Function(name, ..)| {
                Arc::new(ScalarUDF::from(UntypedCall {
                    name,
                    signature: Signature::user_defined(Volatility::Immutable),
                }))
            })
            .collect()
    });
    let wanted = CALLS
        .iter()
        .find(|function| function.name().eq_ignore_ascii_case(name));
    wanted.cloned()
}

/// All their names.
pub(super) fn names() -> Vec<String> {
    TABLE.iter().map(|function| function.0.to_owned()).collect()
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
    if function.inner().downcast_ref::<UntypedCall>().is_none() {
        return Ok(call(function, arguments));
    }
    let entry = TABLE.iter().find(|entry| entry.0 == function.name());
    let Function(name, patterns, form) = entry.expect("an untyped call is of the table");
    let arguments = fitted(name, patterns, arguments, schema)?;
    let typed = match form {
        Call(target) => call(target(), arguments),
        Unified(target) => {
            let what = format!("the arguments of {name}");
            call(target(), unified(arguments, schema, &what)?)
        }
        Expand(expand) => expand(arguments, schema)?,
    };
    plain_text(typed, schema)
}

/// The library's functions may make other layouts of text than columns have.
fn plain_text(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    match expression.get_type(schema) {
        Ok(DataType::Utf8View | DataType::LargeUtf8) => {
            cast_to(expression, &DataType::Utf8, schema)
        }
        Ok(_) => Ok(expression),
        Err(error) => Err(misfit(
            error
                .message()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
            &[&expression],
        )),
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
        let message = format!("{name} does not take {count} arguments");
        return Err(misfit(message, &arguments.iter().collect::<Vec<_>>()));
    };
    let fit = |(argument, letter): (Expr, char)| {
        let own = argument.get_type(schema)?;
        let (fits, wanted) = match letter {
            's' => (own == DataType::Utf8, Some(DataType::Utf8)),
            'i' => (own.is_integer(), Some(DataType::Int64)),
            'd' => (own.is_numeric(), Some(DataType::Float64)),
            'n' => (own.is_numeric(), None),
            _ => (true, None),
        };
        if !fits && own != DataType::Null {
            let message = format!("{name} does not take {} here", type_name(&own));
            return Err(misfit(message, &[&argument]));
        }
        match wanted {
            Some(wanted) => cast_to(argument, &wanted, schema),
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

fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

fn part(field: &str, arguments: Vec<Expr>) -> Expr {
    let mut all = vec![lit(field)];
    all.extend(arguments);
    call(own::extract(), all)
}

fn locate(mut arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    arguments.reverse();
    Ok(call(library::unicode::strpos(), arguments))
}

fn left(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    Ok(empty_if_negative(library::unicode::left(), arguments))
}

fn right(arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    Ok(empty_if_negative(library::unicode::right(), arguments))
}

/// The library's functions count a negative length from the other end.
fn empty_if_negative(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    let length = arguments.last().cloned().unwrap_or_else(|| lit(0_i64));
    let whole = call(function, arguments);
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(length.lt(lit(0_i64))), Box::new(lit("")))],
        else_expr: Some(Box::new(whole)),
    })
}

fn regexp_replace(mut arguments: Vec<Expr>, _schema: &DFSchema) -> Result<Expr> {
    // All matches are replaced, not the first alone.
    arguments.push(lit("g"));
    Ok(call(library::regex::regexp_replace(), arguments))
}

fn regexp_extract(mut arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    if arguments.len() == 2 {
        arguments.push(lit(0_i32));
    }
    if let Some(group) = arguments.pop() {
        arguments.push(cast_to(group, &DataType::Int32, schema)?);
    }
    Ok(call(own::regexp_extract(), arguments))
}

fn ceil(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    whole_number(library::math::ceil(), arguments, schema)
}

fn floor(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    whole_number(library::math::floor(), arguments, schema)
}

/// An integer is its own floor, and a decimal's has no digits behind the point.
fn whole_number(function: Arc<ScalarUDF>, arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(argument) = arguments.first() else {
        return Ok(call(function, arguments));
    };
    match argument.get_type(schema)? {
        data_type if data_type.is_integer() => Ok(argument.clone()),
        DataType::Decimal128(precision, _) => {
            let whole = call(function, arguments);
            cast_to(whole, &DataType::Decimal128(precision, 0), schema)
        }
        _ => Ok(call(function, arguments)),
    }
}

fn round(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let (Some(value), places) = (arguments.first(), arguments.get(1)) else {
        return Ok(call(library::math::round(), arguments));
    };
    let data_type = value.get_type(schema)?;
    if data_type.is_floating() {
        return Ok(call(library::math::round(), arguments));
    }
    let places = match places {
        None => 0,
        Some(Expr::Literal(ScalarValue::Int64(Some(places)), _)) => *places,
        Some(Expr::Cast(cast)) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Int32(Some(places)), _) => i64::from(*places),
            _ => i64::MIN,
        },
        Some(_) => i64::MIN,
    };
    match (data_type, i8::try_from(places)) {
        (_, Ok(places)) if places < 0 => Err(unconstant_round(value)),
        (data_type, Ok(_)) if data_type.is_integer() => Ok(value.clone()),
        (DataType::Decimal128(precision, scale), Ok(places)) if places < scale => {
            let whole = precision.cast_signed() - scale;
            let digits = whole.saturating_add(1).saturating_add(places).min(38);
            let rounded = DataType::Decimal128(digits.cast_unsigned(), places);
            cast_to(value.clone(), &rounded, schema)
        }
        (DataType::Decimal128(_, _), Ok(_)) => Ok(value.clone()),
        _ => Err(unconstant_round(value)),
    }
}

fn unconstant_round(value: &Expr) -> datafusion_common::DataFusionError {
    let message = "ROUND of an exact number needs a constant number of places from 0 on";
    misfit(message.to_owned(), &[value])
}

fn modulo(mut arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    match (arguments.pop(), arguments.pop()) {
        (Some(divisor), Some(dividend)) => {
            arithmetic::typed(dividend, Operator::Modulo, divisor, schema)
        }
        _ => Ok(lit(ScalarValue::Null)),
    }
}

fn sign(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let Some(value) = arguments.into_iter().next() else {
        return Ok(lit(ScalarValue::Null));
    };
    let data_type = value.get_type(schema)?;
    let float = cast_to(value, &DataType::Float64, schema)?;
    let sign = call(library::math::signum(), vec![float]);
    cast_to(sign, &data_type, schema)
}

fn coalesce(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let arguments = unified(arguments, schema, "the arguments of COALESCE")?;
    Ok(call(library::core::coalesce(), arguments))
}

fn choose(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let mut arguments = arguments.into_iter();
    let condition = arguments.next().unwrap_or_else(|| lit(false));
    let data_type = condition.get_type(schema)?;
    if !matches!(data_type, DataType::Boolean | DataType::Null) {
        let message = format!("IF needs BOOLEAN first, not {}", type_name(&data_type));
        return Err(misfit(message, &[&condition]));
    }
    let mut branches = unified(arguments.collect(), schema, "the branches of IF")?.into_iter();
    let yes = branches.next().unwrap_or_else(|| lit(ScalarValue::Null));
    Ok(Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(condition), Box::new(yes))],
        else_expr: branches.next().map(Box::new),
    }))
}

/// A text that is no timestamp becomes null.
fn to_timestamp(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    let data_type = DataType::Timestamp(TimeUnit::Millisecond, None);
    parsed(arguments, &data_type, schema)
}

fn to_date(arguments: Vec<Expr>, schema: &DFSchema) -> Result<Expr> {
    parsed(arguments, &DataType::Date32, schema)
}

fn parsed(arguments: Vec<Expr>, data_type: &DataType, schema: &DFSchema) -> Result<Expr> {
    match arguments.into_iter().next() {
        Some(text) => try_cast(text, data_type, schema),
        None => Ok(lit(ScalarValue::try_from(data_type)?)),
    }
}

/// A call before its arguments are typed; `typing` replaces it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct UntypedCall {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for UntypedCall {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Fits everywhere, so that nothing is refused before the types are known.
    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Null)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        datafusion_common::internal_err!("an untyped call is never run")
    }
}

/// The functions that SQL writes in a form of their own.
#[derive(Debug)]
pub(super) struct FlinkExpressions;

impl ExprPlanner for FlinkExpressions {
    fn plan_extract(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("EXTRACT", arguments))
    }

    fn plan_position(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("POSITION", arguments))
    }

    fn plan_substring(&self, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(planned("SUBSTRING", arguments))
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

fn planned(name: &str, arguments: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    match scalar(name) {
        Some(function) => PlannerResult::Planned(call(function, arguments)),
        None => PlannerResult::Original(arguments),
    }
}
