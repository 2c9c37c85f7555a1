//! The source of a generated table, and how rows are dealt to its splits.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::reader::GeneratedReader;
use super::{RowMaker, Schedule};
use crate::clock;
use crate::runtime::{Discovery, Enumerator, Error, Result, SourceFactory, SourceReader, Split};

/// How many rows without a rate go to one split before the next split has its
/// turn. Neighbours in a batch are neighbours in time then, and a batch nearly
/// always lies in one window.
pub(super) const ROWS_IN_A_ROW: u64 = 8_192;

/// What makes the columns of a schema.
type MakeColumns = dyn Fn(&SchemaRef) -> Box<dyn RowMaker> + Send + Sync;

/// A source whose rows are computed.
pub(in crate::connectors) struct GeneratedSource {
    schedule: Schedule,
    columns: Box<MakeColumns>,
}

impl GeneratedSource {
    /// The source of these rows; `columns` makes the ones of a reader's schema.
    pub(in crate::connectors) fn new(
        schedule: Schedule,
        columns: impl Fn(&SchemaRef) -> Box<dyn RowMaker> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            schedule,
            columns: Box::new(columns),
        })
    }
}

impl SourceFactory for GeneratedSource {
    fn enumerator(&self) -> Box<dyn Enumerator> {
        Box::new(GeneratedEnumerator {
            schedule: self.schedule.clone(),
        })
    }

    fn reader(&self, schema: &SchemaRef) -> Result<Box<dyn SourceReader>> {
        let columns = (self.columns)(schema);
        Ok(Box::new(GeneratedReader::new(&self.schedule, columns)))
    }

    fn bounded(&self) -> bool {
        self.schedule.rows.is_some()
    }

    fn trusts_event_time(&self) -> bool {
        true
    }
}

/// What a split makes; it is fixed when the job first starts, so that a restart
/// makes the same rows at whatever time it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GeneratedSpec {
    /// Which of the splits it is, from 0.
    pub place: u64,
    /// How many splits there are.
    pub splits: u64,
    /// How many rows in a row belong to one split.
    pub run: u64,
    /// The rows of all splits together.
    pub rows: Option<u64>,
    /// When row 0 happens, in milliseconds since 1970.
    pub start_millis: i64,
}

impl GeneratedSpec {
    /// The spec of a split that this connector has found.
    pub(super) fn of(split: &Split) -> Result<Self> {
        serde_json::from_value(split.spec.clone()).map_err(|error| {
            Error::Fatal(format!(
                "split '{}' is no generator's split: {error}",
                split.id
            ))
        })
    }

    /// The numbers of the split's rows with these indices.
    pub(super) fn numbers_of(&self, indices: Range<u64>) -> Vec<u64> {
        let mut numbers = Vec::new();
        let mut index = indices.start;
        while index < indices.end {
            let (run, place) = (index / self.run, index % self.run);
            let first = (run * self.splits + self.place) * self.run + place;
            let count = (self.run - place).min(indices.end - index);
            numbers.extend(first..first + count);
            index += count;
        }
        numbers
    }

    /// How many rows the split has.
    pub(super) fn len(&self) -> u64 {
        let Some(rows) = self.rows else {
            return u64::MAX;
        };
        let round = self.run * self.splits;
        let in_last_round = (rows % round).saturating_sub(self.place * self.run);
        rows / round * self.run + in_last_round.min(self.run)
    }
}

struct GeneratedEnumerator {
    schedule: Schedule,
}

#[async_trait]
impl Enumerator for GeneratedEnumerator {
    async fn discover(&mut self, known: &[Split]) -> Result<Discovery> {
        let mut found = Vec::new();
        if known.is_empty() {
            let start = self.schedule.start_millis;
            let start_millis = start.unwrap_or_else(|| clock::now().millis());
            // At a rate all splits go on together, or the slow ones would hold
            // the watermark for as long as a run takes.
            let is_paced = self.schedule.rows_per_second.is_some();
            for place in 0..self.schedule.splits {
                let spec = GeneratedSpec {
                    place,
                    splits: self.schedule.splits,
                    run: if is_paced { 1 } else { ROWS_IN_A_ROW },
                    rows: self.schedule.rows,
                    start_millis,
                };
                found.push(Split {
                    id: place.to_string(),
                    spec: serde_json::to_value(spec).expect("a generator's spec is plain data"),
                });
            }
        }
        Ok(Discovery {
            found,
            complete: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_dealt_once() {
        for (splits, run, rows) in [(1, 1, 7), (3, 1, 10), (3, 4, 10), (2, 4, 16), (8, 4, 3)] {
            let mut dealt = BTreeSet::new();
            for place in 0..splits {
                let spec = GeneratedSpec {
                    place,
                    splits,
                    run,
                    rows: Some(rows),
                    start_millis: 0,
                };
                let numbers = spec.numbers_of(0..spec.len());
                for n in &numbers {
                    assert!(
                        dealt.insert(*n),
                        "{splits} splits, runs of {run}: {n} twice"
                    );
                }
                // However they are asked for.
                let by_one = (0..spec.len()).flat_map(|index| spec.numbers_of(index..index + 1));
                assert_eq!(by_one.collect::<Vec<_>>(), numbers);
            }
            assert_eq!(dealt, (0..rows).collect(), "{splits} splits, runs of {run}");
        }
    }
}
