//! A job's life on a disk, and what the state must hold after each of its steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use serde_json::{Value, json};
use thalweg::state::{
    Checkpoint, Decider, DeltaKind, DeltaRows, Fold, Header, OpenOptions, OperatorDelta, Result,
    SplitRecord, StateSchema, Store,
};
use thalweg::stream::{CheckpointId, Claim, EventTime, KeyGroups, OperatorId};

use crate::disk::Disk;
use crate::random::Random;

const SOURCE: OperatorId = OperatorId(0);
const SINK: OperatorId = OperatorId(9);

/// The operators with state: one merges, one puts.
const OPERATORS: [(u32, DeltaKind); 2] = [(1, DeltaKind::Merge), (2, DeltaKind::Put)];

/// A mistake in the program, to see that the checks notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Positions are committed by a transaction of their own.
    PositionsApart,
    /// What one operator changed in one checkpoint is not kept.
    DroppedDelta,
    /// A checkpoint is kept under the number of the next.
    NumberOffByOne,
    /// Outputs count as published one checkpoint too early.
    ConfirmedTooEarly,
}

/// Everything that a state must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    checkpoint: u64,
    rows: BTreeMap<(u32, i64, String), i64>,
    position: Option<Value>,
    outputs: Vec<(u64, Value)>,
}

/// A life as planned: the changes of each step, and the content after each.
pub struct Workload {
    steps: Vec<Step>,
    /// One more than steps: the first is the empty state.
    pub contents: Vec<Content>,
}

struct Step {
    rows: Vec<(u32, DeltaKind, i64, BTreeMap<String, i64>)>,
    closed_until: Option<i64>,
}

impl Workload {
    /// A life of `steps` checkpoints.
    pub fn new(random: &mut Random, steps: usize) -> Self {
        let mut workload = Self {
            steps: Vec::new(),
            contents: vec![Content::default()],
        };
        for number in 1..=steps {
            let now = i64::try_from(number / 3).unwrap();
            let closed_until = (random.below(4) == 0).then_some(now - 2);
            let mut rows = Vec::new();
            for (operator, kind) in OPERATORS {
                // Times are open for a while before they are closed.
                for time in [now, now + 1] {
                    let changes = (0..random.below(12)).map(|_| {
                        let key = format!("key-{}", random.below(20));
                        (key, i64::try_from(random.below(100)).unwrap())
                    });
                    rows.push((operator, kind, time, changes.collect()));
                }
            }
            let step = Step { rows, closed_until };
            let last = workload.contents.last().unwrap();
            let content = last.after(&step, number as u64);
            workload.contents.push(content);
            workload.steps.push(step);
        }
        workload
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Lives from step `from` to the end, noting each finished step on the disk.
    pub fn live(
        &self,
        store: &mut Store,
        disk: &Disk,
        from: usize,
        bug: Option<Bug>,
    ) -> Result<()> {
        for (place, step) in self.steps.iter().enumerate().skip(from) {
            let number = place as u64 + 1;
            let checkpoint = step.checkpoint(number, bug);
            if bug == Some(Bug::PositionsApart) {
                let mut positions = Checkpoint::new(CheckpointId(2 * number));
                let mut rest = checkpoint;
                rest.id = CheckpointId(2 * number - 1);
                positions.splits = std::mem::take(&mut rest.splits);
                store.commit(rest)?;
                store.commit(positions)?;
            } else {
                store.commit(checkpoint)?;
            }
            disk.note_done(place + 1);
            tidy_up(store, place + 1)?;
        }
        Ok(())
    }

    /// Lives as above where another decides. Chance decides for it, so that some
    /// checkpoints are rolled back and made again; a step is finished once its
    /// checkpoint is decided.
    pub fn live_undecided(
        &self,
        store: &mut Store,
        disk: &Disk,
        from: usize,
        random: &mut Random,
    ) -> Result<()> {
        for (place, step) in self.steps.iter().enumerate().skip(from) {
            let id = CheckpointId(place as u64 + 1);
            store.commit(step.checkpoint(id.0, None))?;
            while random.below(3) == 0 {
                tidy_up(store, place + 1)?;
                store.roll_back()?;
                store.commit(step.checkpoint(id.0, None))?;
            }
            store.decided(id)?;
            disk.note_done(place + 1);
            tidy_up(store, place + 1)?;
        }
        store.note_decided()
    }
}

/// Folds, and now and then does what an idle job has time for.
fn tidy_up(store: &mut Store, step: usize) -> Result<()> {
    if let Some(job) = store.plan_fold()? {
        store.stage(job.run())?;
    }
    if step.is_multiple_of(4) {
        store.fold_idle()?;
    }
    Ok(())
}

impl Step {
    fn checkpoint(&self, number: u64, bug: Option<Bug>) -> Checkpoint {
        let id = match bug {
            Some(Bug::NumberOffByOne) => number + 1,
            _ => number,
        };
        let mut checkpoint = Checkpoint::new(CheckpointId(id));
        for (operator, _) in OPERATORS {
            if bug == Some(Bug::DroppedDelta) && number == 3 && operator == 1 {
                continue;
            }
            let own = self.rows.iter().filter(|(of, ..)| *of == operator);
            checkpoint.deltas.push(OperatorDelta {
                operator: OperatorId(operator),
                range: groups().all(),
                watermark: EventTime::from_millis(i64::try_from(number).unwrap()),
                late_records: number,
                closed_until: self.closed_until.map(EventTime::from_millis),
                rows: own
                    .map(|(_, kind, time, rows)| DeltaRows {
                        kind: *kind,
                        time: EventTime::from_millis(*time),
                        records: records(rows),
                    })
                    .collect(),
            });
        }
        checkpoint.splits = vec![SplitRecord {
            operator: SOURCE,
            split: "file".to_owned(),
            ordinal: 0,
            spec: Value::Null,
            position: Some(json!(number)),
            watermark: EventTime::MIN,
            idle: false,
            finished: false,
            rows: 0,
            bytes: 0,
        }];
        checkpoint.publish = vec![(SINK, json!(format!("part-{number}")))];
        let published = match bug {
            Some(Bug::ConfirmedTooEarly) => number.saturating_sub(1),
            _ => number.saturating_sub(2),
        };
        checkpoint.confirmed = vec![CheckpointId(published)];
        checkpoint
    }
}

impl Content {
    fn after(&self, step: &Step, number: u64) -> Self {
        let mut content = self.clone();
        content.checkpoint = number;
        for (operator, kind, time, rows) in &step.rows {
            for (key, value) in rows {
                let row = content.rows.entry((*operator, *time, key.clone()));
                match kind {
                    DeltaKind::Put => *row.or_default() = *value,
                    DeltaKind::Merge => *row.or_default() += value,
                }
            }
        }
        if let Some(until) = step.closed_until {
            content.rows.retain(|(_, time, _), _| *time > until);
        }
        content.position = Some(json!(number));
        content.outputs.retain(|(of, _)| *of + 2 > number);
        content
            .outputs
            .push((number, json!(format!("part-{number}"))));
        content
    }

    /// The same once the outputs of the checkpoint before the last are confirmed.
    pub fn confirmed(&self) -> Self {
        let mut content = self.clone();
        content.outputs.retain(|(of, _)| *of + 1 > self.checkpoint);
        content
    }

    /// What a store holds, all of it decided.
    pub fn of(store: &mut Store) -> Result<Self> {
        let mut content = Self {
            checkpoint: store.job().map_or(0, |job| job.progress.committed.0),
            ..Self::default()
        };
        for (operator, _) in OPERATORS {
            let Some(state) = store.load(&schema(operator), groups().all())? else {
                continue;
            };
            let mut runs: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
            for (time, records) in state.rows {
                runs.entry(time.millis()).or_default().push(records);
            }
            for (time, runs) in runs {
                for (key, value) in sums(&runs) {
                    content.rows.insert((operator, time, key), value);
                }
            }
        }
        content.position = store
            .splits(SOURCE)?
            .0
            .pop()
            .and_then(|split| split.position);
        let outputs = store.outputs(SINK)?.publish;
        content.outputs = outputs
            .into_iter()
            .map(|(id, value)| (id.0, value))
            .collect();
        Ok(content)
    }
}

/// Opens the store on a disk, ready for the workload.
pub fn open(disk: &Disk, decider: Decider) -> Result<Store> {
    let options = OpenOptions {
        cache_bytes: 256 * 1024,
        fold_bytes_min: 0,
        fold_slice_bytes: 2 * 1024,
    };
    let mut store = Store::with_backend(disk.clone(), options)?;
    if store.job().is_none() {
        let (name, plan) = ("crash".to_owned(), "plan".to_owned());
        store.create_job(Header::new(name, plan, groups(), decider, EventTime::MIN))?;
        if decider == Decider::Kafka {
            store.note_claim(None, Claim::random())?;
            store.note_claimed()?;
        }
    }
    for (operator, _) in OPERATORS {
        store.register(schema(operator))?;
    }
    Ok(store)
}

fn groups() -> KeyGroups {
    KeyGroups::new(3).unwrap()
}

fn schema(operator: u32) -> StateSchema {
    let columns = records(&BTreeMap::new()).schema();
    StateSchema::new(OperatorId(operator), columns, 1, Arc::new(Sum))
}

/// Adds the values of equal keys.
struct Sum;

impl Fold for Sum {
    fn fold(&self, runs: &[RecordBatch]) -> Result<RecordBatch> {
        Ok(records(&sums(runs)))
    }
}

fn sums(runs: &[RecordBatch]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for run in runs {
        let keys = run.column(0).as_string::<i32>();
        let values = run.column(1).as_primitive::<Int64Type>();
        for row in 0..run.num_rows() {
            *sums.entry(keys.value(row).to_owned()).or_default() += values.value(row);
        }
    }
    sums
}

fn records(rows: &BTreeMap<String, i64>) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int64, false),
    ]);
    let keys: StringArray = rows.keys().map(Some).collect();
    let values: Int64Array = rows.values().copied().collect();
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys), Arc::new(values)]).unwrap()
}
