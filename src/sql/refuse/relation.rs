//! What stands behind `FROM`: tables, window functions, derived tables and joins.

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Join, ObjectName, TableAlias,
    TableFactor, TableWithJoins,
};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::Walk;
use crate::sql::dialect::TABLE_ARGUMENT;
use crate::sql::parser::{NO_SUCH_DATABASE, ONE_DATABASE};
use crate::sql::unnest::{self, UnnestCall};

const NO_JOIN: &str = "joins are not supported yet";

impl Walk<'_> {
    /// The relations of a `SELECT`; without any it makes one row.
    pub(super) fn from(&mut self, from: &[TableWithJoins]) {
        let Some((first, others)) = from.split_first() else {
            return;
        };
        self.table_with_joins(first);
        for other in others {
            if let Some(call) = unnest::call_of(&other.relation) {
                self.unnest(&call);
                continue;
            }
            let comma = self.find(|token| *token == Token::Comma);
            self.report(
                comma,
                NO_JOIN,
                Some("read one table, or several by UNION ALL"),
            );
            self.table_with_joins(other);
        }
    }

    fn table_with_joins(&mut self, relations: &TableWithJoins) {
        let TableWithJoins { relation, joins } = relations;
        self.table_factor(relation);
        for join in joins {
            let Join {
                relation,
                global: _,
                join_operator,
            } = join;
            if let Some(call) = unnest::call_of(relation) {
                if unnest::keeps_rows(join_operator).is_none() {
                    self.refuse_with(
                        "JOIN",
                        "this kind of join with UNNEST is not supported",
                        UNNEST,
                    );
                }
                self.unnest(&call);
                continue;
            }
            // Every other kind of join is refused alike.
            self.refuse("JOIN", NO_JOIN);
            self.table_factor(relation);
        }
    }

    fn table_factor(&mut self, factor: &TableFactor) {
        self.descend(|walk| walk.table_factor_parts(factor));
    }

    fn table_factor_parts(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { .. } => self.table(factor),
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                sample,
            } => {
                if *lateral {
                    self.refuse("LATERAL", "LATERAL is not supported yet");
                }
                self.query(subquery);
                if sample.is_some() {
                    self.refuse("TABLESAMPLE", "TABLESAMPLE is not supported");
                }
                self.alias(alias.as_ref());
            }
            TableFactor::TableFunction { expr, alias } => {
                match expr {
                    Expr::Function(function) => self.table_function(function),
                    _ => self.refuse_with("TABLE", "TABLE(…) holds a window function", WINDOWS),
                }
                self.alias(alias.as_ref());
            }
            TableFactor::Function { .. } => {
                self.refuse("LATERAL", "LATERAL table functions are not supported yet");
            }
            TableFactor::UNNEST { .. } => {
                self.refuse_with("UNNEST", "UNNEST stands behind a table", UNNEST);
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                self.table_with_joins(table_with_joins);
                self.alias(alias.as_ref());
            }
            TableFactor::MatchRecognize { table, .. } => {
                self.table_factor(table);
                self.refuse("MATCH_RECOGNIZE", "MATCH_RECOGNIZE is not supported yet");
            }
            TableFactor::Pivot { table, .. } => {
                self.table_factor(table);
                self.refuse("PIVOT", "PIVOT is not Flink SQL");
            }
            TableFactor::Unpivot { table, .. } => {
                self.table_factor(table);
                self.refuse("UNPIVOT", "UNPIVOT is not Flink SQL");
            }
            TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::XmlTable { .. }
            | TableFactor::SemanticView { .. } => {
                self.refuse_with(
                    "FROM",
                    "this table function is not Flink SQL",
                    "use a table",
                );
            }
        }
    }

    /// An `UNNEST` behind a table.
    fn unnest(&mut self, call: &UnnestCall) {
        for argument in call.arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(collection)) => {
                    self.expression(collection);
                }
                _ => self.refuse_here("UNNEST takes an array or a map", UNNEST),
            }
        }
        self.alias(call.alias);
    }

    /// A table by its name, or a function without `TABLE(…)` around it.
    fn table(&mut self, factor: &TableFactor) {
        let TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } = factor
        else {
            return;
        };
        self.object_name(name);
        if let Some(arguments) = args {
            self.window_function(name, &arguments.args);
        } else if name.0.len() > 1 {
            self.refuse_here(NO_SUCH_DATABASE, ONE_DATABASE);
        }
        if version.is_some() {
            self.refuse("FOR", "FOR SYSTEM_TIME AS OF is not supported yet");
        }
        if sample.is_some() {
            self.refuse("TABLESAMPLE", "TABLESAMPLE is not supported");
        }
        let plain = with_hints.is_empty()
            && !with_ordinality
            && partitions.is_empty()
            && json_path.is_none()
            && index_hints.is_empty();
        if !plain {
            self.refuse_here(
                "a clause behind this table is not Flink SQL",
                "leave it out",
            );
        }
        self.alias(alias.as_ref());
    }

    /// The function inside `TABLE(…)`.
    fn table_function(&mut self, function: &Function) {
        self.object_name(&function.name);
        match &function.args {
            FunctionArguments::List(list) => self.window_function(&function.name, &list.args),
            FunctionArguments::None | FunctionArguments::Subquery(_) => {
                self.window_function(&function.name, &[]);
            }
        }
        if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty()
        {
            self.refuse_here(
                "a clause behind a window function is not Flink SQL",
                "leave it out",
            );
        }
    }

    fn window_function(&mut self, name: &ObjectName, arguments: &[FunctionArg]) {
        match name.to_string().to_uppercase().as_str() {
            "TUMBLE" | "HOP" | "CUMULATE" | "SESSION" => {}
            "UNNEST" => self.refuse_here("UNNEST stands behind a table", UNNEST),
            other => {
                let message = format!("there is no table function {other}");
                self.refuse_here(&message, WINDOWS);
            }
        }
        for argument in arguments {
            self.window_argument(argument);
        }
    }

    fn window_argument(&mut self, argument: &FunctionArg) {
        let value = match argument {
            FunctionArg::Named { name, arg, .. } => {
                self.place(name);
                arg
            }
            FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg) => arg,
        };
        match value {
            FunctionArgExpr::Expr(Expr::Function(function))
                if function.name.to_string() == TABLE_ARGUMENT =>
            {
                self.object_name(&function.name);
            }
            FunctionArgExpr::Expr(Expr::Subquery(query)) => {
                self.refuse_with(
                    "SELECT",
                    "a query as an argument of a window function is not supported yet",
                    "give it a name with CREATE VIEW or WITH, then write TABLE name",
                );
                self.query(query);
            }
            FunctionArgExpr::Expr(expression) => self.expression(expression),
            FunctionArgExpr::Wildcard
            | FunctionArgExpr::QualifiedWildcard(_)
            | FunctionArgExpr::WildcardWithOptions(_) => {
                self.refuse_here("* is no argument of a window function", "write TABLE name");
            }
        }
    }

    /// The name given to a relation and its columns.
    pub(super) fn alias(&mut self, alias: Option<&TableAlias>) {
        let Some(alias) = alias else { return };
        let TableAlias {
            explicit: _,
            name,
            columns,
            at,
        } = alias;
        self.place(name);
        for column in columns {
            self.place(&column.name);
            if column.data_type.is_some() {
                self.refuse_here("a type in an alias is not Flink SQL", "write only the name");
            }
        }
        if let Some(at) = at {
            self.place(at);
            self.refuse_here("AT in an alias is not Flink SQL", "leave it out");
        }
    }

    /// Notes the position of a name of several parts.
    pub(super) fn object_name(&mut self, name: &ObjectName) {
        let first = name.0.first().and_then(|part| part.as_ident());
        if let Some(first) = first {
            self.place(first);
        }
    }
}

const UNNEST: &str = "write FROM t CROSS JOIN UNNEST(array) AS u (x), or LEFT JOIN … ON TRUE";
const WINDOWS: &str = "the window functions are TUMBLE, HOP, CUMULATE and SESSION";
