//! Which tables and views a statement uses, and how large it becomes when its views are put in.
//!
//! A view stands for its query wherever it is read, so a short program can
//! expand without bound: each of thirty views reads the one before it twice.

use std::collections::{BTreeMap, BTreeSet};

use datafusion_sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, SetExpr, TableFactor,
    TableWithJoins,
};

use super::dialect::TABLE_ARGUMENT;
use super::hints;
use super::parser::Script;
use super::statement::{Explain, Insert, ParsedStatement, Statement};
use crate::plan::{Diagnostic, Span};

/// The most tables that one statement may read, views put in.
const SCANS_MAX: usize = 1_000;

/// The highest tree of one statement, views put in: the sum of the heights of
/// the statements on the longest way down to a table. Planning takes time in
/// proportion to its square.
const HEIGHT_MAX: usize = 1_000;

/// Drops the statements that use a name whose declaration is wrong, since that
/// error is reported already, and those that expand too far.
pub(super) fn drop_dependents(script: &mut Script) {
    let mut names = Names {
        poisoned: std::mem::take(&mut script.poisoned),
        views: BTreeMap::new(),
        diagnostics: Vec::new(),
    };
    let statements = std::mem::take(&mut script.statements);
    script.statements = statements
        .into_iter()
        .filter_map(|(parsed, height)| {
            let span = parsed.span;
            let statement = names.keep(parsed.statement, height, span)?;
            Some((ParsedStatement { statement, span }, height))
        })
        .collect();
    script.poisoned = names.poisoned;
    script.diagnostics.append(&mut names.diagnostics);
}

/// How large a query is with its views put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    scans: usize,
    height: usize,
}

struct Names {
    poisoned: BTreeSet<String>,
    views: BTreeMap<String, Size>,
    diagnostics: Vec<Diagnostic>,
}

impl Names {
    /// The statement, or what is left of it, if it can be planned.
    fn keep(&mut self, statement: Statement, height: usize, span: Span) -> Option<Statement> {
        match statement {
            Statement::CreateView(view) => {
                if let Some(size) = self.size(&view.query, height, span) {
                    self.views.insert(view.name.value.clone(), size);
                    return Some(Statement::CreateView(view));
                }
                self.poisoned.insert(view.name.value);
                None
            }
            Statement::Insert(insert) => self
                .keeps_insert(&insert, height)
                .then_some(Statement::Insert(insert)),
            Statement::StatementSet(mut inserts) => {
                inserts.retain(|insert| self.keeps_insert(insert, height));
                (!inserts.is_empty()).then_some(Statement::StatementSet(inserts))
            }
            Statement::Select(query) => self
                .size(&query, height, span)
                .map(|_| Statement::Select(query)),
            Statement::Explain(Explain { statement, as_json }) => {
                let ParsedStatement { statement, span } = *statement;
                let statement = self.keep(statement, height, span)?;
                let statement = Box::new(ParsedStatement { statement, span });
                Some(Statement::Explain(Explain { statement, as_json }))
            }
            Statement::CreateTable(table) => {
                let base = table.like.as_ref().map(|like| &like.table.value);
                if base.is_some_and(|base| self.poisoned.contains(base)) {
                    self.poisoned.insert(table.name.value);
                    return None;
                }
                Some(Statement::CreateTable(table))
            }
            other @ (Statement::Drop(_) | Statement::Set { .. } | Statement::Use) => Some(other),
        }
    }

    fn keeps_insert(&mut self, insert: &Insert, height: usize) -> bool {
        let size = self.size(&insert.query, height, insert.span);
        size.is_some() && !self.poisoned.contains(hints::split(&insert.table.value).0)
    }

    /// The size of a query; `None` if it uses a poisoned name or is too large.
    fn size(&mut self, query: &Query, height: usize, span: Span) -> Option<Size> {
        let mut reader = Reader {
            names: self,
            height,
            common: Vec::new(),
            is_poisoned: false,
        };
        let size = reader.named_query(query);
        if reader.is_poisoned {
            return None;
        }
        let message = if size.scans > SCANS_MAX {
            "with its views put in, the query reads more than 1,000 tables"
        } else if size.height > HEIGHT_MAX {
            "with its views put in, the query has more than 1,000 operators in a row"
        } else {
            return Some(size);
        };
        self.diagnostics
            .push(Diagnostic::new(span, message).with_hint("let fewer views read one another"));
        None
    }
}

/// Adds up one query.
struct Reader<'a> {
    names: &'a Names,
    /// The height of the statement's own text.
    height: usize,
    /// The `WITH` queries in scope.
    common: Vec<(String, Size)>,
    is_poisoned: bool,
}

impl Reader<'_> {
    /// A query that has a name of its own or is the statement's: what the query
    /// itself adds, on top of what it reads by name.
    fn named_query(&mut self, query: &Query) -> Size {
        let size = self.query(query);
        Size {
            height: size.height.saturating_add(self.height + 1),
            ..size
        }
    }

    /// A query that stands where it is used: the height of the text has it already.
    fn query(&mut self, query: &Query) -> Size {
        let scope = self.common.len();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let size = self.named_query(&cte.query);
            self.common.push((cte.alias.name.value.clone(), size));
        }
        let size = self.body(&query.body);
        self.common.truncate(scope);
        size
    }

    fn body(&mut self, body: &SetExpr) -> Size {
        match body {
            SetExpr::Select(select) => self.all(&select.from),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let left = self.body(left);
                beside(left, self.body(right))
            }
            SetExpr::Values(_)
            | SetExpr::Insert(_)
            | SetExpr::Update(_)
            | SetExpr::Delete(_)
            | SetExpr::Merge(_)
            | SetExpr::Table(_) => Size::default(),
        }
    }

    fn all(&mut self, relations: &[TableWithJoins]) -> Size {
        let sizes = relations.iter().map(|relation| {
            let first = self.factor(&relation.relation);
            relation.joins.iter().fold(first, |size, join| {
                beside(size, self.factor(&join.relation))
            })
        });
        sizes.fold(Size::default(), beside)
    }

    fn factor(&mut self, factor: &TableFactor) -> Size {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.named(name),
            TableFactor::Table {
                args: Some(arguments),
                ..
            } => self.arguments(&arguments.args),
            TableFactor::TableFunction {
                expr: Expr::Function(function),
                ..
            } => match &function.args {
                FunctionArguments::List(list) => self.arguments(&list.args),
                _ => Size::default(),
            },
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.all(std::slice::from_ref(table_with_joins)),
            // The walk of `refuse` has refused the rest.
            _ => Size::default(),
        }
    }

    /// The table that a window function reads.
    fn arguments(&mut self, arguments: &[FunctionArg]) -> Size {
        let mut size = Size::default();
        for argument in arguments {
            let (FunctionArg::Named { arg, .. }
            | FunctionArg::ExprNamed { arg, .. }
            | FunctionArg::Unnamed(arg)) = argument;
            let FunctionArgExpr::Expr(Expr::Function(function)) = arg else {
                continue;
            };
            if function.name.to_string() != TABLE_ARGUMENT {
                continue;
            }
            let FunctionArguments::List(list) = &function.args else {
                continue;
            };
            for inner in &list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(
                    parts,
                ))) = inner
                {
                    size = beside(size, self.named(&ObjectName::from(parts.clone())));
                }
            }
        }
        size
    }

    fn named(&mut self, name: &ObjectName) -> Size {
        let table = Size {
            scans: 1,
            height: 1,
        };
        let last = name.0.last().and_then(|part| part.as_ident());
        let Some(name) = last.map(|last| hints::split(&last.value).0) else {
            return table;
        };
        let common = self.common.iter().rev().find(|(known, _)| known == name);
        if let Some((_, size)) = common {
            return *size;
        }
        self.is_poisoned |= self.names.poisoned.contains(name);
        self.names.views.get(name).copied().unwrap_or(table)
    }
}

/// Two relations under one operator.
fn beside(left: Size, right: Size) -> Size {
    Size {
        scans: left.scans.saturating_add(right.scans),
        height: left.height.max(right.height),
    }
}
