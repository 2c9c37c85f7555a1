//! What `GROUP BY` groups by, in one way or in several at a time: `GROUPING SETS`, `ROLLUP`,
//! `CUBE`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr::Cast;
use datafusion_expr::logical_plan::{Aggregate, Projection};
use datafusion_expr::{Expr, ExprSchemable, GroupingSet, LogicalPlan, lit};

use super::lower::{Lowering, Role, Rows, expression};
use super::typing::misfit;
use super::window_removal::bare;
use crate::plan::{NodeKind, type_name};

/// The column that tells the sets apart, a key like others.
pub(super) const SET: &str = "$set";

/// More sets would copy each row more often than any query needs.
const SETS_MAX: usize = 64;

/// The grouping of an aggregation.
pub(super) struct Grouping<'a> {
    /// The expressions, each once: the schema of the aggregation has a column for each.
    pub groups: Vec<&'a Expr>,
    /// If it is by several sets: which of the expressions each has.
    pub sets: Option<Vec<Vec<bool>>>,
}

impl<'a> Grouping<'a> {
    /// The grouping of `aggregate`.
    ///
    /// # Errors
    /// If it is by too many sets.
    pub fn of(aggregate: &'a Aggregate) -> Result<Self> {
        let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() else {
            let mut names = HashSet::new();
            let groups = aggregate.group_expr.iter();
            // Different expressions may have become the same: each still has its column.
            let groups = groups.filter(|group| names.insert(group.schema_name().to_string()));
            let groups = groups.map(bare).collect();
            let sets = None;
            return Ok(Self { groups, sets });
        };
        let groups = set.distinct_expr();
        let number = match set {
            GroupingSet::Rollup(of) => of.len() + 1,
            GroupingSet::Cube(of) => 1 << of.len().min(31),
            GroupingSet::GroupingSets(sets) => sets.len(),
        };
        if number > SETS_MAX {
            let message = format!("GROUP BY has {number} sets, of at most {SETS_MAX}");
            return Err(misfit(message, &groups));
        }
        let all = 0..groups.len();
        let sets = match set {
            GroupingSet::Rollup(_) => (0..=groups.len())
                .rev()
                .map(|length| all.clone().map(|place| place < length).collect())
                .collect(),
            GroupingSet::Cube(_) => (0..number)
                .rev()
                .map(|bits| all.clone().map(|place| bits >> place & 1 == 1).collect())
                .collect(),
            GroupingSet::GroupingSets(sets) => sets
                .iter()
                .map(|set| groups.iter().map(|group| set.contains(group)).collect())
                .collect(),
        };
        Ok(Self {
            groups: groups.into_iter().map(bare).collect(),
            sets: Some(sets),
        })
    }

    /// The library's number of a set, of which only the type matters: nothing reads it.
    pub fn id(&self, aggregate: &Aggregate) -> Option<Expr> {
        self.sets.as_ref()?;
        let field = aggregate.schema.field(self.groups.len());
        let column = Expr::Column(Column::new_unqualified(SET));
        Some(Expr::Cast(Cast::new(
            Box::new(column),
            field.data_type().clone(),
        )))
    }
}

/// The plan with a column below each aggregation for every expression that its sets are made of:
/// the library's passes keep an expression's name by an alias, and no set can be read in one.
///
/// # Errors
/// If the library refuses to build it.
pub(super) fn with_columns_of_sets(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up(|node| match node {
        LogicalPlan::Aggregate(aggregate) => {
            let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() else {
                return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
            };
            let members = set.distinct_expr().into_iter();
            let computed: Vec<Expr> = members
                .filter(|member| !matches!(member, Expr::Column(_)))
                .cloned()
                .collect();
            if computed.is_empty() {
                return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
            }
            computed_below(aggregate, &computed).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(rewritten?.data)
}

/// The aggregation over columns that have the names of these expressions.
fn computed_below(aggregate: Aggregate, computed: &[Expr]) -> Result<LogicalPlan> {
    let there = aggregate.input.schema().columns().into_iter();
    let named = |expression: &Expr| {
        let name = expression.schema_name().to_string();
        expression.clone().alias(name)
    };
    let columns = there.map(Expr::Column).chain(computed.iter().map(named));
    let input = Projection::try_new(columns.collect(), aggregate.input)?;
    let as_column = |group: Expr| {
        group.transform_down(|part| {
            if !computed.contains(&part) {
                return Ok(Transformed::no(part));
            }
            let column = Column::new_unqualified(part.schema_name().to_string());
            let column = Expr::Column(column);
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })
    };
    let groups = aggregate.group_expr.into_iter();
    let groups: Result<Vec<_>> = groups.map(|group| Ok(as_column(group)?.data)).collect();
    let input = Arc::new(LogicalPlan::Projection(input));
    let aggregate = Aggregate::try_new(input, groups?, aggregate.aggr_expr)?;
    Ok(LogicalPlan::Aggregate(aggregate))
}

/// Whether rows can be grouped by an expression.
///
/// # Errors
/// If not.
pub(super) fn check_key(group: &Expr, schema: &DFSchema) -> Result<()> {
    let data_type = group.get_type(schema)?;
    if crate::stream::is_key_type(&data_type) {
        return Ok(());
    }
    let message = format!("cannot group by a value of type {}", type_name(&data_type));
    Err(misfit(message, &[group]))
}

impl Lowering {
    /// Each row once for each set: the keys, null where the set has them not, the number of the
    /// set, and the other columns. `names` are those of the keys and of the others.
    ///
    /// # Errors
    /// If an expression has no physical form.
    pub(super) fn expanded(
        &mut self,
        rows: &Rows,
        schema: &DFSchema,
        (keys, others): (&[Expr], &[Expr]),
        sets: &[Vec<bool>],
        names: &[String],
    ) -> Result<Rows> {
        let mut fields = Vec::new();
        for (key, name) in keys.iter().zip(names) {
            fields.push(Field::new(name, key.get_type(schema)?, true));
        }
        fields.push(Field::new(SET, DataType::Int32, false));
        for (other, name) in others.iter().zip(&names[keys.len()..]) {
            let (_, field) = other.to_field(schema)?;
            fields.push(Field::new(
                name,
                field.data_type().clone(),
                field.is_nullable(),
            ));
        }
        let of_set = |(number, set): (i32, &Vec<bool>)| {
            let keys = keys.iter().zip(set).map(|(key, is_in)| {
                if *is_in {
                    return expression(key, schema);
                }
                let null = ScalarValue::try_from(&key.get_type(schema)?)?;
                expression(&lit(null), schema)
            });
            let number = expression(&lit(number), schema);
            let others = others.iter().map(|other| expression(other, schema));
            keys.chain([number])
                .chain(others)
                .collect::<Result<Vec<_>>>()
        };
        let projections = (0..).zip(sets).map(of_set).collect::<Result<_>>()?;
        let schema = Arc::new(Schema::new(fields));
        let kind = NodeKind::Expand { projections };
        let id = self.push(vec![rows.id], kind, Arc::clone(&schema));
        let roles = vec![Role::Value; schema.fields().len()];
        Ok(Rows { id, schema, roles })
    }
}
