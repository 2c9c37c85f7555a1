//! Queries: their clauses and how they are combined.

use datafusion_sql::sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier,
    WildcardAdditionalOptions, With,
};

use super::Walk;

impl Walk<'_> {
    /// A query with what stands around its body.
    pub(super) fn query(&mut self, query: &Query) {
        self.descend(|walk| walk.query_parts(query));
    }

    fn query_parts(&mut self, query: &Query) {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if let Some(with) = with {
            self.with(with);
        }
        self.set_expression(body);
        if order_by.is_some() {
            self.refuse_with(
                "ORDER",
                "ORDER BY is not supported yet",
                "leave it out: rows come in the order of their event time, as far as that is known",
            );
        }
        if limit_clause.is_some() {
            let word = if self.has_word("LIMIT") {
                "LIMIT"
            } else {
                "OFFSET"
            };
            self.refuse(word, "LIMIT and OFFSET are not supported yet");
        }
        if fetch.is_some() {
            self.refuse("FETCH", "FETCH FIRST is not supported yet");
        }
        if !locks.is_empty() || for_clause.is_some() {
            self.refuse("FOR", "FOR behind a query is not Flink SQL");
        }
        if settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            self.refuse_here(
                "what stands behind the query is not Flink SQL",
                "leave it out",
            );
        }
    }

    fn has_word(&self, word: &str) -> bool {
        let location = self.find(|token| super::is_word(token, word));
        location > self.at
    }

    fn with(&mut self, with: &With) {
        let With {
            with_token,
            recursive,
            cte_tables,
        } = with;
        self.pass(with_token.0.span);
        if *recursive {
            self.refuse("RECURSIVE", "WITH RECURSIVE is not supported");
        }
        for cte in cte_tables {
            let Cte {
                alias,
                query,
                from,
                materialized,
                closing_paren_token,
            } = cte;
            self.alias(Some(alias));
            if materialized.is_some() {
                self.refuse("MATERIALIZED", "MATERIALIZED is not Flink SQL");
            }
            self.query(query);
            self.pass(closing_paren_token.0.span);
            if let Some(from) = from {
                self.place(from);
                self.refuse_here("FROM behind a WITH query is not Flink SQL", "leave it out");
            }
        }
    }

    fn set_expression(&mut self, expression: &SetExpr) {
        self.descend(|walk| match expression {
            SetExpr::Select(select) => walk.select(select),
            SetExpr::Query(query) => walk.query(query),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                walk.set_expression(left);
                walk.set_operation(*op, *set_quantifier);
                walk.set_expression(right);
            }
            SetExpr::Values(values) => {
                let columns = values.rows.first().map(|row| row.len());
                for row in &values.rows {
                    for value in row.iter() {
                        walk.expression(value);
                    }
                    if Some(row.len()) != columns {
                        walk.refuse_here(
                            "the rows of VALUES have not the same number of columns",
                            "write NULL where a row has no value",
                        );
                        break;
                    }
                }
            }
            SetExpr::Table(_) => walk.refuse_with(
                "TABLE",
                "TABLE as a query is not supported",
                "write SELECT * FROM",
            ),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                walk.refuse_here("a query is a SELECT", "write INSERT INTO before WITH");
            }
        });
    }

    fn set_operation(&mut self, operator: SetOperator, quantifier: SetQuantifier) {
        match (operator, quantifier) {
            (
                SetOperator::Union | SetOperator::Intersect | SetOperator::Except,
                SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None,
            ) => {}
            (SetOperator::Union, _) => self.refuse_with(
                "UNION",
                "UNION BY NAME is not Flink SQL",
                "write the columns in the same order",
            ),
            (SetOperator::Intersect | SetOperator::Except, _) => self.refuse_with(
                "BY",
                "BY NAME is not Flink SQL",
                "write the columns in the same order",
            ),
            (SetOperator::Minus, _) => {
                self.refuse_with("MINUS", "MINUS is not Flink SQL", "write EXCEPT");
            }
        }
    }

    fn select(&mut self, select: &Select) {
        let Select {
            select_token,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        self.pass(select_token.0.span);
        if !matches!(flavor, SelectFlavor::Standard) {
            self.refuse_here("a query begins with SELECT", "write SELECT * FROM …");
            return;
        }
        match distinct {
            None | Some(Distinct::All | Distinct::Distinct) => {}
            Some(Distinct::On(_)) => {
                self.refuse_with(
                    "DISTINCT",
                    "DISTINCT ON is not Flink SQL",
                    "write SELECT DISTINCT, or GROUP BY with FIRST_VALUE",
                );
            }
        }
        if top.is_some() || select_modifiers.is_some() || value_table_mode.is_some() {
            self.refuse_here(
                "this form of SELECT is not Flink SQL",
                "write SELECT columns FROM …",
            );
        }
        for item in projection {
            self.select_item(item);
        }
        if into.is_some() {
            self.refuse_with(
                "INTO",
                "SELECT INTO is not Flink SQL",
                "write INSERT INTO … SELECT",
            );
        }
        if exclude.is_some() || !optimizer_hints.is_empty() {
            self.refuse_here(
                "this form of SELECT is not Flink SQL",
                "write SELECT columns FROM …",
            );
        }
        self.from(from);
        if !lateral_views.is_empty() {
            self.refuse("LATERAL", "LATERAL VIEW is not Flink SQL");
        }
        for condition in prewhere.iter().chain(selection) {
            self.expression(condition);
        }
        self.group_by(group_by);
        if let Some(condition) = having {
            self.expression(condition);
        }
        if !named_window.is_empty() {
            self.refuse("WINDOW", "named windows are not supported yet");
        }
        if qualify.is_some() {
            self.refuse("QUALIFY", "QUALIFY is not supported yet");
        }
        if prewhere.is_some() {
            self.refuse_here("PREWHERE is not Flink SQL", "write WHERE");
        }
        if !connect_by.is_empty() {
            self.refuse_here("CONNECT BY is not Flink SQL", "leave it out");
        }
        if !(cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty()) {
            self.refuse_here(
                "CLUSTER, DISTRIBUTE and SORT BY are not Flink SQL",
                "leave it out",
            );
        }
    }

    fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::UnnamedExpr(expression) => self.expression(expression),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expression(expr);
                self.place(alias);
            }
            SelectItem::ExprWithAliases { expr, aliases } => {
                self.expression(expr);
                for alias in aliases {
                    self.place(alias);
                }
                self.refuse_here("a column has one name", "write AS name");
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => self.object_name(name),
                    SelectItemQualifiedWildcardKind::Expr(expression) => {
                        self.expression(expression);
                        self.refuse_here("fields of a row are not supported yet", "use columns");
                    }
                }
                self.wildcard(options);
            }
            SelectItem::Wildcard(options) => self.wildcard(options),
        }
    }

    /// A star, behind which other systems have clauses.
    pub(super) fn wildcard(&mut self, options: &WildcardAdditionalOptions) {
        let WildcardAdditionalOptions {
            wildcard_token,
            opt_ilike,
            opt_exclude,
            opt_except,
            opt_replace,
            opt_rename,
            opt_alias,
        } = options;
        self.pass(wildcard_token.0.span);
        let plain = opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
            && opt_alias.is_none();
        if !plain {
            self.refuse_here(
                "a clause behind * is not Flink SQL",
                "write the columns out",
            );
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr) {
        match group_by {
            GroupByExpr::All(_) => self.refuse_with(
                "GROUP",
                "GROUP BY ALL is not Flink SQL",
                "write the columns out",
            ),
            GroupByExpr::Expressions(keys, modifiers) => {
                for key in keys {
                    self.expression(key);
                    if matches!(key, Expr::Value(_)) {
                        self.refuse_here(
                            "GROUP BY names columns, not their places",
                            "write the column",
                        );
                    }
                }
                if !modifiers.is_empty() {
                    self.refuse("WITH", "GROUP BY … WITH is not Flink SQL");
                }
            }
        }
    }
}
