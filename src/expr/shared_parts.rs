//! Parts that several expressions over the same rows have in common, or one has twice: computed
//! once.
//!
//! *What is promised*: each expression comes to what it came to, and fails for the same rows. So
//! a part is shared only if its value is the same each time, and if it is computed for every row
//! in any case: never one that all expressions have behind the condition of a `CASE`, or on the
//! right of an `AND` or `OR`, which may be there to keep it from failing. The plan knows nothing
//! of it, so neither does the state that a job goes on from.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, CaseExpr, Column, InListExpr};
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::{Expression, Result};

type Part = Arc<dyn PhysicalExpr>;

/// Expressions over the same rows, with their common parts taken out.
#[derive(Debug)]
pub struct SharedParts {
    /// What is computed once, each over the rows with those before it behind their columns.
    parts: Vec<Expression>,
    /// The expressions over the rows with all of them.
    expressions: Vec<Expression>,
}

impl SharedParts {
    /// The expressions over rows of `schema`.
    pub fn of(expressions: &[Expression], schema: &Schema) -> Self {
        let mut uses = Uses::default();
        for expression in expressions {
            uses.note(&expression.physical, false);
        }
        let shared = uses.shared();
        if shared.is_empty() {
            let (parts, expressions) = (Vec::new(), expressions.to_vec());
            return Self { parts, expressions };
        }
        let width = schema.fields().len();
        let mut known = HashMap::new();
        let mut parts = Vec::new();
        for part in shared {
            let Ok(field) = part.return_field(schema) else {
                continue;
            };
            let place = width + parts.len();
            let field = Field::clone(&field).with_name(format!("$once{}", parts.len()));
            let field = field.with_nullable(true);
            let column = Column::new(field.name(), place);
            let physical = with_columns(&part, &known);
            let field = Arc::new(field);
            parts.push(Expression { physical, field });
            known.insert(part, column);
        }
        let expressions = expressions.iter().map(|expression| Expression {
            physical: with_columns(&expression.physical, &known),
            field: Arc::clone(&expression.field),
        });
        let expressions = expressions.collect();
        Self { parts, expressions }
    }
}

impl SharedParts {
    /// What is computed once, in order.
    pub fn parts(&self) -> &[Expression] {
        &self.parts
    }

    /// The expressions over [`Self::rows`].
    pub fn expressions(&self) -> &[Expression] {
        &self.expressions
    }

    /// The rows with the common parts behind their columns.
    ///
    /// # Errors
    /// If a part fails for some row, as then an expression does.
    pub fn rows(&self, records: &RecordBatch) -> Result<RecordBatch> {
        let mut rows = records.clone();
        for part in &self.parts {
            let column = part.evaluate(&rows)?;
            rows = with_column(&rows, part, column)?;
        }
        Ok(rows)
    }
}

fn with_column(rows: &RecordBatch, part: &Expression, column: ArrayRef) -> Result<RecordBatch> {
    let mut fields: Vec<_> = rows.schema().fields().iter().cloned().collect();
    fields.push(Arc::clone(&part.field));
    let mut columns = rows.columns().to_vec();
    columns.push(column);
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// An expression that reads the columns of parts instead of computing them.
fn with_columns(expression: &Part, known: &HashMap<Part, Column>) -> Part {
    let replaced = Arc::clone(expression).transform_down(|part| {
        Ok(match known.get(&part) {
            Some(column) => Transformed::yes(Arc::new(column.clone()) as Part),
            None => Transformed::no(part),
        })
    });
    replaced.expect("a column can stand for a value").data
}

/// How often parts of expressions are there.
#[derive(Default)]
struct Uses(HashMap<Part, Use>);

struct Use {
    /// The order in which parts were met.
    place: usize,
    count: usize,
    /// Whether it is computed for every row, whatever others come to.
    is_certain: bool,
}

impl Uses {
    fn note(&mut self, part: &Part, is_guarded: bool) {
        if is_leaf(part) {
            return;
        }
        if let Some(known) = self.0.get_mut(part) {
            known.count += 1;
            if !is_guarded {
                self.ascertain(part);
            }
            return;
        }
        if is_same_each_time(part) {
            let new = Use {
                place: self.0.len(),
                count: 1,
                is_certain: !is_guarded,
            };
            self.0.insert(Arc::clone(part), new);
        }
        for (child, is_behind_condition) in children(part) {
            self.note(child, is_guarded || is_behind_condition);
        }
    }

    /// Notes that a known part is computed for every row.
    fn ascertain(&mut self, part: &Part) {
        match self.0.get_mut(part) {
            Some(known) if known.is_certain => return,
            Some(known) => known.is_certain = true,
            None => {}
        }
        for (child, is_behind_condition) in children(part) {
            if !is_behind_condition {
                self.ascertain(child);
            }
        }
    }

    /// The parts that are worth sharing, each behind those that it has in it.
    fn shared(self) -> Vec<Part> {
        let uses = self.0.into_iter();
        let shared = uses.filter(|(_, part)| part.count > 1 && part.is_certain);
        let mut shared: Vec<_> = shared
            .map(|(part, used)| (size(&part), used.place, part))
            .collect();
        shared.sort_unstable_by_key(|(size, place, _)| (*size, *place));
        shared.into_iter().map(|(_, _, part)| part).collect()
    }
}

fn is_leaf(part: &Part) -> bool {
    part.children().is_empty()
}

/// Whether it comes to the same for the same row, and to another for another row: what reads no
/// column is nothing that is computed for each.
fn is_same_each_time(part: &Part) -> bool {
    let is_volatile = part.exists(|part| Ok(part.is_volatile_node()));
    let reads = part.exists(|part| Ok(part.downcast_ref::<Column>().is_some()));
    matches!((is_volatile, reads), (Ok(false), Ok(true)))
}

fn size(part: &Part) -> usize {
    let mut size = 0;
    let counted = part.apply(|_| {
        size += 1;
        Ok(TreeNodeRecursion::Continue)
    });
    counted.expect("looking cannot fail");
    size
}

/// What an expression is computed of, and of each whether only for some rows.
fn children(part: &Part) -> Vec<(&Part, bool)> {
    let children = part.children();
    let certain = if part.downcast_ref::<CaseExpr>().is_some_and(has_operand) {
        // The operand and what it is first compared with.
        2
    } else if part.downcast_ref::<CaseExpr>().is_some() || part.is::<InListExpr>() {
        1
    } else if let Some(binary) = part.downcast_ref::<BinaryExpr>() {
        match binary.op() {
            Operator::And | Operator::Or => 1,
            _ => 2,
        }
    } else {
        let call = part.downcast_ref::<ScalarFunctionExpr>();
        let short_circuits = call.is_some_and(|call| call.fun().short_circuits());
        if short_circuits { 0 } else { children.len() }
    };
    let places = children.into_iter().enumerate();
    places
        .map(|(place, child)| (child, place >= certain))
        .collect()
}

fn has_operand(case: &CaseExpr) -> bool {
    case.expr().is_some()
}
