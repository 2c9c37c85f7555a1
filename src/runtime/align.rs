//! Merges the inputs of a task: the least watermark, aligned barriers.
//!
//! A channel whose barrier has come is not read until the barriers of all
//! channels have come (Carbone et al., "Lightweight Asynchronous Snapshots for
//! Distributed Dataflows", 2015). Waiting in a full channel is the backpressure.

use std::task::{Context, Poll};

use tokio::sync::mpsc;

use crate::runtime::watermark::WatermarkMerge;
use crate::stream::{Barrier, Batch, Message, Watermark};

/// The inputs of one task.
pub struct InputGate {
    channels: Vec<Channel>,
    watermarks: WatermarkMerge,
    /// Where the next look begins, so that no channel starves another.
    turn: usize,
}

struct Channel {
    messages: mpsc::Receiver<Message>,
    barrier: Option<Barrier>,
}

/// What the task has to do next.
#[derive(Debug)]
pub enum Input {
    /// Rows of one channel.
    Batch(Batch),
    /// Time has moved on over all channels.
    Watermark(Watermark),
    /// The barriers of all channels have come.
    Barrier(Barrier),
    /// A task before this one has gone; the job is ending or has failed.
    Closed,
}

impl InputGate {
    /// A gate over the given channels.
    pub fn new(channels: Vec<mpsc::Receiver<Message>>) -> Self {
        let watermarks = WatermarkMerge::new(channels.len());
        let channels = channels.into_iter().map(|messages| Channel {
            messages,
            barrier: None,
        });
        Self {
            channels: channels.collect(),
            watermarks,
            turn: 0,
        }
    }

    /// Waits for the next input. Cancel safe.
    pub async fn next(&mut self) -> Input {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }

    /// The next input, if there is one now.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Input> {
        let count = self.channels.len();
        let mut visited = 0;
        while visited < count {
            let index = (self.turn + visited) % count;
            let channel = &mut self.channels[index];
            if channel.barrier.is_some() {
                visited += 1;
                continue;
            }
            match channel.messages.poll_recv(context) {
                Poll::Pending => visited += 1,
                Poll::Ready(None) => return Poll::Ready(Input::Closed),
                Poll::Ready(Some(Message::Batch(batch))) => {
                    self.turn = (index + 1) % count;
                    return Poll::Ready(Input::Batch(batch));
                }
                Poll::Ready(Some(Message::Watermark(watermark))) => {
                    if let Some(merged) = self.watermarks.update(index, watermark) {
                        return Poll::Ready(Input::Watermark(merged));
                    }
                }
                Poll::Ready(Some(Message::Barrier(barrier))) => {
                    channel.barrier = Some(barrier);
                    if let Some(barrier) = self.take_barrier() {
                        return Poll::Ready(Input::Barrier(barrier));
                    }
                    visited += 1;
                }
            }
        }
        Poll::Pending
    }

    fn take_barrier(&mut self) -> Option<Barrier> {
        let first = self.channels.first()?.barrier?;
        for channel in &self.channels {
            let barrier = channel.barrier?;
            assert_eq!(barrier, first, "two barriers meet in one alignment");
        }
        for channel in &mut self.channels {
            channel.barrier = None;
        }
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, RecordBatch};
    use tokio::sync::mpsc::Sender;

    use super::*;
    use crate::stream::{BarrierKind, CheckpointId, EventTime};

    fn gate(channels: usize) -> (Vec<Sender<Message>>, InputGate) {
        let (senders, receivers) = (0..channels).map(|_| mpsc::channel(8)).unzip();
        (senders, InputGate::new(receivers))
    }

    fn rows(value: i64) -> Message {
        let column = Arc::new(Int64Array::from(vec![value]));
        Message::Batch(Batch::new(
            RecordBatch::try_from_iter([("v", column as _)]).unwrap(),
        ))
    }

    fn barrier(checkpoint: u64) -> Message {
        Message::Barrier(Barrier {
            checkpoint: CheckpointId(checkpoint),
            kind: BarrierKind::Interval,
        })
    }

    fn ready(gate: &mut InputGate) -> Option<String> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match gate.poll_next(&mut context) {
            Poll::Pending => None,
            Poll::Ready(Input::Batch(batch)) => {
                let column = batch.records.column(0);
                let values = column.as_any().downcast_ref::<Int64Array>().unwrap();
                Some(format!("row {}", values.value(0)))
            }
            Poll::Ready(Input::Watermark(Watermark::At(at))) => Some(format!("watermark {at}")),
            Poll::Ready(Input::Watermark(Watermark::Idle)) => Some("idle".to_owned()),
            Poll::Ready(Input::Barrier(barrier)) => Some(format!("barrier {}", barrier.checkpoint)),
            Poll::Ready(Input::Closed) => Some("closed".to_owned()),
        }
    }

    #[test]
    fn what_is_behind_a_barrier_waits_for_all_barriers() {
        let (channels, mut gate) = gate(2);
        channels[0].try_send(rows(1)).unwrap();
        channels[0].try_send(barrier(1)).unwrap();
        channels[0].try_send(rows(3)).unwrap();
        assert_eq!(ready(&mut gate).as_deref(), Some("row 1"));
        assert_eq!(ready(&mut gate), None);
        channels[1].try_send(rows(2)).unwrap();
        assert_eq!(ready(&mut gate).as_deref(), Some("row 2"));
        channels[1].try_send(barrier(1)).unwrap();
        assert_eq!(ready(&mut gate).as_deref(), Some("barrier 1"));
        assert_eq!(ready(&mut gate).as_deref(), Some("row 3"));
        assert_eq!(ready(&mut gate), None);
    }

    #[test]
    fn watermarks_are_merged_and_none_is_invented() {
        let (channels, mut gate) = gate(2);
        let at = |millis| Message::Watermark(Watermark::At(EventTime::from_millis(millis)));
        channels[0].try_send(at(5)).unwrap();
        assert_eq!(ready(&mut gate), None);
        channels[1].try_send(at(3)).unwrap();
        assert_eq!(ready(&mut gate).as_deref(), Some("watermark 3"));
        drop(channels);
        assert_eq!(ready(&mut gate).as_deref(), Some("closed"));
    }
}
