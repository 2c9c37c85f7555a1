//! What `GROUP BY` groups by, in one way or in several at a time: `GROUPING SETS`, `ROLLUP`,
//! `CUBE`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr::{AggregateFunction, Case, Cast};
use datafusion_expr::logical_plan::{Aggregate, Projection};
use datafusion_expr::{Expr, ExprSchemable, GroupingSet, LogicalPlan, lit};

use super::aggregates::{GroupingCall, Meaning, meaning};
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
/// the library's passes keep an expression's name by an alias, and no set can be read in one. Calls
/// that tell the sets apart have their results as argument.
///
/// # Errors
/// If the library refuses to build it.
pub(super) fn with_columns_of_sets(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up(|node| match node {
        LogicalPlan::Aggregate(aggregate) => {
            let aggregate = with_numbers_of_sets(aggregate)?;
            let [Expr::GroupingSet(set)] = aggregate.group_expr.as_slice() else {
                return Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)));
            };
            let members = set.distinct_expr().into_iter();
            let computed: Vec<Expr> = members
                .filter(|member| !matches!(member, Expr::Column(_)))
                .cloned()
                .collect();
            if computed.is_empty() {
                return Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)));
            }
            computed_below(aggregate, &computed).map(Transformed::yes)
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(rewritten?.data)
}

/// The aggregation whose calls of `GROUPING` and its like say what they come to for each set.
fn with_numbers_of_sets(mut aggregate: Aggregate) -> Result<Aggregate> {
    let calls = std::mem::take(&mut aggregate.aggr_expr).into_iter();
    let calls: Result<Vec<_>> = calls
        .map(|call| {
            let Expr::AggregateFunction(AggregateFunction { func, params }) = bare(&call) else {
                return Ok(call);
            };
            let Meaning::Grouping(kind) = meaning(func) else {
                return Ok(call);
            };
            let numbers = numbers_of_sets(kind, &params.args, &aggregate)?;
            let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
            let mut numbered = AggregateFunction::clone(match bare(&call) {
                Expr::AggregateFunction(call) => call,
                _ => unreachable!("it has just been one"),
            });
            numbered.params.args = vec![lit(numbers.join(" "))];
            let name = call.schema_name().to_string();
            Ok(Expr::AggregateFunction(numbered).alias(name))
        })
        .collect();
    aggregate.aggr_expr = calls?;
    Ok(aggregate)
}

/// What a call comes to for each set of the aggregation.
fn numbers_of_sets(kind: GroupingCall, of: &[Expr], aggregate: &Aggregate) -> Result<Vec<i64>> {
    let grouping = Grouping::of(aggregate)?;
    let sets = grouping.sets;
    let sets = sets.unwrap_or_else(|| vec![vec![true; grouping.groups.len()]]);
    let places = of.iter().map(|argument| {
        let mut groups = grouping.groups.iter();
        let place = groups.position(|group| *group == bare(argument));
        place.ok_or_else(|| {
            let message = "GROUPING and GROUPING_ID take what stands in GROUP BY".to_owned();
            misfit(message, &[argument])
        })
    });
    let places = places.collect::<Result<Vec<usize>>>()?;
    let has_all = match kind {
        GroupingCall::Of => (1..64).contains(&places.len()),
        GroupingCall::Repeated => places.is_empty(),
    };
    if !has_all {
        let message = "GROUPING and GROUPING_ID take 1 to 63 expressions, and GROUP_ID none";
        return Err(misfit(message.to_owned(), &of.iter().collect::<Vec<_>>()));
    }
    let number = |(at, set): (usize, &Vec<bool>)| match kind {
        GroupingCall::Of => places
            .iter()
            .fold(0, |bits, &place| bits << 1 | i64::from(!set[place])),
        GroupingCall::Repeated => {
            let before = sets[..at].iter().filter(|before| *before == set);
            i64::try_from(before.count()).unwrap_or(i64::MAX)
        }
    };
    Ok(sets.iter().enumerate().map(number).collect())
}

/// The numbers of the sets, from the argument that [`with_numbers_of_sets`] makes, by the set of
/// a row.
pub(super) fn number_of_set(numbers: &Expr) -> Expr {
    let numbers = match numbers {
        Expr::Literal(ScalarValue::Utf8(Some(numbers)), _) => numbers.as_str(),
        _ => "",
    };
    let numbers = numbers
        .split(' ')
        .filter_map(|number| number.parse::<i64>().ok());
    let mut numbers: Vec<Expr> = numbers.map(lit).collect();
    let last = numbers.pop().unwrap_or_else(|| lit(0_i64));
    if numbers.iter().all(|number| *number == last) {
        return last;
    }
    let of_set = |(set, number): (i32, Expr)| (Box::new(lit(set)), Box::new(number));
    Expr::Case(Case {
        expr: Some(Box::new(Expr::Column(Column::new_unqualified(SET)))),
        when_then_expr: (0..).zip(numbers).map(of_set).collect(),
        else_expr: Some(Box::new(last)),
    })
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
