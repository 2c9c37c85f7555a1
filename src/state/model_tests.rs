//! The store against a naive model, through any order of checkpoints, folds and
//! restarts, restored at any number of tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use proptest::prelude::*;

use super::tests::{Disk, begin, delta, folded, groups, open_eager, rows, schema};
use super::*;
use crate::stream::{CheckpointId, EventTime};

/// One step of a random life of a store.
#[derive(Clone, Debug)]
enum Step {
    /// A checkpoint by this many tasks, of rows (time, key, value).
    Commit {
        tasks: usize,
        rows: Vec<(i64, usize, i64)>,
        kind: DeltaKind,
        closed_until: Option<i64>,
    },
    Fold,
    FoldIdle,
    Reopen,
    RemoveJob,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop::collection::vec((0_i64..6, 0_usize..60, -9_i64..9), 0..80);
    let kind = prop_oneof![Just(DeltaKind::Merge), Just(DeltaKind::Put)];
    let closed = prop_oneof![4 => Just(None), 1 => (0_i64..6).prop_map(Some)];
    let commit = (1_usize..5, rows, kind, closed).prop_map(|(tasks, rows, kind, closed_until)| {
        Step::Commit {
            tasks,
            rows,
            kind,
            closed_until,
        }
    });
    prop::collection::vec(
        prop_oneof![
            12 => commit,
            6 => Just(Step::Fold),
            2 => Just(Step::FoldIdle),
            2 => Just(Step::Reopen),
            1 => Just(Step::RemoveJob),
        ],
        1..40,
    )
}

/// What a store must hold: the plainest thing that could.
#[derive(Default)]
struct Model {
    rows: BTreeMap<(i64, String), i64>,
    closed_until: Option<i64>,
    late_records: u64,
    committed: u64,
}

impl Model {
    fn apply(&mut self, kind: DeltaKind, time: i64, pairs: &[(String, i64)]) {
        if self.closed_until.is_some_and(|until| time <= until) {
            return;
        }
        for (key, value) in pairs {
            let row = self.rows.entry((time, key.clone())).or_default();
            match kind {
                DeltaKind::Put => *row = *value,
                DeltaKind::Merge => *row += value,
            }
        }
    }

    fn close(&mut self, until: i64) {
        self.closed_until = self.closed_until.max(Some(until));
        self.rows.retain(|(time, _), _| *time > until);
    }
}

/// The deltas of `tasks` tasks, and the same change to the model.
fn commit(model: &mut Model, step: &Step) -> Checkpoint {
    let Step::Commit {
        tasks,
        rows: changes,
        kind,
        closed_until,
    } = step
    else {
        unreachable!()
    };
    model.committed += 1;
    let mut checkpoint = Checkpoint::new(CheckpointId(model.committed));
    if let Some(until) = closed_until {
        model.close(*until);
    }
    // Each key at most once in a batch.
    let mut by_time: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
    for (time, key, value) in changes {
        let keys = by_time.entry(*time).or_default();
        keys.insert(format!("key-{key}"), *value);
    }
    for task in 0..*tasks {
        let range = groups().range_of_task(task, *tasks);
        let mut delta = delta(1, *kind, 0, &[]);
        delta.range = range;
        delta.watermark = EventTime::from_millis(i64::try_from(model.committed).unwrap());
        delta.late_records = if task == 0 { model.committed } else { 0 };
        delta.closed_until = closed_until.map(EventTime::from_millis);
        delta.rows.clear();
        for (time, keys) in &by_time {
            let owned: Vec<_> = keys
                .iter()
                .filter(|(key, _)| {
                    let keys: ArrayRef = Arc::new(StringArray::from(vec![key.as_str()]));
                    range.contains(groups().of_rows(&[keys], 1)[0])
                })
                .map(|(key, value)| (key.clone(), *value))
                .collect();
            model.apply(*kind, *time, &owned);
            delta.rows.push(DeltaRows {
                kind: *kind,
                time: EventTime::from_millis(*time),
                records: rows(&owned),
            });
        }
        checkpoint.deltas.push(delta);
    }
    model.late_records = model.committed;
    checkpoint
}

fn check(store: &mut Store, model: &Model, tasks: usize) {
    let mut found = BTreeMap::new();
    let mut late_records = 0;
    for task in 0..tasks {
        let range = groups().range_of_task(task, tasks);
        let Some(state) = store.load(&schema(1), range).unwrap() else {
            continue;
        };
        late_records += state.late_records;
        assert_eq!(state.watermark.millis().cast_unsigned(), model.committed);
        for ((time, key), value) in folded(state) {
            let double = found.insert((time, key), value);
            assert_eq!(double, None, "two tasks hold one key");
        }
    }
    assert_eq!(found, model.rows);
    assert_eq!(late_records, model.late_records);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn store_equals_the_model(steps in steps(), tasks in 1_usize..6) {
        let disk = Disk::default();
        let mut store = open_eager(&disk);
        let mut model = Model::default();
        let mut job: Option<FoldJob> = None;
        for step in &steps {
            match step {
                Step::Commit { .. } => {
                    let checkpoint = commit(&mut model, step);
                    store.commit(checkpoint).unwrap();
                }
                Step::Fold => match job.take() {
                    // What was planned an arbitrary time ago is carried out now.
                    Some(job) => store.stage(job.run()).unwrap(),
                    None => job = store.plan_fold().unwrap(),
                },
                Step::FoldIdle => {
                    store.fold_idle().unwrap();
                }
                Step::Reopen => {
                    job = None;
                    drop(store);
                    store = open_eager(&disk);
                }
                Step::RemoveJob => {
                    store.remove_job().unwrap();
                    store = begin(store);
                    model = Model::default();
                }
            }
            check(&mut store, &model, tasks);
        }
    }
}
