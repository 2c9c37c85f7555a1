//! Makes several rows of each: for each of the sets of `GROUP BY` one.

use arrow::datatypes::{Schema, SchemaRef};

use super::project::Project;
use crate::expr::Expression;
use crate::runtime::{Operator, Output, Result};
use crate::stream::Batch;

/// Several projections of the same rows, one behind the other.
pub struct Expand {
    schema: SchemaRef,
    projections: Vec<Project>,
}

impl Expand {
    /// These projections of rows of `input`, to rows of `schema`.
    pub fn new(schema: SchemaRef, projections: &[Vec<Expression>], input: &Schema) -> Self {
        let projections = projections.iter();
        Self {
            projections: projections
                .map(|columns| Project::new(schema.clone(), columns, input))
                .collect(),
            schema,
        }
    }
}

impl Operator for Expand {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn process(&mut self, batch: Batch, out: &mut dyn Output) -> Result<()> {
        for projection in &mut self.projections {
            projection.process(batch.clone(), out)?;
        }
        Ok(())
    }
}
