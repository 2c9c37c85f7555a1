//! From the deltas of the tasks to blobs of the delta log, one key group each.

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::codec::Encoder;
use super::layout::{ChunkKey, UnitKey};
use super::{DeltaRows, OperatorDelta, Result, StateSchema, runs};
use crate::stream::{CheckpointId, KeyGroup, KeyGroups, KeyRange};

/// One blob, ready to be written.
pub(super) struct LogChunk {
    pub key: UnitKey,
    pub chunk: ChunkKey,
    pub bytes: Vec<u8>,
}

/// Collects the blobs of one checkpoint.
pub(super) struct LogWriter {
    checkpoint: CheckpointId,
    key_groups: KeyGroups,
    encoder: Encoder,
    next_chunk: HashMap<UnitKey, u32>,
    chunks: Vec<LogChunk>,
    rows: u64,
}

impl LogWriter {
    pub fn new(checkpoint: CheckpointId, key_groups: KeyGroups) -> Self {
        Self {
            checkpoint,
            key_groups,
            encoder: Encoder::new(),
            next_chunk: HashMap::new(),
            chunks: Vec::new(),
            rows: 0,
        }
    }

    /// Adds the rows of one task, but for those of units that are closed.
    pub fn add(
        &mut self,
        schema: &StateSchema,
        delta: &OperatorDelta,
        is_closed: impl Fn(UnitKey) -> bool,
    ) -> Result<()> {
        for rows in &delta.rows {
            let (records, groups) = self.by_group(schema, delta.range, &rows.records)?;
            let mut start = 0;
            for (group, count) in groups {
                let unit = UnitKey::new(delta.operator, group, rows.time);
                if !is_closed(unit) {
                    self.add_unit(unit, rows, &records.slice(start, count))?;
                }
                start += count;
            }
        }
        Ok(())
    }

    /// The blobs in the order of their keys, and how many rows they hold.
    pub fn finish(mut self) -> (Vec<LogChunk>, u64) {
        self.chunks.sort_by_key(|chunk| (chunk.key, chunk.chunk));
        (self.chunks, self.rows)
    }

    fn add_unit(&mut self, key: UnitKey, rows: &DeltaRows, records: &RecordBatch) -> Result<()> {
        let next_chunk = self.next_chunk.entry(key).or_default();
        for blob in self.encoder.encode(rows.kind, records)? {
            let chunk = ChunkKey {
                checkpoint: self.checkpoint.0,
                chunk: *next_chunk,
            };
            *next_chunk += 1;
            self.chunks.push(LogChunk {
                key,
                chunk,
                bytes: blob.bytes,
            });
        }
        self.rows += records.num_rows() as u64;
        Ok(())
    }

    /// The rows in the order of their key groups, and how many rows each group
    /// has: a counting sort.
    fn by_group(
        &self,
        schema: &StateSchema,
        range: KeyRange,
        records: &RecordBatch,
    ) -> Result<(RecordBatch, Vec<(KeyGroup, usize)>)> {
        let rows = records.num_rows();
        if schema.key_columns == 0 {
            return Ok((records.clone(), vec![(KeyGroup(0), rows)]));
        }
        let keys = &records.columns()[..schema.key_columns];
        let group_of_row = self.key_groups.of_rows(keys, rows);
        let mut counts = vec![0_usize; usize::from(self.key_groups.count())];
        for group in &group_of_row {
            assert!(
                range.contains(*group),
                "operator {} wrote to key group {} outside of its range {range}",
                schema.operator,
                group.0
            );
            counts[usize::from(group.0)] += 1;
        }
        let mut next_place = 0;
        let mut groups = Vec::new();
        let mut places = Vec::with_capacity(counts.len());
        for (group, count) in (0..).map(KeyGroup).zip(counts) {
            places.push(next_place);
            next_place += count;
            if count > 0 {
                groups.push((group, count));
            }
        }
        if groups.len() <= 1 {
            return Ok((records.clone(), groups));
        }
        let mut order = vec![0; rows];
        for (row, group) in group_of_row.iter().enumerate() {
            let place = &mut places[usize::from(group.0)];
            order[*place] = runs::row_number(row);
            *place += 1;
        }
        Ok((runs::take(records, order)?, groups))
    }
}
