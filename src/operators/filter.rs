//! Lets rows pass for which a condition is true.

use arrow::datatypes::SchemaRef;

use super::row_errors::evaluate_rows;
use crate::expr::{Expression, SharedParts};
use crate::runtime::{Operator, Output, Result};
use crate::stream::Batch;

/// `WHERE`: a row for which the condition is false or null goes no further.
pub struct Filter {
    schema: SchemaRef,
    condition: SharedParts,
}

impl Filter {
    /// A filter over rows of `schema`.
    pub fn new(schema: SchemaRef, condition: Expression) -> Self {
        let condition = SharedParts::of(&[condition], &schema);
        Self { schema, condition }
    }
}

impl Operator for Filter {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        let shared = &self.condition;
        let [condition] = shared.expressions() else {
            unreachable!("a filter has one condition")
        };
        let parts = evaluate_rows(&batch, "filter", out, &mut |part| {
            let mask = condition.evaluate_condition(&shared.rows(&part.records)?)?;
            Ok(part.filter(&mask)?)
        });
        for part in parts.into_iter().filter(|part| part.num_rows() > 0) {
            out.emit(part);
        }
        Ok(())
    }
}
