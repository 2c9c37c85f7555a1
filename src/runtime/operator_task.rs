//! The loop of a task that reads other tasks.

use crate::metrics::TaskMetrics;
use crate::runtime::align::{Input, InputGate};
use crate::runtime::report::TaskSnapshot;
use crate::runtime::task::{Task, TaskParts, sleep_until};
use crate::runtime::{Error, Result};
use crate::stream::BarrierKind;

/// A task that reads other tasks.
pub struct OperatorTask {
    /// What it reads.
    pub inputs: InputGate,
    /// What it is made of.
    pub parts: TaskParts,
}

impl OperatorTask {
    /// Runs until the last barrier.
    ///
    /// # Errors
    /// If the task cannot go on.
    pub async fn run(self) -> Result<()> {
        let mut inputs = self.inputs;
        let mut task = Task::new(self.parts);
        loop {
            let deadline = task.deadline();
            let folding = task.has_background();
            let input = tokio::select! {
                biased;
                () = sleep_until(deadline) => None,
                input = inputs.next() => Some(input),
                () = std::future::ready(()), if folding => None,
                _ = task.decided.changed() => continue,
            };
            task.working();
            if let Some(input) = input {
                if take(&mut task, input).await? == Flow::Ended {
                    return Ok(());
                }
            } else if deadline.is_some_and(|deadline| deadline <= std::time::Instant::now()) {
                task.flush().await?;
            }
            task.background()?;
            task.waiting();
            if folding {
                // Folding alone never waits; others want the thread too.
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Whether the stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    GoesOn,
    Ended,
}

async fn take(task: &mut Task, input: Input) -> Result<Flow> {
    match input {
        Input::Batch(batch) => {
            TaskMetrics::add(&task.metrics.records_in, batch.num_rows());
            TaskMetrics::add(&task.metrics.bytes_in, batch.num_bytes());
            task.rows(batch).await?;
        }
        Input::Watermark(watermark) => task.watermark(watermark).await?,
        Input::Barrier(barrier) => {
            task.barrier(barrier, TaskSnapshot::default()).await?;
            if barrier.kind == BarrierKind::Last {
                return Ok(Flow::Ended);
            }
        }
        Input::Closed => return Err(Error::NeighbourEnded),
    }
    Ok(Flow::GoesOn)
}
