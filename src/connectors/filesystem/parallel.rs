//! Decodes blocks of one file on all threads of the engine. What comes out is in the
//! order of the file, so a large file is one split with one event time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;

use super::record_window::{Decoded, RecordWindow};
use crate::formats::Decoder;
use crate::runtime::{Error, Result};

/// Makes decoders that are all alike.
pub(super) type MakeDecoder = Arc<dyn Fn() -> Box<dyn Decoder> + Send + Sync>;

/// Blocks of one file that are being decoded.
pub(super) struct ParallelDecoding {
    make_decoder: MakeDecoder,
    blocks_max: usize,
    /// The oldest first.
    running: VecDeque<JoinHandle<DecodedBlock>>,
    /// Batches of a block that is done.
    done: VecDeque<Decoded>,
    /// Decoders between two blocks: they learn what their records look like.
    decoders: Vec<Box<dyn Decoder>>,
    /// The buffers of blocks that are done.
    buffers: Vec<Vec<u8>>,
}

/// What has become of a block.
struct DecodedBlock {
    batches: VecDeque<Decoded>,
    decoder: Box<dyn Decoder>,
    buffer: Vec<u8>,
}

impl ParallelDecoding {
    /// Decodes up to `blocks_max` blocks at once.
    pub(super) fn new(make_decoder: MakeDecoder, blocks_max: usize) -> Self {
        Self {
            make_decoder,
            blocks_max,
            running: VecDeque::new(),
            done: VecDeque::new(),
            decoders: Vec::new(),
            buffers: Vec::new(),
        }
    }

    /// Whether another block may be started.
    pub(super) fn has_room(&self) -> bool {
        self.running.len() < self.blocks_max
    }

    /// Whether everything that was started has been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.done.is_empty()
    }

    /// Starts to decode whole lines that follow those started before.
    pub(super) fn start(&mut self, mut lines: RecordWindow) {
        let decoder = self.decoders.pop();
        let mut decoder = decoder.unwrap_or_else(|| (self.make_decoder)());
        self.running.push_back(tokio::spawn(async move {
            let mut batches = VecDeque::new();
            loop {
                let is_full = lines.fill(decoder.as_mut());
                batches.extend(lines.take(decoder.as_mut()));
                if !is_full {
                    break;
                }
            }
            DecodedBlock {
                batches,
                decoder,
                buffer: lines.into_buffer(),
            }
        }));
    }

    /// The next batch in the order of the file, if it is done.
    pub(super) fn next(&mut self) -> Option<Decoded> {
        self.done.pop_front()
    }

    /// A buffer that was used before.
    pub(super) fn buffer(&mut self) -> Option<Vec<u8>> {
        self.buffers.pop()
    }

    /// Ready when [`Self::next`] may have another batch.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.done.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let Some(oldest) = self.running.front_mut() else {
            return Poll::Pending;
        };
        let Poll::Ready(joined) = Pin::new(oldest).poll(context) else {
            return Poll::Pending;
        };
        self.running.pop_front();
        let block = joined.map_err(|error| Error::Fatal(format!("cannot decode: {error}")))?;
        self.done = block.batches;
        self.decoders.push(block.decoder);
        self.buffers.push(block.buffer);
        Poll::Ready(Ok(()))
    }
}
