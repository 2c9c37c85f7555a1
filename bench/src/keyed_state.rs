//! A store with the state of one aggregate in it, `COUNT(*)` and `SUM(amount)` per
//! key, and checkpoints of some of its keys.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::ValueEnum;
use thalweg::clock;
use thalweg::expr::{AggregateCall, AggregateFunction, AggregateLayout};
use thalweg::operators::WindowFold;
use thalweg::state::{
    Checkpoint, Decider, DeltaKind, DeltaRows, Header, OpenOptions, OperatorDelta, StateSchema,
    Stats, Store, Written,
};
use thalweg::stream::{CheckpointId, EventTime, KeyGroups, OperatorId};

use crate::cost::{Cost, measure};

/// The only operator.
const OPERATOR: OperatorId = OperatorId(1);

/// The type of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// 8 bytes.
    Bigint,
    /// A text of 16 bytes.
    String,
}

impl Key {
    /// The bytes of the values of one row: its key, its count and its sum.
    pub fn row_bytes(self) -> u64 {
        match self {
            Self::Bigint => 8 + 8 + 8,
            Self::String => 16 + 8 + 8,
        }
    }

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bigint => "BIGINT",
            Self::String => "STRING of 16 bytes",
        }
    }
}

/// A store, its schema, and the number of the next checkpoint.
pub struct KeyedState {
    /// The store.
    pub store: Store,
    /// The layout of the rows, as an operator has it.
    pub layout: Arc<AggregateLayout>,
    key: Key,
    next: CheckpointId,
    closed_until: Option<EventTime>,
}

/// What a checkpoint wrote and what that took.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    /// What was written.
    pub written: Written,
    /// What the commit took.
    pub cost: Cost,
}

impl KeyedState {
    /// A new state in `dir`.
    ///
    /// # Errors
    /// If it cannot be made there.
    pub fn create(dir: &Path, key: Key) -> Result<Self> {
        let mut state = Self::open(dir, key)?;
        let plan = "COUNT(*), SUM(amount)".to_owned();
        let header = Header::new(
            "bench".to_owned(),
            plan,
            KeyGroups::DEFAULT,
            Decider::State,
            clock::now(),
        );
        state.store.create_job(header)?;
        Ok(state)
    }

    /// The state that is in `dir`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(dir: &Path, key: Key) -> Result<Self> {
        let layout = layout(key)?;
        let mut store = Store::open(dir, OpenOptions::default())?;
        store.register(schema_of(&layout))?;
        let next = store
            .job()
            .map_or(CheckpointId(0), |job| job.progress.committed);
        Ok(Self {
            store,
            layout,
            key,
            next: next.next(),
            closed_until: None,
        })
    }

    /// What the operator tells the store about its state.
    pub fn schema(&self) -> StateSchema {
        schema_of(&self.layout)
    }

    /// With the next checkpoint everything until `at` is closed.
    pub fn close(&mut self, at: EventTime) {
        self.closed_until = Some(at);
    }

    /// Makes a checkpoint in which each of these keys got one more row.
    ///
    /// # Errors
    /// If the store fails.
    pub fn commit(&mut self, time: EventTime, keys: &[u64]) -> Result<Committed> {
        let mut checkpoint = Checkpoint::new(self.next);
        self.next = self.next.next();
        checkpoint.deltas.push(OperatorDelta {
            operator: OPERATOR,
            range: KeyGroups::DEFAULT.all(),
            watermark: EventTime::MIN,
            late_records: 0,
            closed_until: self.closed_until,
            rows: vec![DeltaRows {
                kind: DeltaKind::Merge,
                time,
                records: self.rows(keys)?,
            }],
        });
        let (written, cost) = measure(|| Ok(self.store.commit(checkpoint)?))?;
        Ok(Committed { written, cost })
    }

    /// Does one folding job, whose pages the next checkpoint writes; `None` if
    /// none is due.
    ///
    /// # Errors
    /// If the store fails.
    pub fn fold(&mut self) -> Result<Option<Cost>> {
        let Some(job) = self.store.plan_fold()? else {
            return Ok(None);
        };
        let (folded, cost) = measure(|| Ok(job.run()))?;
        self.store.stage(folded)?;
        Ok(Some(cost))
    }

    /// Folds and writes pages until nothing is due, as an idle job does.
    ///
    /// # Errors
    /// If the store fails.
    pub fn settle(&mut self) -> Result<()> {
        while self.fold()?.is_some() || has_backlog(self.store.stats()) {
            self.store.fold_idle()?;
        }
        Ok(())
    }

    /// Fills the state with keys `0..keys`, a row each, in checkpoints of `step` keys.
    ///
    /// # Errors
    /// If the store fails.
    pub fn load(&mut self, keys: u64, step: u64) -> Result<()> {
        let mut first = 0;
        while first < keys {
            let end = keys.min(first + step);
            self.commit(EventTime::MAX, &(first..end).collect::<Vec<_>>())?;
            self.fold()?;
            first = end;
        }
        self.settle()
    }

    /// The partial states of one row of each key.
    fn rows(&self, keys: &[u64]) -> Result<RecordBatch> {
        let key: ArrayRef = match self.key {
            Key::Bigint => {
                let keys = keys.iter().map(|key| scattered(*key).cast_signed());
                Arc::new(keys.collect::<Int64Array>())
            }
            Key::String => {
                let keys = keys
                    .iter()
                    .map(|key| Some(format!("{:016x}", scattered(*key))));
                Arc::new(keys.collect::<StringArray>())
            }
        };
        let counts = Int64Array::from_value(1, keys.len());
        let sums: Int64Array = keys.iter().map(|key| (key % 1_000).cast_signed()).collect();
        let columns = vec![key, Arc::new(counts), Arc::new(sums)];
        Ok(RecordBatch::try_new(
            Arc::clone(self.layout.states()),
            columns,
        )?)
    }
}

/// `count` different numbers below `keys`, other ones for each `round`, in no order.
pub fn sample(keys: u64, count: u64, round: u64) -> Result<Vec<u64>> {
    // A prime above the number of keys walks over all of them before it repeats one.
    const STEP: u64 = 1_000_000_007;
    if keys >= STEP || count > keys {
        bail!("cannot take {count} of {keys} keys; there may be at most {STEP}");
    }
    let start = round.wrapping_mul(0x9e37_79b9) % keys;
    Ok((0..count)
        .map(|n| (start + n * (STEP % keys)) % keys)
        .collect())
}

fn layout(key: Key) -> Result<Arc<AggregateLayout>> {
    let data_type = match key {
        Key::Bigint => DataType::Int64,
        Key::String => DataType::Utf8,
    };
    let input = Arc::new(Schema::new(vec![
        Field::new("key", data_type, false),
        Field::new("amount", DataType::Int64, false),
    ]));
    let result = |name| Arc::new(Field::new(name, DataType::Int64, true));
    let calls = vec![
        AggregateCall {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            result: result("rows"),
        },
        AggregateCall {
            function: AggregateFunction::Sum,
            argument: Some(1),
            distinct: false,
            filter: None,
            result: result("amount"),
        },
    ];
    Ok(Arc::new(AggregateLayout::new(&input, &[0], calls)?))
}

fn schema_of(layout: &Arc<AggregateLayout>) -> StateSchema {
    let fold = Arc::new(WindowFold(Arc::clone(layout)));
    StateSchema::new(OPERATOR, Arc::clone(layout.states()), 1, fold)
}

fn has_backlog(stats: Stats) -> bool {
    stats.fold_backlog > 0 || stats.closed_backlog > 0
}

/// A bijection without order, so that keys that follow each other lie apart.
fn scattered(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_no_key_twice() {
        for (keys, count, round) in [(10, 10, 0), (1_000, 999, 3), (1_000_006, 5_000, 7)] {
            let mut taken = sample(keys, count, round).unwrap();
            assert!(taken.iter().all(|key| *key < keys));
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len() as u64, count);
        }
        assert!(sample(10, 11, 0).is_err());
    }

    #[test]
    fn a_loaded_state_has_all_its_keys() {
        for key in [Key::Bigint, Key::String] {
            let dir = tempfile::tempdir().unwrap();
            let mut state = KeyedState::create(dir.path(), key).unwrap();
            state.load(5_000, 2_000).unwrap();
            let schema = state.schema();
            let range = KeyGroups::DEFAULT.all();
            let restored = state.store.load(&schema, range).unwrap().unwrap();
            let rows: usize = restored.rows.iter().map(|(_, rows)| rows.num_rows()).sum();
            assert_eq!(rows, 5_000);
        }
    }
}
