//! Expressions: which kinds of them there are.

use datafusion_sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, CeilFloorKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Subscript, TimezoneInfo,
    TypedString, UnaryOperator, Value,
};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::Walk;
use crate::sql::dialect::{NO_COLLECTIONS, TABLE_ARGUMENT};
use crate::sql::parser::unsupported_type;

const NO_SUBQUERY: &str = "a query inside an expression is not supported yet";

impl Walk<'_> {
    /// An expression and all inside it.
    pub(super) fn expression(&mut self, expression: &Expr) {
        self.descend(|walk| walk.expression_parts(expression));
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of expression, most of a single line"
    )]
    fn expression_parts(&mut self, expression: &Expr) {
        match expression {
            Expr::Identifier(name) => self.place(name),
            Expr::CompoundIdentifier(names) => {
                for name in names {
                    self.place(name);
                }
            }
            Expr::Value(value) => {
                self.pass(value.span);
                self.value(&value.value);
            }
            Expr::IsFalse(inner)
            | Expr::IsNotFalse(inner)
            | Expr::IsTrue(inner)
            | Expr::IsNotTrue(inner)
            | Expr::IsNull(inner)
            | Expr::IsNotNull(inner)
            | Expr::IsUnknown(inner)
            | Expr::IsNotUnknown(inner)
            | Expr::Extract { expr: inner, .. }
            | Expr::Nested(inner) => self.expression(inner),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.expressions([&**left, &**right]);
            }
            Expr::InList { expr, list, .. } => {
                self.expression(expr);
                self.expressions(list);
            }
            Expr::Between {
                expr, low, high, ..
            } => self.expressions([&**expr, &**low, &**high]),
            Expr::BinaryOp { left, op, right } => {
                self.expression(left);
                if *op == BinaryOperator::Overlaps {
                    self.overlaps(left, right);
                } else {
                    self.binary_operator(op);
                }
                self.expression(right);
            }
            Expr::UnaryOp { op, expr } => {
                if !matches!(
                    op,
                    UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not
                ) {
                    self.refuse_here(&format!("the operator {op} is not Flink SQL"), ARITHMETIC);
                }
                self.expression(expr);
            }
            Expr::Like {
                any, expr, pattern, ..
            } => {
                self.expression(expr);
                if *any {
                    self.refuse("ANY", "LIKE ANY is not Flink SQL");
                }
                self.expression(pattern);
            }
            Expr::Cast {
                kind,
                expr,
                data_type,
                array,
                format,
            } => {
                self.expression(expr);
                self.cast(kind, data_type, *array || format.is_some());
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                self.expression(expr);
                if let CeilFloorKind::Scale(scale) = field {
                    self.pass(scale.span);
                    self.refuse_here("CEIL and FLOOR take no scale", "use ROUND");
                }
            }
            Expr::Position { expr, r#in } => self.expressions([&**expr, &**r#in]),
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                self.expression(expr);
                self.expressions(
                    substring_from
                        .iter()
                        .chain(substring_for)
                        .map(|part| &**part),
                );
            }
            Expr::Trim {
                trim_what,
                expr,
                trim_characters,
                ..
            } => {
                self.expressions(trim_what.iter().map(|what| &**what));
                self.expression(expr);
                if trim_characters.is_some() {
                    self.refuse_here("TRIM(text, characters) is not Flink SQL", TRIM);
                }
            }
            Expr::TypedString(typed) => self.typed_string(typed),
            Expr::Interval(interval) => {
                self.expression(&interval.value);
                if interval.leading_field.is_none() {
                    self.refuse_here("an INTERVAL has a unit", "write INTERVAL '10' SECOND");
                }
            }
            Expr::Case {
                case_token,
                end_token,
                operand,
                conditions,
                else_result,
            } => {
                self.pass(case_token.0.span);
                self.expressions(operand.iter().map(|operand| &**operand));
                for when in conditions {
                    self.expressions([&when.condition, &when.result]);
                }
                self.expressions(else_result.iter().map(|result| &**result));
                self.pass(end_token.0.span);
            }
            Expr::Function(function) => self.function(function),
            Expr::Exists { subquery, .. } => {
                self.refuse("EXISTS", NO_SUBQUERY);
                self.query(subquery);
            }
            Expr::InSubquery { expr, subquery, .. } => {
                self.expression(expr);
                self.refuse("SELECT", NO_SUBQUERY);
                self.query(subquery);
            }
            Expr::Subquery(subquery) => {
                self.refuse("SELECT", NO_SUBQUERY);
                self.query(subquery);
            }
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => {
                for set in sets {
                    self.expressions(set);
                }
            }
            Expr::SimilarTo { expr, pattern, .. } => self.expressions([&**expr, &**pattern]),
            Expr::ILike { expr, pattern, .. } => {
                self.expression(expr);
                self.refuse_with("ILIKE", "ILIKE is not Flink SQL", "use UPPER(…) LIKE");
                self.expression(pattern);
            }
            Expr::RLike { expr, .. } => {
                self.expression(expr);
                self.refuse_here("RLIKE is not Flink SQL", "use LIKE");
            }
            Expr::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                self.expressions([&**expr, &**overlay_what, &**overlay_from]);
                self.expressions(overlay_for.iter().map(|part| &**part));
            }
            Expr::AtTimeZone { timestamp, .. } => {
                self.expression(timestamp);
                self.refuse("AT", "AT TIME ZONE is not supported");
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.expression(root);
                for access in access_chain {
                    self.access(access);
                }
            }
            Expr::Array(_) => {
                let bracket = self.find(|token| *token == Token::LBracket);
                self.report(bracket, NO_COLLECTIONS, None);
            }
            Expr::InUnnest { expr, .. } => {
                self.expression(expr);
                self.refuse("UNNEST", "UNNEST is not supported yet");
            }
            Expr::Map(_) | Expr::Dictionary(_) | Expr::Struct { .. } | Expr::MemberOf(_) => {
                self.report(self.at, NO_COLLECTIONS, None);
            }
            Expr::Tuple(parts) => {
                if parts.is_empty() {
                    let parenthesis = self.find(|token| *token == Token::LParen);
                    self.report(parenthesis, NO_COLLECTIONS, None);
                }
                self.expressions(parts);
            }
            Expr::AnyOp { left, .. } | Expr::AllOp { left, .. } => {
                self.expression(left);
                self.refuse_here("ANY and ALL are not supported yet", "use IN (…)");
            }
            Expr::Collate { expr, .. } => {
                self.expression(expr);
                self.refuse("COLLATE", "COLLATE is not Flink SQL");
            }
            Expr::Convert { .. } => self.refuse_with("CONVERT", NO_CONVERT, CAST),
            Expr::Wildcard(token) | Expr::QualifiedWildcard(_, token) => {
                self.pass(token.0.span);
                self.refuse_here("* is no value", "write the columns out");
            }
            Expr::JsonAccess { value, .. } => {
                self.expression(value);
                self.refuse_here(
                    "this way into a JSON text is not Flink SQL",
                    "use JSON_VALUE",
                );
            }
            Expr::IsNormalized { expr, .. }
            | Expr::OuterJoin(expr)
            | Expr::Prior(expr)
            | Expr::Named { expr, .. } => {
                self.expression(expr);
                self.refuse_here("this expression is not Flink SQL", ARITHMETIC);
            }
            Expr::Prefixed { .. } | Expr::MatchAgainst { .. } | Expr::Lambda(_) => {
                self.refuse_here("this expression is not Flink SQL", ARITHMETIC);
            }
        }
    }

    /// `.field`, `[1]` or `['key']`.
    fn access(&mut self, access: &AccessExpr) {
        match access {
            AccessExpr::Dot(Expr::Identifier(name)) => self.place(name),
            AccessExpr::Dot(other) => {
                self.expression(other);
                self.refuse_here("this is no field of a row", "write row.field");
            }
            AccessExpr::Subscript(Subscript::Index { index }) => self.expression(index),
            AccessExpr::Subscript(Subscript::Slice { .. }) => {
                let bracket = self.find(|token| *token == Token::LBracket);
                let message = "a part of an array is not Flink SQL";
                self.report(bracket, message, Some("an element is written a[1]"));
            }
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Number(_, true) => {
                self.refuse_here("a number has no suffix", "write CAST(1 AS BIGINT)");
            }
            Value::HexStringLiteral(digits) if is_hexadecimal(digits) => {}
            Value::HexStringLiteral(_) => self.refuse_here(
                "X'…' holds pairs of hexadecimal digits",
                "a byte is two of 0 to 9 and A to F, as in X'0AFF'",
            ),
            Value::Number(..) | Value::SingleQuotedString(_) | Value::Boolean(_) | Value::Null => {}
            Value::DoubleQuotedString(_) => self.refuse_here(
                "double quotes are not Flink SQL",
                "write 'text' for a string and `name` for a name",
            ),
            _ => self.refuse_here("this form of a literal is not supported", "write 'text'"),
        }
    }

    /// `DATE '2020-01-01'`.
    fn typed_string(&mut self, typed: &TypedString) {
        let TypedString {
            data_type,
            value,
            uses_odbc_syntax,
        } = typed;
        self.pass(value.span);
        let plain = matches!(
            data_type,
            DataType::Date
                | DataType::Time(None, TimezoneInfo::None)
                | DataType::Timestamp(None, TimezoneInfo::None)
        );
        if !plain || *uses_odbc_syntax {
            self.refuse_here(
                &format!("there are no literals of the type {data_type}"),
                "there are DATE '…', TIME '…' and TIMESTAMP '…'",
            );
        }
        self.value(&value.value);
    }

    /// Two periods, each of two parts.
    fn overlaps(&mut self, left: &Expr, right: &Expr) {
        let is_period = |part: &Expr| matches!(part, Expr::Tuple(parts) if parts.len() == 2);
        if !(is_period(left) && is_period(right)) {
            let hint = "write (start, end) OVERLAPS (start, end)";
            self.refuse_with("OVERLAPS", "OVERLAPS compares two periods", hint);
        }
    }

    fn binary_operator(&mut self, operator: &BinaryOperator) {
        use BinaryOperator as B;
        if matches!(operator, B::Eq) {
            // The parser takes both for one.
            let equals = |token: &Token| matches!(token, Token::Eq | Token::DoubleEq);
            let first = self.next_token_of(equals).map(|token| &token.token);
            if first == Some(&Token::DoubleEq) {
                let location = self.find(equals);
                self.report(
                    location,
                    "the operator == is not Flink SQL",
                    Some(ARITHMETIC),
                );
            }
        }
        let known = matches!(
            operator,
            B::Plus
                | B::Minus
                | B::Multiply
                | B::Divide
                | B::Modulo
                | B::StringConcat
                | B::Gt
                | B::Lt
                | B::GtEq
                | B::LtEq
                | B::Eq
                | B::NotEq
                | B::And
                | B::Or
        );
        if !known {
            let written = operator.to_string();
            let location = self.find(|token| token.to_string().eq_ignore_ascii_case(&written));
            let message = format!("the operator {written} is not Flink SQL");
            self.report(location, &message, Some(ARITHMETIC));
        }
    }

    fn cast(&mut self, kind: &CastKind, data_type: &DataType, has_more: bool) {
        match kind {
            CastKind::Cast | CastKind::TryCast => {}
            CastKind::SafeCast => self.refuse_here("SAFE_CAST is not Flink SQL", "use TRY_CAST"),
            CastKind::DoubleColon => {
                let location = self.find(|token| *token == Token::DoubleColon);
                self.report(location, ":: is not Flink SQL", Some(CAST));
            }
        }
        if has_more {
            self.refuse_here("a clause in CAST is not Flink SQL", CAST);
        }
        if let Some(message) = unsupported_type(data_type) {
            self.report(self.at, &message, None);
        }
    }

    fn function(&mut self, function: &Function) {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            filter,
            null_treatment,
            over,
            within_group,
        } = function;
        self.object_name(name);
        let written = name.to_string().to_uppercase();
        self.function_name(&written);
        if has_seed(&written, args) {
            let message = format!("{written} with a seed is not supported: {NO_SEED}");
            self.refuse_here(&message, SEED);
        }
        if name.0.len() > 1 || *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) {
            self.refuse_here(
                &format!("there is no function {name}"),
                "use a built-in function",
            );
        }
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => {
                self.refuse("SELECT", NO_SUBQUERY);
                self.query(query);
            }
            FunctionArguments::List(list) => {
                for argument in &list.args {
                    self.argument(argument);
                }
                for clause in &list.clauses {
                    self.argument_clause(clause);
                }
            }
        }
        if !within_group.is_empty() {
            self.refuse("WITHIN", "WITHIN GROUP is not supported yet");
        }
        if null_treatment.is_some() {
            self.refuse(
                "NULLS",
                "IGNORE NULLS and RESPECT NULLS are not supported yet",
            );
        }
        if let Some(condition) = filter {
            self.expression(condition);
        }
        if over.is_some() {
            self.refuse("OVER", "OVER is not supported yet");
        }
    }

    /// Functions that are refused for what they mean, not because they are unknown.
    fn function_name(&mut self, name: &str) {
        match name {
            "MAP" | "ARRAY" => self.refuse_here(
                "arrays and maps are made with brackets",
                "write ARRAY[a, b] or MAP[key, value]",
            ),
            TABLE_ARGUMENT => self.refuse_here("TABLE is no value", TABLE_VALUE),
            _ => {}
        }
    }

    fn argument(&mut self, argument: &FunctionArg) {
        let value = match argument {
            FunctionArg::Unnamed(value) => value,
            FunctionArg::Named { name, arg, .. } => {
                self.place(name);
                self.refuse_here(
                    "named arguments are not supported here",
                    "write only the value",
                );
                arg
            }
            FunctionArg::ExprNamed { arg, .. } => {
                self.refuse_here(
                    "named arguments are not supported here",
                    "write only the value",
                );
                arg
            }
        };
        match value {
            FunctionArgExpr::Expr(expression) => self.expression(expression),
            FunctionArgExpr::Wildcard => {}
            FunctionArgExpr::QualifiedWildcard(name) => {
                self.object_name(name);
                self.refuse_here("a table's * is no argument", "write COUNT(*)");
            }
            FunctionArgExpr::WildcardWithOptions(options) => self.wildcard(options),
        }
    }

    fn argument_clause(&mut self, clause: &FunctionArgumentClause) {
        match clause {
            FunctionArgumentClause::OrderBy(_) => {
                self.refuse("ORDER", "ORDER BY in an aggregate is not supported yet");
            }
            FunctionArgumentClause::IgnoreOrRespectNulls(_) => {
                self.refuse(
                    "NULLS",
                    "IGNORE NULLS and RESPECT NULLS are not supported yet",
                );
            }
            FunctionArgumentClause::Limit(_)
            | FunctionArgumentClause::OnOverflow(_)
            | FunctionArgumentClause::Having(_)
            | FunctionArgumentClause::Separator(_)
            | FunctionArgumentClause::JsonNullClause(_)
            | FunctionArgumentClause::JsonReturningClause(_) => {
                self.refuse_here(
                    "a clause in a function call is not supported",
                    "leave it out",
                );
            }
        }
    }
}

/// Whether a call gives a random number a seed. Each task would begin the sequence anew with each
/// start, so that one program had as many results as there are restarts and numbers of workers.
fn has_seed(name: &str, arguments: &FunctionArguments) -> bool {
    let FunctionArguments::List(list) = arguments else {
        return false;
    };
    matches!((name, list.args.len()), ("RAND", 1) | ("RAND_INTEGER", 2))
}

fn is_hexadecimal(digits: &str) -> bool {
    digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

const NO_SEED: &str = "after a restart, and with other workers, rows would get other numbers";
const SEED: &str = "leave the seed out, or make a number of the row's columns, as of MD5(…)";
const ARITHMETIC: &str = "the operators are + - * / % || = <> < <= > >= AND OR NOT";
const CAST: &str = "write CAST(value AS type)";
const NO_CONVERT: &str = "CONVERT is not Flink SQL";
const TRIM: &str = "write TRIM(BOTH 'x' FROM text)";
const TABLE_VALUE: &str = "write FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) \
                           and GROUP BY window_start, window_end";
