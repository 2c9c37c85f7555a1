//! Checks the stream contract on an edge in debug builds: schema, watermark
//! order, barrier order.

use arrow::datatypes::SchemaRef;

use crate::stream::{Barrier, BarrierKind, Batch, CheckpointId, EventTime};

/// What one edge has carried so far.
#[derive(Debug)]
pub struct EdgeCheck {
    edge: String,
    schema: SchemaRef,
    watermark: EventTime,
    checkpoint: CheckpointId,
    ended: bool,
}

impl EdgeCheck {
    /// An edge that carries rows of `schema` and has carried nothing yet.
    pub fn new(edge: String, schema: SchemaRef) -> Self {
        Self {
            edge,
            schema,
            watermark: EventTime::MIN,
            checkpoint: CheckpointId(0),
            ended: false,
        }
    }

    /// Checks a batch.
    ///
    /// # Panics
    /// If its columns do not have the edge's types or it comes behind the last barrier.
    pub fn batch(&self, batch: &Batch) {
        assert!(!self.ended, "{}: rows behind the last barrier", self.edge);
        let found = batch.records.schema();
        let types = |schema: &SchemaRef| -> Vec<_> {
            let fields = schema.fields().iter();
            fields.map(|field| field.data_type().clone()).collect()
        };
        assert_eq!(
            types(&found),
            types(&self.schema),
            "{}: rows of another schema",
            self.edge,
        );
    }

    /// Checks a watermark.
    ///
    /// # Panics
    /// If it goes back.
    pub fn watermark(&mut self, at: EventTime) {
        assert!(
            at >= self.watermark,
            "{}: watermark {at} behind {}",
            self.edge,
            self.watermark,
        );
        self.watermark = at;
    }

    /// Checks a barrier.
    ///
    /// # Panics
    /// If its checkpoint is before the last one, or something has ended already.
    /// A checkpoint may be tried again under its number.
    pub fn barrier(&mut self, barrier: Barrier) {
        assert!(!self.ended, "{}: two last barriers", self.edge);
        assert!(
            barrier.checkpoint >= self.checkpoint,
            "{}: barrier {} behind {}",
            self.edge,
            barrier.checkpoint,
            self.checkpoint,
        );
        self.checkpoint = barrier.checkpoint;
        self.ended = barrier.kind == BarrierKind::Last;
    }
}
