//! The arguments of a window table function, by position or by name.

use datafusion_common::{DFSchema, Result, ScalarValue, Span as LibrarySpan};
use datafusion_expr::Expr as Planned;
use datafusion_expr::planner::RelationPlannerContext;
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Query,
    Spanned, TableAlias, TableFactor,
};

use super::diagnose::{library_span, refusal};
use super::dialect::TABLE_ARGUMENT;

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WindowKind {
    Tumble,
    Hop,
    Cumulate,
    Session,
}

impl WindowKind {
    /// The arguments in their order.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tumble => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
            Self::Hop => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
            Self::Cumulate => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
            Self::Session => &["DATA", "TIMECOL", "GAP"],
        }
    }
}

/// A call of one of them.
pub(super) struct Call {
    kind: WindowKind,
    arguments: Vec<FunctionArg>,
    span: Option<LibrarySpan>,
}

/// What it is called with.
pub(super) struct Arguments {
    pub kind: WindowKind,
    pub input: TableFactor,
    /// The columns of `PARTITION BY`.
    pub partition: Vec<Ident>,
    /// The column that `DESCRIPTOR` names.
    pub time: Ident,
    /// `SLIDE` or `STEP`.
    pub slide: Option<Length>,
    /// `SIZE` or `GAP`.
    pub size: Length,
    pub offset: Option<Length>,
}

/// An interval of a fixed length.
pub(super) struct Length(Expr);

/// The call that a table factor is, with the alias behind it; `None` if it is
/// something else than a table function.
pub(super) fn call(relation: &TableFactor) -> Result<Option<(Call, Option<TableAlias>)>> {
    let (name, arguments, alias) = match relation {
        TableFactor::TableFunction {
            expr: Expr::Function(function),
            alias,
        } => (&function.name, list(function), alias),
        TableFactor::Table {
            name,
            args: Some(arguments),
            alias,
            ..
        } => (name, arguments.args.clone(), alias),
        TableFactor::Function {
            name, args, alias, ..
        } => (name, args.clone(), alias),
        _ => return Ok(None),
    };
    let span = library_span(name.span());
    let kind = match name.to_string().to_uppercase().as_str() {
        "TUMBLE" => WindowKind::Tumble,
        "HOP" => WindowKind::Hop,
        "CUMULATE" => WindowKind::Cumulate,
        "SESSION" => WindowKind::Session,
        _ => {
            let message = format!("there is no table function {name}");
            let hint = "TUMBLE, HOP, CUMULATE and SESSION are supported".to_owned();
            return Err(refusal(message, span, Some(hint)));
        }
    };
    let call = Call {
        kind,
        arguments,
        span,
    };
    Ok(Some((call, alias.clone())))
}

impl Arguments {
    /// Sorts out the arguments of a call.
    ///
    /// # Errors
    /// If one is missing, superfluous or not of its kind.
    pub(super) fn of(call: Call) -> Result<Self> {
        let order = call.kind.arguments();
        let mut given: Vec<(String, Expr)> = Vec::new();
        for (position, argument) in call.arguments.into_iter().enumerate() {
            let (name, value) = named(argument, order.get(position).copied(), call.span)?;
            if !order.contains(&name.as_str()) || given.iter().any(|(other, _)| *other == name) {
                let message = format!("the window function has no argument {name} here");
                let hint = format!("its arguments are {}", order.join(", "));
                return Err(refusal(message, library_span(value.span()), Some(hint)));
            }
            given.push((name, value));
        }
        let mut take = |wanted: &str| {
            let place = given.iter().position(|(name, _)| name == wanted)?;
            Some(given.swap_remove(place).1)
        };
        let offset = take("OFFSET").map(Length);
        let missing = |name: &str| {
            let message = format!("the window function lacks its argument {name}");
            let hint = format!("its arguments are {}", order.join(", "));
            refusal(message, call.span, Some(hint))
        };
        let (input, partition) = input(take("DATA").ok_or_else(|| missing("DATA"))?)?;
        if let (Some(column), false) = (partition.first(), call.kind == WindowKind::Session) {
            let message = "only SESSION windows have a PARTITION BY";
            let hint = "group by the columns instead".to_owned();
            return Err(refusal(message, library_span(column.span), Some(hint)));
        }
        let time = descriptor(&take("TIMECOL").ok_or_else(|| missing("TIMECOL"))?)?;
        let slide = match call.kind {
            WindowKind::Tumble | WindowKind::Session => None,
            WindowKind::Hop => Some(Length(take("SLIDE").ok_or_else(|| missing("SLIDE"))?)),
            WindowKind::Cumulate => Some(Length(take("STEP").ok_or_else(|| missing("STEP"))?)),
        };
        let size = match call.kind {
            WindowKind::Session => "GAP",
            WindowKind::Tumble | WindowKind::Hop | WindowKind::Cumulate => "SIZE",
        };
        let size = Length(take(size).ok_or_else(|| missing(size))?);
        Ok(Self {
            kind: call.kind,
            input,
            partition,
            time,
            slide,
            size,
            offset,
        })
    }
}

impl Length {
    /// It in milliseconds, as the length of a window.
    ///
    /// # Errors
    /// If it is not a constant interval of whole milliseconds above 0.
    pub(super) fn millis(&self, context: &mut dyn RelationPlannerContext) -> Result<i64> {
        let millis = self.signed_millis(context)?;
        let millis = millis.filter(|millis| *millis > 0);
        millis.ok_or_else(|| {
            if let Expr::Value(_) = &self.0 {
                let message = "windows of a number of rows are not supported";
                let hint = "windows have a length in time: write INTERVAL '10' SECOND, MINUTE, HOUR or DAY";
                return refusal(message, self.span(), Some(hint.to_owned()));
            }
            let hint = "write INTERVAL '10' SECOND, MINUTE, HOUR or DAY".to_owned();
            let message = "a window's length must be an interval of whole milliseconds above 0";
            refusal(message, self.span(), Some(hint))
        })
    }

    /// It in milliseconds, as a distance on either side that is shorter than `below_ms`.
    ///
    /// # Errors
    /// If it is not a constant interval of whole milliseconds, or is too long.
    pub(super) fn offset_millis(
        &self,
        below_ms: i64,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<i64> {
        let millis = self.signed_millis(context)?;
        let millis = millis.filter(|millis| (1 - below_ms..below_ms).contains(millis));
        millis.ok_or_else(|| {
            let message = format!(
                "a window's offset must be an interval of whole milliseconds that is shorter than {below_ms} ms"
            );
            let hint = "write INTERVAL '8' HOUR or INTERVAL '-8' HOUR".to_owned();
            refusal(message, self.span(), Some(hint))
        })
    }

    /// `None` if it is not a constant interval of whole milliseconds.
    fn signed_millis(&self, context: &mut dyn RelationPlannerContext) -> Result<Option<i64>> {
        let Expr::Interval(_) = &self.0 else {
            return Ok(None);
        };
        let planned = context.sql_to_expr(self.0.clone(), &DFSchema::empty())?;
        let Planned::Literal(ScalarValue::IntervalMonthDayNano(Some(length)), _) = planned else {
            return Ok(None);
        };
        if length.months != 0 || length.nanoseconds % 1_000_000 != 0 {
            return Ok(None);
        }
        let days = i64::from(length.days).checked_mul(86_400_000);
        Ok(days.and_then(|days| days.checked_add(length.nanoseconds / 1_000_000)))
    }

    /// Where it stands.
    pub(super) fn span(&self) -> Option<LibrarySpan> {
        library_span(self.0.span())
    }
}

fn list(function: &Function) -> Vec<FunctionArg> {
    match &function.args {
        FunctionArguments::List(list) => list.args.clone(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
    }
}

fn named(
    argument: FunctionArg,
    at_position: Option<&str>,
    call: Option<LibrarySpan>,
) -> Result<(String, Expr)> {
    let (name, value) = match argument {
        FunctionArg::Named { name, arg, .. } => (Some(name.value.to_uppercase()), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string().to_uppercase()), arg),
        FunctionArg::Unnamed(arg) => (None, arg),
    };
    let FunctionArgExpr::Expr(value) = value else {
        return Err(refusal("a window function takes no *", call, None));
    };
    let name = name.or_else(|| at_position.map(str::to_owned));
    let name = name.ok_or_else(|| {
        refusal(
            "the window function has too many arguments",
            library_span(value.span()),
            None,
        )
    })?;
    Ok((name, value))
}

/// The table that `TABLE name`, `name` or `(SELECT …)` stands for, and the columns of
/// `PARTITION BY` behind it.
fn input(argument: Expr) -> Result<(TableFactor, Vec<Ident>)> {
    let span = library_span(argument.span());
    let mut partition = Vec::new();
    let parts = match argument {
        Expr::Subquery(subquery) => return Ok((derived(subquery), partition)),
        Expr::Function(function) if function.name.to_string() == TABLE_ARGUMENT => {
            let mut arguments = list(&function).into_iter().filter_map(value);
            let table = arguments.next();
            partition.extend(arguments.flat_map(identifiers));
            match table {
                Some(Expr::Subquery(subquery)) => return Ok((derived(subquery), partition)),
                table => table.map(identifiers).unwrap_or_default(),
            }
        }
        other => identifiers(other),
    };
    if parts.is_empty() {
        let message = "the first argument of a window function must be a table";
        return Err(refusal(message, span, Some("write TABLE name".to_owned())));
    }
    let table = TableFactor::Table {
        name: ObjectName::from(parts),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    Ok((table, partition))
}

fn derived(subquery: Box<Query>) -> TableFactor {
    TableFactor::Derived {
        lateral: false,
        subquery,
        alias: None,
        sample: None,
    }
}

fn value(argument: FunctionArg) -> Option<Expr> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
        _ => None,
    }
}

/// The parts of a name; none if the expression is no name.
fn identifiers(name: Expr) -> Vec<Ident> {
    match name {
        Expr::Identifier(name) => vec![name],
        Expr::CompoundIdentifier(parts) => parts,
        _ => Vec::new(),
    }
}

/// The column that `DESCRIPTOR(column)` names.
fn descriptor(argument: &Expr) -> Result<Ident> {
    let span = library_span(argument.span());
    if let Expr::Function(function) = argument
        && function.name.to_string().eq_ignore_ascii_case("DESCRIPTOR")
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(column)))] =
            list(function).as_slice()
    {
        return Ok(column.clone());
    }
    Err(refusal(
        "the time of a window must be DESCRIPTOR(column)",
        span,
        None,
    ))
}
