//! The store by hand: what comes back, what is refused, how large it gets.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::stream::{CheckpointId, Claim, EventTime, KeyGroups, KeyRange, OperatorId};

/// A disk in memory that outlives the stores on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<Vec<u8>>>);

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock()[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        self.0.lock()[offset..offset + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// Adds the values of equal keys.
struct Sum;

impl Fold for Sum {
    fn fold(&self, runs: &[RecordBatch]) -> Result<RecordBatch> {
        let mut sums = BTreeMap::<String, i64>::new();
        for run in runs {
            let keys = run.column(0).as_string::<i32>();
            let values = run.column(1).as_primitive::<Int64Type>();
            for row in 0..run.num_rows() {
                *sums.entry(keys.value(row).to_owned()).or_default() += values.value(row);
            }
        }
        Ok(rows(&sums.into_iter().collect::<Vec<_>>()))
    }
}

pub(super) fn schema(operator: u32) -> StateSchema {
    StateSchema::new(OperatorId(operator), rows(&[]).schema(), 1, Arc::new(Sum))
}

pub(super) fn rows(pairs: &[(String, i64)]) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int64, false),
    ]));
    let keys: StringArray = pairs.iter().map(|(key, _)| Some(key)).collect();
    let values: Int64Array = pairs.iter().map(|(_, value)| *value).collect();
    RecordBatch::try_new(schema, vec![Arc::new(keys), Arc::new(values)]).unwrap()
}

/// Few, so that units hold several keys.
pub(super) fn groups() -> KeyGroups {
    KeyGroups::new(12).unwrap()
}

fn all() -> KeyRange {
    groups().all()
}

pub(super) fn delta(
    operator: u32,
    kind: DeltaKind,
    time: i64,
    pairs: &[(String, i64)],
) -> OperatorDelta {
    OperatorDelta {
        operator: OperatorId(operator),
        range: all(),
        watermark: EventTime::from_millis(7),
        late_records: 3,
        closed_until: None,
        rows: vec![DeltaRows {
            kind,
            time: EventTime::from_millis(time),
            records: rows(pairs),
        }],
    }
}

fn open(dir: &Path) -> Store {
    begin(Store::open(dir, OpenOptions::default()).unwrap())
}

pub(super) fn pairs(of: impl IntoIterator<Item = (usize, i64)>) -> Vec<(String, i64)> {
    of.into_iter()
        .map(|(key, value)| (format!("key-{key}"), value))
        .collect()
}

pub(super) fn pairs_at(
    time: i64,
    of: impl IntoIterator<Item = (usize, i64)>,
) -> BTreeMap<(i64, String), i64> {
    let rows = pairs(of).into_iter();
    rows.map(|(key, value)| ((time, key), value)).collect()
}

pub(super) fn all_rows(store: &mut Store) -> BTreeMap<(i64, String), i64> {
    folded(store.load(&schema(1), all()).unwrap().unwrap())
}

#[test]
fn merged_rows_come_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    for id in 1..=3 {
        let mut checkpoint = Checkpoint::new(CheckpointId(id));
        let rows = pairs((0..50).map(|key| (key, 1)));
        checkpoint.deltas = vec![delta(1, DeltaKind::Merge, 100, &rows)];
        store.commit(checkpoint).unwrap();
    }
    drop(store);
    let mut store = open(dir.path());
    assert_eq!(
        all_rows(&mut store),
        pairs_at(100, (0..50).map(|key| (key, 3)))
    );
    assert_eq!(store.job().unwrap().progress.committed, CheckpointId(3));
}

/// The rows of a restored state by time and key, folded as an operator would.
pub(super) fn folded(state: RestoredState) -> BTreeMap<(i64, String), i64> {
    let mut runs: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
    for (time, records) in state.rows {
        runs.entry(time.millis()).or_default().push(records);
    }
    let mut rows = BTreeMap::new();
    for (time, runs) in runs {
        let records = Sum.fold(&runs).unwrap();
        let keys = records.column(0).as_string::<i32>();
        let values = records.column(1).as_primitive::<Int64Type>();
        for row in 0..records.num_rows() {
            rows.insert((time, keys.value(row).to_owned()), values.value(row));
        }
    }
    rows
}

/// Folds without a threshold, so that small tests fold too.
const EAGER: OpenOptions = OpenOptions {
    cache_bytes: 1024 * 1024,
    fold_bytes_min: 0,
    fold_slice_bytes: 4 * 1024,
};

pub(super) fn open_eager(disk: &Disk) -> Store {
    open_eager_for(disk, Decider::State)
}

/// As above; a job that begins has this decider.
pub(super) fn open_eager_for(disk: &Disk, decider: Decider) -> Store {
    begin_for(Store::with_backend(disk.clone(), EAGER).unwrap(), decider)
}

fn begin(store: Store) -> Store {
    begin_for(store, Decider::State)
}

pub(super) fn begin_for(mut store: Store, decider: Decider) -> Store {
    begin_job(&mut store, decider);
    store
}

fn begin_job(store: &mut Store, decider: Decider) {
    if store.job().is_none() {
        let plan = "plan".to_owned();
        let header = Header::new("test".to_owned(), plan, groups(), decider, EventTime::MIN);
        store.create_job(header).unwrap();
        if decider == Decider::Kafka {
            store.note_claim(None, Claim::random()).unwrap();
            store.note_claimed().unwrap();
        }
    }
    store.register(schema(1)).unwrap();
}

/// A delta of the key groups `range` without rows.
fn time_only(range: (u16, u16), watermark: i64, late_records: u64) -> OperatorDelta {
    let (start, end) = range;
    OperatorDelta {
        operator: OperatorId(1),
        range: KeyRange { start, end },
        watermark: EventTime::from_millis(watermark),
        late_records,
        closed_until: None,
        rows: vec![],
    }
}

#[test]
fn ranges_of_other_tasks_keep_their_time_and_late_rows() {
    let disk = Disk::default();
    let mut store = open_eager(&disk);
    let commit = |store: &mut Store, id, deltas| {
        let mut checkpoint = Checkpoint::new(CheckpointId(id));
        checkpoint.deltas = deltas;
        store.commit(checkpoint).unwrap();
    };
    let found = |store: &mut Store, start, end| {
        let state = store.load(&schema(1), KeyRange { start, end }).unwrap();
        state.map(|state| (state.watermark.millis(), state.late_records))
    };
    assert_eq!(found(&mut store, 0, 12), None);
    let three = [(0, 4), (4, 8), (8, 12)];
    let deltas = three.map(|range| time_only(range, 10, 5)).to_vec();
    commit(&mut store, 1, deltas);
    assert_eq!(found(&mut store, 0, 12), Some((10, 15)));
    // Two tasks go on; what the second takes over from the middle one is its time
    // only, because the first has its late rows.
    assert_eq!(found(&mut store, 0, 6), Some((10, 10)));
    assert_eq!(found(&mut store, 6, 12), Some((10, 5)));
    commit(&mut store, 2, vec![time_only((6, 12), 20, 6)]);
    drop(store);
    let mut store = open_eager(&disk);
    assert_eq!(found(&mut store, 0, 6), Some((10, 10)));
    assert_eq!(found(&mut store, 6, 12), Some((20, 6)));
    assert_eq!(found(&mut store, 0, 12), Some((10, 16)));
    commit(&mut store, 3, vec![time_only((0, 6), 20, 11)]);
    assert_eq!(found(&mut store, 0, 12), Some((20, 17)));
    // One in the middle of another leaves both of its sides.
    commit(&mut store, 4, vec![time_only((2, 4), 30, 1)]);
    assert_eq!(found(&mut store, 0, 2), Some((20, 11)));
    assert_eq!(found(&mut store, 2, 4), Some((30, 1)));
    assert_eq!(found(&mut store, 4, 6), Some((20, 0)));
}

#[test]
fn closing_concerns_its_own_range_alone() {
    let disk = Disk::default();
    let mut store = open_eager(&disk);
    let keys = pairs((0..60).map(|key| (key, 1)));
    let mut first = Checkpoint::new(CheckpointId(1));
    first.deltas = vec![
        delta(1, DeltaKind::Put, 5, &keys),
        delta(1, DeltaKind::Put, i64::MAX, &keys),
    ];
    store.commit(first).unwrap();
    let rows = |store: &mut Store, start, end| {
        let state = store.load(&schema(1), KeyRange { start, end }).unwrap();
        folded(state.unwrap()).into_keys().collect::<Vec<_>>()
    };
    let upper = rows(&mut store, 6, 12);
    let lower_for_ever: Vec<_> = rows(&mut store, 0, 6)
        .into_iter()
        .filter(|(time, _)| *time == i64::MAX)
        .collect();
    assert!(!upper.is_empty() && !lower_for_ever.is_empty());
    let mut second = Checkpoint::new(CheckpointId(2));
    let mut closing = time_only((0, 6), 7, 0);
    // Not even the end of all time closes state without time.
    closing.closed_until = Some(EventTime::MAX);
    second.deltas = vec![closing];
    store.commit(second).unwrap();
    for _ in 0..2 {
        assert_eq!(rows(&mut store, 0, 6), lower_for_ever);
        assert_eq!(rows(&mut store, 6, 12), upper);
        drop(store);
        store = open_eager(&disk);
    }
    assert!(store.fold_idle().unwrap());
    assert_eq!(store.stats().closed_backlog, 0);
    assert_eq!(rows(&mut store, 0, 6), lower_for_ever);
}

#[test]
fn splits_outputs_and_dead_letters_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let split = |name: &str, ordinal, position: Option<i64>| SplitRecord {
        operator: OperatorId(0),
        split: name.to_owned(),
        ordinal,
        spec: json!({ "bound": 10 }),
        position: position.map(|offset| json!(offset)),
        watermark: EventTime::from_millis(5),
        idle: false,
        finished: false,
        rows: 7,
        bytes: 70,
    };
    let open_outputs = |task, outputs: Vec<Value>| OpenOutputs {
        operator: OperatorId(2),
        task,
        outputs,
    };
    let letters = DeadLetterFile {
        name: "0-0.jsonl".to_owned(),
        bytes: 10,
        rows: 1,
    };
    let mut first = Checkpoint::new(CheckpointId(1));
    first.splits = vec![split("b", 1, None), split("a", 2, None)];
    first.complete_sources = vec![OperatorId(0)];
    first.publish = vec![(OperatorId(2), json!("x")), (OperatorId(3), json!("y"))];
    first.open = vec![
        open_outputs(0, vec![json!(1), json!(2)]),
        open_outputs(1, vec![json!(3)]),
    ];
    store.commit(first).unwrap();
    let mut second = Checkpoint::new(CheckpointId(2));
    second.splits = vec![split("b", 1, Some(7))];
    second.publish = vec![(OperatorId(2), json!("z"))];
    second.open = vec![open_outputs(0, vec![])];
    second.dead_letters = vec![letters.clone()];
    store.commit(second).unwrap();
    drop(store);

    let mut store = open(dir.path());
    let (splits, complete) = store.splits(OperatorId(0)).unwrap();
    assert_eq!(splits, [split("b", 1, Some(7)), split("a", 2, None)]);
    assert!(complete);
    assert_eq!(store.splits(OperatorId(1)).unwrap(), (vec![], false));
    assert_eq!(store.dead_letter_files().unwrap(), [letters]);
    let (one, two) = (CheckpointId(1), CheckpointId(2));
    let outputs = store.outputs(OperatorId(2)).unwrap();
    assert_eq!(outputs.publish, [(one, json!("x")), (two, json!("z"))]);
    assert_eq!(outputs.open, [json!(3)]);

    let mut third = Checkpoint::new(CheckpointId(3));
    third.confirmed = vec![one];
    store.commit(third).unwrap();
    let outputs = store.outputs(OperatorId(2)).unwrap();
    assert_eq!(outputs.publish, [(two, json!("z"))]);
    assert_eq!(store.outputs(OperatorId(3)).unwrap(), Outputs::default());
    store.settle(&[OperatorId(2)]).unwrap();
    assert_eq!(store.outputs(OperatorId(2)).unwrap(), Outputs::default());
    let finished = Finished {
        at: EventTime::from_millis(1),
        rows_read: 2,
        bytes_read: 3,
        splits: 2,
    };
    store.finish(finished.clone()).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.job().unwrap().progress.finished, Some(finished));
}

#[test]
fn a_second_store_on_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    let error = Store::open(dir.path(), OpenOptions::default())
        .err()
        .unwrap();
    let path = dir.path().display();
    assert_eq!(
        error.to_string(),
        format!("the data directory {path} is in use by another process")
    );
}

#[test]
fn other_formats_are_refused_in_one_sentence() {
    for (format, word) in [("0", "older"), ("2", "newer")] {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()));
        let database = redb::Database::open(dir.path().join("state.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut meta = transaction.open_table(layout::META).unwrap();
            meta.insert("format", format.as_bytes()).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        let error = Store::open(dir.path(), OpenOptions::default())
            .err()
            .unwrap();
        let expected = format!("state.redb has the {word} format {format}, ");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn a_half_made_file_of_an_earlier_start_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".state.redb"), b"half").unwrap();
    drop(open(dir.path()));
    assert!(!dir.path().join(".state.redb").exists());
}

#[test]
fn other_columns_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut checkpoint = Checkpoint::new(CheckpointId(1));
    checkpoint.deltas = vec![delta(1, DeltaKind::Put, 0, &pairs([(1, 1)]))];
    store.commit(checkpoint).unwrap();
    let mut other = schema(1);
    other.key_columns = 2;
    assert!(matches!(store.load(&other, all()), Err(Error::Format(_))));
}

/// Live rows of 1 MB, updated 20 times over in a random order.
#[test]
fn file_stays_small_under_updates() {
    const KEYS: usize = 4_000;
    const CHANGES: usize = 400;
    let disk = Disk::default();
    let options = OpenOptions {
        fold_slice_bytes: 256 * 1024,
        ..OpenOptions::default()
    };
    let mut store = Store::with_backend(disk.clone(), options).unwrap();
    let groups = KeyGroups::new(8).unwrap();
    let plan = "plan".to_owned();
    let header = Header::new(
        "test".to_owned(),
        plan,
        groups,
        Decider::State,
        EventTime::MIN,
    );
    store.create_job(header).unwrap();
    store.register(schema(1)).unwrap();
    let name = |key: usize| format!("{key:0>240}");
    let mut random = 1_u64;
    let mut peak_allocated = 0;
    for id in 1..=(KEYS * 21 / CHANGES) {
        let mut keys = std::collections::BTreeSet::new();
        if id <= KEYS / CHANGES {
            keys.extend((id - 1) * CHANGES..id * CHANGES);
        }
        while keys.len() < CHANGES {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            keys.insert(usize::try_from(random >> 40).unwrap() % KEYS);
        }
        let changed: Vec<_> = keys.into_iter().map(|key| (name(key), 1)).collect();
        let mut delta = delta(1, DeltaKind::Merge, i64::MAX, &changed);
        delta.range = groups.all();
        let mut checkpoint = Checkpoint::new(CheckpointId(id as u64));
        checkpoint.deltas = vec![delta];
        store.commit(checkpoint).unwrap();
        if let Some(job) = store.plan_fold().unwrap() {
            store.stage(job.run()).unwrap();
        }
        if id % 5 == 0 {
            peak_allocated = peak_allocated.max(store.allocated_bytes().unwrap());
        }
    }
    let live = (KEYS * (240 + 12)) as u64;
    let allocated = store.allocated_bytes().unwrap();
    let file = disk.0.lock().len() as u64;
    assert!(allocated <= 2 * live, "{allocated} of {live}");
    assert!(file <= 2 * peak_allocated, "{file} of {peak_allocated}");
}

#[test]
fn handle_commits_folds_and_frees_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let handle = StoreHandle::open(dir.path(), EAGER).unwrap();
        handle
            .call(|store| {
                begin_job(store, Decider::State);
                Ok(())
            })
            .await
            .unwrap();
        for id in 1..=20 {
            let mut checkpoint = Checkpoint::new(CheckpointId(id));
            let rows = pairs((0..50).map(|key| (key, 1)));
            checkpoint.deltas = vec![delta(1, DeltaKind::Merge, 100, &rows)];
            let written = handle.commit(checkpoint).await.unwrap();
            assert_eq!(written.delta_rows, 50);
        }
        // Folding runs beside; that it comes through shows in the pages.
        while handle
            .call(|store| Ok(store.stats().page_bytes))
            .await
            .unwrap()
            == 0
        {
            handle.call(Store::fold_idle).await.unwrap();
        }
        handle.close().await;
        let mut store = open(dir.path());
        assert_eq!(
            all_rows(&mut store),
            pairs_at(100, (0..50).map(|key| (key, 20)))
        );
    });
}
