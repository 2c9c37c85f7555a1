//! Finds the rows for which an expression fails, so that the others go on.

use arrow::array::RecordBatch;

use crate::expr;
use crate::formats::row_to_json;
use crate::runtime::Output;
use crate::stream::{Batch, DeadLetter};

/// Evaluates `evaluate` for all rows; if it fails for some, for the runs of rows
/// between them, and each failing row becomes a dead letter of `origin`. Whole
/// batches are tried first and halves only of a batch that failed, so a batch
/// without errors costs nothing more.
pub fn evaluate_rows(
    batch: &Batch,
    origin: &str,
    out: &mut dyn Output,
    evaluate: &mut dyn FnMut(&Batch) -> expr::Result<Batch>,
) -> Vec<Batch> {
    let mut results = Vec::with_capacity(1);
    let mut waiting = vec![batch.clone()];
    while let Some(part) = waiting.pop() {
        match evaluate(&part) {
            Ok(result) => results.push(result),
            Err(error) if part.num_rows() <= 1 => {
                if part.num_rows() == 1 {
                    out.dead_letter(dead_letter(&part.records, 0, origin, error.to_string()));
                }
            }
            Err(_) => {
                let middle = part.num_rows() / 2;
                // The first half is taken first, so that rows keep their order.
                waiting.push(part.slice(middle, part.num_rows() - middle));
                waiting.push(part.slice(0, middle));
            }
        }
    }
    results
}

/// A dead letter for one row that was decoded already.
pub fn dead_letter(records: &RecordBatch, row: usize, origin: &str, reason: String) -> DeadLetter {
    DeadLetter {
        origin: origin.to_owned(),
        reason,
        position: None,
        bytes: row_to_json(records, row),
    }
}
