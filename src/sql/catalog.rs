//! The tables and views of a program by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_sql::sqlparser::ast::{Ident, Query};
use indexmap::IndexMap;

use super::blame;
use super::declaration::Declaration;
use super::diagnose::{diagnostics, did_you_mean, span_of};
use super::query::QueryPlanner;
use super::relation::{DeclaredTable, Relation};
use super::statement::{CreateTable, CreateView, Drop};
use super::time_zone::TimeZone;
use super::{hints, like, query};
use crate::plan::{Diagnostic, Span, Table};

/// Names are compared letter by letter, as Flink does.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// In which instants are shown.
    pub zone: TimeZone,
    relations: IndexMap<String, Arc<Relation>>,
    /// The tables as they were declared, for those that are like them.
    definitions: HashMap<String, CreateTable>,
    /// Names whose declaration is wrong: who reads them is not told again.
    broken: HashSet<String>,
}

impl Catalog {
    /// What `name` stands for, with what hints in it say.
    pub(super) fn relation(&self, name: &str) -> Option<Arc<Relation>> {
        let (name, hints) = hints::split(name);
        let relation = self.relations.get(name)?;
        let Relation::Table(declared) = relation.as_ref() else {
            return Some(Arc::clone(relation));
        };
        let mut options = hints.options().peekable();
        if options.peek().is_none() {
            return Some(Arc::clone(relation));
        }
        let mut table = declared.table.as_ref().clone();
        table.options.extend(options);
        Some(Arc::new(Relation::Table(DeclaredTable {
            table: Arc::new(table),
            ..declared.clone()
        })))
    }

    /// The tables by name.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &Arc<Table>)> {
        let relations = self.relations.iter();
        relations.filter_map(|(name, relation)| match relation.as_ref() {
            Relation::Table(declared) => Some((name.as_str(), &declared.table)),
            Relation::View(_) => None,
        })
    }

    /// Whether `name` is declared, but wrongly.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(hints::split(name).0)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.relations.keys().map(String::as_str)
    }

    /// Takes a table in, or says all that is wrong with it.
    pub(super) fn create_table(&mut self, create: CreateTable, statement: Span) -> Vec<Diagnostic> {
        let name = create.name.clone();
        if let Some(taken) = self.taken(&name, create.if_not_exists, statement) {
            return taken;
        }
        let mut errors = Vec::new();
        let create = match self.with_base(create, statement) {
            Ok(create) => create,
            Err(errors) => {
                self.keep(&name.value, None, &errors);
                return errors;
            }
        };
        self.definitions.insert(name.value.clone(), create.clone());
        let declared = Declaration::new(self, statement, &mut errors).table(create);
        self.keep(&name.value, declared.map(Relation::Table), &errors);
        errors
    }

    /// The declaration with what it takes over from the table that it is like.
    fn with_base(
        &self,
        mut create: CreateTable,
        statement: Span,
    ) -> Result<CreateTable, Vec<Diagnostic>> {
        let Some(like) = create.like.take() else {
            return Ok(create);
        };
        let base = &like.table;
        let refused = |message: String, hint: Option<String>| {
            let span = span_of(base, statement);
            Err(vec![Diagnostic {
                span,
                message,
                hint,
            }])
        };
        if self.is_broken(&base.value) {
            return Err(Vec::new());
        }
        match self.relation(&base.value).as_deref() {
            None => {
                let hint = did_you_mean(&base.value, self.names());
                refused(format!("there is no table {}", base.value), hint)
            }
            Some(Relation::View(_)) => refused(
                format!(
                    "{} is a view, and a table can only be LIKE a table",
                    base.value
                ),
                Some("write the columns out".to_owned()),
            ),
            Some(Relation::Table(_)) => {
                let base = &self.definitions[&base.value];
                like::merged(create, &like, base, statement)
            }
        }
    }

    /// Forgets a table or view; what was planned with it stays as it is.
    pub(super) fn drop(&mut self, drop: &Drop, statement: Span) -> Option<Diagnostic> {
        let name = &drop.name.value;
        if self.broken.remove(name) {
            return None;
        }
        let (what, other) = if drop.is_view {
            ("view", "TABLE")
        } else {
            ("table", "VIEW")
        };
        let refused = |message: String, hint: Option<String>| {
            let span = span_of(&drop.name, statement);
            Some(Diagnostic {
                span,
                message,
                hint,
            })
        };
        match self.relations.get(name).map(AsRef::as_ref) {
            None if drop.if_exists => None,
            None => {
                let hint = did_you_mean(name, self.names());
                let hint =
                    hint.unwrap_or_else(|| format!("write DROP {} IF EXISTS", what.to_uppercase()));
                refused(format!("there is no {what} {name}"), Some(hint))
            }
            Some(relation) if matches!(relation, Relation::View(_)) != drop.is_view => refused(
                format!("{name} is no {what}"),
                Some(format!("write DROP {other}")),
            ),
            Some(_) => {
                self.relations.shift_remove(name);
                self.definitions.remove(name);
                None
            }
        }
    }

    /// Takes a view in, or says all that is wrong with it.
    pub(super) fn create_view(&mut self, create: &CreateView, statement: Span) -> Vec<Diagnostic> {
        if let Some(taken) = self.taken(&create.name, create.if_not_exists, statement) {
            return taken;
        }
        let planned = QueryPlanner::new(self)
            .plan(&create.query)
            .map_err(|error| diagnostics(&error, statement))
            .and_then(|plan| renamed(plan, &create.columns, statement))
            .and_then(|plan| {
                // What only the whole plan shows is better said here than where
                // the view is read.
                query::optimize(plan.clone()).map_err(|error| diagnostics(&error, statement))?;
                Ok(plan)
            });
        let (relation, errors) = match planned {
            Ok(plan) => (Some(Relation::View(plan)), Vec::new()),
            Err(errors) => {
                let errors_of = |query: &Query| {
                    let planned = QueryPlanner::new(self).plan(query);
                    let error = planned.and_then(query::optimize).err();
                    error.map_or_else(Vec::new, |error| diagnostics(&error, statement))
                };
                let errors = blame::placed(errors, &create.query, statement, errors_of);
                (None, errors)
            }
        };
        self.keep(&create.name.value, relation, &errors);
        errors
    }

    fn keep(&mut self, name: &str, relation: Option<Relation>, errors: &[Diagnostic]) {
        match relation {
            Some(relation) if errors.is_empty() => {
                self.relations.insert(name.to_owned(), Arc::new(relation));
            }
            _ => {
                self.broken.insert(name.to_owned());
            }
        }
    }

    /// What a statement says that creates `name` a second time.
    fn taken(
        &mut self,
        name: &Ident,
        if_not_exists: bool,
        statement: Span,
    ) -> Option<Vec<Diagnostic>> {
        if !self.relations.contains_key(&name.value) && !self.broken.contains(&name.value) {
            return None;
        }
        if if_not_exists {
            return Some(Vec::new());
        }
        // Which of the two is meant, nobody knows: who reads it is not told more.
        self.relations.shift_remove(&name.value);
        self.broken.insert(name.value.clone());
        Some(vec![Diagnostic {
            span: span_of(name, statement),
            message: format!("a table or view {} exists already", name.value),
            hint: None,
        }])
    }
}

/// The plan with the columns of a view named as the view names them.
fn renamed(
    plan: LogicalPlan,
    names: &[Ident],
    statement: Span,
) -> Result<LogicalPlan, Vec<Diagnostic>> {
    if names.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns();
    if columns.len() != names.len() {
        return Err(vec![Diagnostic {
            span: statement,
            message: format!(
                "the view names {} columns, but its query has {}",
                names.len(),
                columns.len()
            ),
            hint: None,
        }]);
    }
    let renamed = columns
        .into_iter()
        .zip(names)
        .map(|(column, name)| Expr::Column(column).alias(name.value.clone()));
    LogicalPlanBuilder::from(plan)
        .project(renamed)
        .and_then(LogicalPlanBuilder::build)
        .map_err(|error| diagnostics(&error, statement))
}
