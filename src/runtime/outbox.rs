//! The trait of an outbox: decided rows that wait until another system takes them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::metrics::OutboxMetrics;
use crate::runtime::Result;

/// The outbox of one sink. Its rows are prepared, decided and rolled back as those of any
/// other; who sends them goes on beside the tasks, and nothing waits for the other system.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// How much waits.
    fn metrics(&self) -> Arc<OutboxMetrics>;

    /// Begins to send. What an earlier life has left is settled by then.
    fn start(&self);

    /// Whether it is full of decided rows: no checkpoint should begin that would add more.
    ///
    /// # Errors
    /// Why it can never be sent, if that is so.
    fn is_full(&self) -> Result<bool>;

    /// Whether a barrier is on its way. What is in front of it is let in, however full it is,
    /// since its tasks could not see the barrier otherwise.
    fn expect_barrier(&self, is_coming: bool);

    /// Waits until all decided rows are sent.
    ///
    /// # Errors
    /// Why they can never be.
    async fn drained(&self) -> Result<()>;

    /// Sends on for at most so long, then leaves nothing open and says what is left; that takes
    /// no longer either, if any time was given.
    async fn end(&self, patience: Duration);
}
