//! Flink's group windows of before there were window functions: `GROUP BY TUMBLE(ts, size)`, with
//! `TUMBLE_START(ts, size)` and its like among the columns. They become the window function over
//! what is in `FROM` and `WHERE`, and its columns, before anything is planned; so nothing further
//! on knows of them.

use std::ops::ControlFlow;

use datafusion_common::{DataFusionError, Result};
use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
    ObjectName, Query, Select, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins,
    WildcardAdditionalOptions, visit_expressions_mut,
};

use super::access::written_call;
use super::diagnose::{library_span, refusal};
use super::dialect::TABLE_ARGUMENT;

/// The windows, with the number of their arguments: the time, and intervals.
const WINDOWS: [(&str, usize); 3] = [("TUMBLE", 2), ("HOP", 3), ("SESSION", 2)];

/// What is told of a window, with the column that it becomes.
const AUXILIARIES: [(&str, &str); 3] = [
    ("START", "window_start"),
    ("END", "window_end"),
    ("ROWTIME", "window_time"),
];

/// Replaces the group window of a `SELECT`, if it has one.
///
/// # Errors
/// If it has two, or its columns tell of another one.
pub(super) fn with_window_function(select: &mut Select) -> Result<()> {
    let window = match &mut select.group_by {
        GroupByExpr::Expressions(groups, _) => taken_out(groups)?,
        GroupByExpr::All(_) => None,
    };
    let mut one = |expression: &mut Expr| match as_column(expression, window.as_ref()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    };
    let one: &mut dyn FnMut(&mut Expr) -> ControlFlow<DataFusionError> = &mut one;
    let visited = visit_expressions_mut(&mut select.projection, &mut *one);
    let visited = match visited {
        ControlFlow::Continue(()) => visit_expressions_mut(&mut select.having, &mut *one),
        wrong @ ControlFlow::Break(_) => wrong,
    };
    if let ControlFlow::Break(error) = visited {
        return Err(error);
    }
    if let Some(window) = window {
        let is_session = window.name.value == "SESSION";
        let (keys, computed) = if is_session {
            check_no_sets(select, &window.name)?;
            keys_of_sessions(select)
        } else {
            (Vec::new(), Vec::new())
        };
        let rows = Box::new(rows_below(select, computed));
        let mut input = Expr::Subquery(rows);
        if is_session {
            let keys = keys.into_iter().map(Expr::Identifier);
            input = written_call(TABLE_ARGUMENT, std::iter::once(input).chain(keys).collect());
        }
        select.from = vec![TableWithJoins {
            relation: window.function_over(input),
            joins: Vec::new(),
        }];
    }
    Ok(())
}

/// A call in `GROUP BY`.
struct GroupWindow {
    /// Its name as it is written.
    name: Ident,
    time: Ident,
    intervals: Vec<Expr>,
}

impl GroupWindow {
    /// The window that a call describes, whose name without `suffix` is that of a window.
    fn of(call: &Function, suffix: &str) -> Result<Option<Self>> {
        let Some(name) = call.name.0.last().and_then(|part| part.as_ident()) else {
            return Ok(None);
        };
        let upper = name.value.to_uppercase();
        let own = upper.strip_suffix(suffix);
        let Some((_, arity)) = WINDOWS.iter().find(|(window, _)| Some(*window) == own) else {
            return Ok(None);
        };
        let arguments = values(call);
        let (time, intervals) = match arguments.split_first() {
            Some((time, intervals)) if arguments.len() == *arity => (time, intervals),
            _ => return Err(wrong_arguments(name)),
        };
        let time = match time {
            Expr::Identifier(time) => time.clone(),
            Expr::CompoundIdentifier(parts) => {
                parts.last().cloned().unwrap_or_else(|| name.clone())
            }
            other => {
                let message = format!("the time of {} must be a column", name.value);
                return Err(refusal(message, library_span(other.span()), None));
            }
        };
        Ok(Some(Self {
            name: Ident {
                value: own.unwrap_or_default().to_owned(),
                ..name.clone()
            },
            time,
            intervals: intervals.to_vec(),
        }))
    }

    /// The window function in `FROM` over the rows of `input`.
    fn function_over(self, input: Expr) -> TableFactor {
        let unnamed = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
        let time = written_call("DESCRIPTOR", vec![Expr::Identifier(self.time)]);
        let arguments = [input, time];
        let arguments = arguments.into_iter().chain(self.intervals);
        TableFactor::Function {
            lateral: false,
            name: ObjectName::from(vec![self.name]),
            args: arguments.map(unnamed).collect(),
            with_ordinality: false,
            alias: None,
        }
    }
}

/// Takes the window out of a `GROUP BY`, in which its columns take its place.
fn taken_out(groups: &mut Vec<Expr>) -> Result<Option<GroupWindow>> {
    let mut found: Option<GroupWindow> = None;
    let mut others = Vec::with_capacity(groups.len());
    for group in std::mem::take(groups) {
        let window = match &group {
            Expr::Function(call) => GroupWindow::of(call, "")?,
            _ => None,
        };
        match window {
            None => others.push(group),
            Some(window) if found.is_some() => {
                let message = "there can be one window in GROUP BY";
                return Err(refusal(message, library_span(window.name.span), None));
            }
            Some(window) => {
                let columns = AUXILIARIES.iter().map(|(_, column)| Ident::new(*column));
                others.extend(columns.map(Expr::Identifier));
                found = Some(window);
            }
        }
    }
    *groups = others;
    Ok(found)
}

/// Makes a column of the window of what tells of it.
fn as_column(expression: &mut Expr, window: Option<&GroupWindow>) -> Result<()> {
    let Expr::Function(call) = &*expression else {
        return Ok(());
    };
    for (what, column) in AUXILIARIES {
        let Some(told) = GroupWindow::of(call, &format!("_{what}"))? else {
            continue;
        };
        let same = window.filter(|window| {
            (&window.name.value, &window.time, &window.intervals)
                == (&told.name.value, &told.time, &told.intervals)
        });
        if same.is_none() {
            let name = &told.name.value;
            let message = format!("{name}_{what} tells of a window that GROUP BY does not have");
            let hint = format!("write GROUP BY {name}(…) with the same arguments");
            return Err(refusal(message, library_span(told.name.span), Some(hint)));
        }
        *expression = Expr::Identifier(Ident {
            value: column.to_owned(),
            ..told.name
        });
        return Ok(());
    }
    if GroupWindow::of(call, "_PROCTIME")?.is_some() {
        *expression = written_call("PROCTIME", Vec::new());
        return Ok(());
    }
    if let Some(window) = GroupWindow::of(call, "")? {
        let message = format!("{} as a window stands in GROUP BY", window.name.value);
        let hint = format!("write {0}_START(…) or {0}_END(…)", window.name.value);
        return Err(refusal(message, library_span(window.name.span), Some(hint)));
    }
    Ok(())
}

/// Each set of `GROUPING SETS` has sessions of its own, which one window function cannot make.
fn check_no_sets(select: &Select, window: &Ident) -> Result<()> {
    let has_sets = |group: &Expr| {
        matches!(
            group,
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_)
        )
    };
    match &select.group_by {
        GroupByExpr::Expressions(groups, _) if groups.iter().any(has_sets) => {
            let message = "GROUPING SETS, ROLLUP and CUBE beside the group window SESSION are not supported yet: each \
                           set has sessions of its own";
            let hint = "write a query for each set and unite them with UNION ALL";
            let place = library_span(window.span);
            Err(refusal(message, place, Some(hint.to_owned())))
        }
        _ => Ok(()),
    }
}

/// The columns by which sessions are kept apart, which are those of `GROUP BY` beside the window;
/// and those of them that have to be computed below, whose columns take their place everywhere.
fn keys_of_sessions(select: &mut Select) -> (Vec<Ident>, Vec<SelectItem>) {
    let (mut keys, mut computed) = (Vec::new(), Vec::new());
    let GroupByExpr::Expressions(groups, _) = &mut select.group_by else {
        return (keys, computed);
    };
    let mut replaced: Vec<(Expr, Ident)> = Vec::new();
    for group in groups {
        match group {
            Expr::Identifier(name) if AUXILIARIES.iter().any(|(_, own)| *own == name.value) => {}
            Expr::Identifier(name) => keys.push(name.clone()),
            Expr::CompoundIdentifier(parts) => keys.extend(parts.last().cloned()),
            Expr::GroupingSets(_) | Expr::Cube(_) | Expr::Rollup(_) => {}
            other => {
                let alias = Ident::with_quote('`', format!("$key{}", replaced.len()));
                keys.push(alias.clone());
                let expr = std::mem::replace(other, Expr::Identifier(alias.clone()));
                replaced.push((expr.clone(), alias.clone()));
                computed.push(SelectItem::ExprWithAlias { expr, alias });
            }
        }
    }
    let mut in_place = |expression: &mut Expr| {
        let mut known = replaced.iter();
        if let Some((_, alias)) = known.find(|(computed, _)| computed == expression) {
            *expression = Expr::Identifier(alias.clone());
        }
        ControlFlow::<()>::Continue(())
    };
    let _ = visit_expressions_mut(&mut select.projection, &mut in_place);
    let _ = visit_expressions_mut(&mut select.having, &mut in_place);
    (keys, computed)
}

/// The rows of `FROM` and `WHERE`, which leave the `SELECT`, with `more` columns.
fn rows_below(select: &mut Select, more: Vec<SelectItem>) -> Query {
    let mut below = Select {
        from: std::mem::take(&mut select.from),
        selection: select.selection.take(),
        ..select.clone()
    };
    let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    below.projection = std::iter::once(all).chain(more).collect();
    below.distinct = None;
    below.having = None;
    below.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(below))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

fn wrong_arguments(name: &Ident) -> DataFusionError {
    let message = format!("{} has other arguments", name.value);
    let hint = "write TUMBLE(time, size), HOP(time, slide, size) or SESSION(time, gap), and the same behind \
                TUMBLE_START, HOP_END and their like";
    refusal(message, library_span(name.span), Some(hint.to_owned()))
}

/// The arguments of a call; none if one of them is not a value.
fn values(call: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &call.args else {
        return Vec::new();
    };
    let values = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    });
    values.collect::<Option<Vec<_>>>().unwrap_or_default()
}
