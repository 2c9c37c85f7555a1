//! The store against a naive model, through any order of checkpoints, decisions,
//! folds and restarts, restored at any number of tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{Disk, begin_for, delta, folded, groups, open_eager_for, rows, schema};
use super::*;
use crate::stream::{CheckpointId, EventTime, OperatorId};

const SOURCE: OperatorId = OperatorId(0);
const SINK: OperatorId = OperatorId(9);

/// One step of a random life of a store.
#[derive(Clone, Debug)]
enum Step {
    /// A checkpoint, which is decided or prepared.
    Commit(Change),
    /// What is prepared is decided.
    Decide,
    /// What is prepared is taken back.
    RollBack,
    /// A decision is made durable, by this or that.
    Note(Note),
    Fold,
    FoldIdle,
    Reopen,
    RemoveJob,
}

#[derive(Clone, Copy, Debug)]
enum Note {
    Decided,
    Confirmed,
}

/// What a checkpoint of this many tasks changes.
#[derive(Clone, Debug)]
struct Change {
    tasks: usize,
    /// Time, key, value.
    rows: Vec<(i64, usize, i64)>,
    kind: DeltaKind,
    closed_until: Option<i64>,
    /// Splits that were found or read on, and whether there are no more.
    splits: Vec<u8>,
    complete: bool,
    /// Tasks of the sink and how many outputs each has open.
    open: Vec<(u32, u32)>,
    dead_letters: Vec<u8>,
    /// Whether the outputs of the checkpoint before are confirmed.
    confirms: bool,
}

fn changes() -> impl Strategy<Value = Change> {
    let rows = prop::collection::vec((0_i64..6, 0_usize..60, -9_i64..9), 0..80);
    let kind = prop_oneof![Just(DeltaKind::Merge), Just(DeltaKind::Put)];
    let closed = prop_oneof![2 => Just(None), 1 => (0_i64..6).prop_map(Some)];
    let small = (
        prop::collection::vec(0_u8..4, 0..3),
        prop::bool::weighted(0.1),
        prop::collection::vec((0_u32..3, 0_u32..3), 0..3),
        prop::collection::vec(0_u8..3, 0..2),
        any::<bool>(),
    );
    (1_usize..5, rows, kind, closed, small).prop_map(|(tasks, rows, kind, closed_until, small)| {
        let (splits, complete, open, dead_letters, confirms) = small;
        Change {
            tasks,
            rows,
            kind,
            closed_until,
            splits,
            complete,
            open,
            dead_letters,
            confirms,
        }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let checkpoint = changes().prop_map(|change| vec![Step::Commit(change)]);
    let alone = prop_oneof![
        6 => Just(Step::Fold),
        2 => Just(Step::FoldIdle),
        2 => Just(Step::Reopen),
        1 => Just(Step::RemoveJob),
    ];
    let alone = alone.prop_map(|step| vec![step]);
    let steps = prop::collection::vec(
        prop_oneof![6 => checkpoint, 6 => decisions(), 11 => alone],
        1..30,
    );
    steps.prop_map(|steps| steps.concat())
}

/// A checkpoint with what may come before its decision and after it.
fn decisions() -> impl Strategy<Value = Vec<Step>> {
    let meanwhile = prop_oneof![
        3 => Just(Step::FoldIdle),
        1 => Just(Step::Fold),
        1 => Just(Step::Note(Note::Decided)),
        1 => Just(Step::Note(Note::Confirmed)),
        1 => Just(Step::Reopen),
    ];
    let decision = prop_oneof![Just(Step::Decide), Just(Step::RollBack)];
    let before = prop::collection::vec(meanwhile.clone(), 0..3);
    let after = prop::collection::vec(meanwhile, 0..2);
    (changes(), before, decision, after).prop_map(|(change, before, decision, after)| {
        let mut steps = vec![Step::Commit(change)];
        steps.extend(before);
        steps.push(decision);
        steps.extend(after);
        steps
    })
}

/// What a store must hold: the plainest thing that could.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    rows: BTreeMap<(i64, String), i64>,
    closed_until: Option<i64>,
    /// The number of the last checkpoint; it is also its watermark and its late rows.
    checkpoint: u64,
    /// Name and position, by the order in which they were found.
    splits: Vec<(String, u64)>,
    complete: bool,
    outputs: Vec<(CheckpointId, Value)>,
    open: BTreeMap<u32, Vec<Value>>,
    dead_letters: BTreeMap<String, u64>,
}

/// Contents, and what they would be again after a roll back.
#[derive(Default)]
struct Model {
    now: Content,
    before: Option<Content>,
}

impl Content {
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

    fn forget_outputs(&mut self, confirmed: &[CheckpointId]) {
        self.outputs.retain(|(of, _)| !confirmed.contains(of));
    }

    fn close(&mut self, until: i64) {
        self.closed_until = self.closed_until.max(Some(until));
        self.rows.retain(|(time, _), _| *time > until);
    }
}

impl Change {
    /// The checkpoint, and the same change to what a store must hold.
    fn make(&self, content: &mut Content) -> Checkpoint {
        content.checkpoint += 1;
        let mut checkpoint = Checkpoint::new(CheckpointId(content.checkpoint));
        if let Some(until) = self.closed_until {
            content.close(until);
        }
        // Each key at most once in a batch.
        let mut by_time: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
        for (time, key, value) in &self.rows {
            let keys = by_time.entry(*time).or_default();
            keys.insert(format!("key-{key}"), *value);
        }
        for task in 0..self.tasks {
            let delta = self.delta_of_task(task, &by_time, content);
            checkpoint.deltas.push(delta);
        }
        self.make_ends(&mut checkpoint, content);
        checkpoint
    }

    fn delta_of_task(
        &self,
        task: usize,
        by_time: &BTreeMap<i64, BTreeMap<String, i64>>,
        content: &mut Content,
    ) -> OperatorDelta {
        let range = groups().range_of_task(task, self.tasks);
        let mut delta = delta(1, self.kind, 0, &[]);
        delta.range = range;
        delta.watermark = EventTime::from_millis(i64::try_from(content.checkpoint).unwrap());
        delta.late_records = if task == 0 { content.checkpoint } else { 0 };
        delta.closed_until = self.closed_until.map(EventTime::from_millis);
        delta.rows.clear();
        for (time, keys) in by_time {
            let owned: Vec<_> = keys
                .iter()
                .filter(|(key, _)| {
                    let keys: ArrayRef = Arc::new(StringArray::from(vec![key.as_str()]));
                    range.contains(groups().of_rows(&[keys], 1)[0])
                })
                .map(|(key, value)| (key.clone(), *value))
                .collect();
            content.apply(self.kind, *time, &owned);
            delta.rows.push(DeltaRows {
                kind: self.kind,
                time: EventTime::from_millis(*time),
                records: rows(&owned),
            });
        }
        delta
    }

    /// Splits, outputs and dead letters.
    fn make_ends(&self, checkpoint: &mut Checkpoint, content: &mut Content) {
        let number = content.checkpoint;
        for split in &self.splits {
            let name = format!("split-{split}");
            let known = content.splits.iter().position(|(of, _)| *of == name);
            let place = known.unwrap_or(content.splits.len());
            match known {
                Some(place) => content.splits[place].1 = number,
                None => content.splits.push((name.clone(), number)),
            }
            checkpoint.splits.push(split_record(name, place, number));
        }
        if self.complete {
            content.complete = true;
            checkpoint.complete_sources.push(SOURCE);
        }
        if self.confirms {
            let last = CheckpointId(number - 1);
            content.forget_outputs(&[last]);
            checkpoint.confirmed.push(last);
        }
        for output in 0..number % 3 {
            let output = json!(format!("part-{number}-{output}"));
            content.outputs.push((checkpoint.id, output.clone()));
            checkpoint.publish.push((SINK, output));
        }
        for (task, count) in &self.open {
            let outputs: Vec<_> = (0..*count)
                .map(|file| json!([number, task, file]))
                .collect();
            content.open.insert(*task, outputs.clone());
            checkpoint.open.push(OpenOutputs {
                operator: SINK,
                task: *task,
                outputs,
            });
        }
        for file in &self.dead_letters {
            let name = format!("{file}.jsonl");
            content.dead_letters.insert(name.clone(), number);
            let (bytes, rows) = (number, number);
            checkpoint
                .dead_letters
                .push(DeadLetterFile { name, bytes, rows });
        }
    }
}

fn split_record(split: String, place: usize, position: u64) -> SplitRecord {
    SplitRecord {
        operator: SOURCE,
        split,
        ordinal: place as u64,
        spec: Value::Null,
        position: Some(json!(position)),
        watermark: EventTime::from_millis(i64::try_from(position).unwrap()),
        idle: false,
        finished: false,
        rows: position,
        bytes: position,
    }
}

fn check(store: &mut Store, model: &Model, tasks: usize) {
    let content = &model.now;
    let mut found = BTreeMap::new();
    let mut late_records = 0;
    for task in 0..tasks {
        let range = groups().range_of_task(task, tasks);
        let Some(state) = store.load(&schema(1), range).unwrap() else {
            continue;
        };
        late_records += state.late_records;
        let watermark = state.watermark.millis().cast_unsigned();
        assert_eq!(watermark, content.checkpoint);
        for ((time, key), value) in folded(state) {
            let double = found.insert((time, key), value);
            assert_eq!(double, None, "two tasks hold one key");
        }
    }
    assert_eq!(found, content.rows);
    assert_eq!(late_records, content.checkpoint);
    let progress = &store.job().unwrap().progress;
    assert_eq!(progress.prepared, CheckpointId(content.checkpoint));
    let undecided = model.before.as_ref().map(|_| progress.prepared);
    assert_eq!(progress.undecided(), undecided);
    check_ends(store, content, undecided.is_none());
}

fn check_ends(store: &mut Store, content: &Content, decided: bool) {
    let (splits, complete) = store.splits(SOURCE).unwrap();
    let expected = (0..).zip(&content.splits);
    let expected: Vec<_> = expected
        .map(|(place, (name, position))| split_record(name.clone(), place, *position))
        .collect();
    assert_eq!((splits, complete), (expected, content.complete));
    let files = store.dead_letter_files().unwrap().into_iter();
    let lengths: BTreeMap<_, _> = files.map(|file| (file.name, file.bytes)).collect();
    assert_eq!(lengths, content.dead_letters);
    // Nobody may ask for the outputs of what may be rolled back.
    if decided {
        let outputs = store.outputs(SINK).unwrap();
        assert_eq!(outputs.publish, content.outputs);
        let open: Vec<_> = content.open.values().flatten().cloned().collect();
        assert_eq!(outputs.open, open);
    }
}

/// A store with its model, and a fold job that is under way.
struct Life {
    decider: Decider,
    disk: Disk,
    store: Option<Store>,
    model: Model,
    job: Option<FoldJob>,
}

impl Life {
    fn new(decider: Decider) -> Self {
        let disk = Disk::default();
        Self {
            decider,
            store: Some(open_eager_for(&disk, decider)),
            disk,
            model: Model::default(),
            job: None,
        }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Commit(change) => {
                self.decide();
                let mut before = self.model.now.clone();
                let checkpoint = change.make(&mut self.model.now);
                // What was published stays published, whatever becomes of this one.
                before.forget_outputs(&checkpoint.confirmed);
                self.store().commit(checkpoint).unwrap();
                self.model.before = (self.decider == Decider::Kafka).then_some(before);
            }
            Step::Decide => self.decide(),
            Step::RollBack => {
                if let Some(before) = self.model.before.take() {
                    self.store().roll_back().unwrap();
                    self.model.now = before;
                }
            }
            Step::Note(note) => self.note(*note),
            Step::Fold => match self.job.take() {
                // What was planned an arbitrary time ago is carried out now.
                Some(job) => self.store().stage(job.run()).unwrap(),
                None => self.job = self.store().plan_fold().unwrap(),
            },
            Step::FoldIdle => {
                self.store().fold_idle().unwrap();
            }
            Step::Reopen => self.reopen(),
            Step::RemoveJob => {
                self.store().remove_job().unwrap();
                let store = self.store.take().unwrap();
                self.store = Some(begin_for(store, self.decider));
                self.model = Model::default();
            }
        }
    }

    fn decide(&mut self) {
        if self.model.before.take().is_some() {
            let checkpoint = CheckpointId(self.model.now.checkpoint);
            self.store().decided(checkpoint).unwrap();
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Decided => self.store().note_decided().unwrap(),
            Note::Confirmed => {
                let now = self.model.now.checkpoint;
                let undecided = u64::from(self.model.before.is_some());
                let last = CheckpointId(now.saturating_sub(undecided));
                self.store().confirm(&[last]).unwrap();
                for content in self.model.before.iter_mut().chain([&mut self.model.now]) {
                    content.forget_outputs(&[last]);
                }
            }
        }
    }

    /// Opens the store again. A decision that was not yet durable is open then, and
    /// the decider says the same again.
    fn reopen(&mut self) {
        self.job = None;
        self.store = None;
        self.store = Some(open_eager_for(&self.disk, self.decider));
        if self.model.before.is_none()
            && let Some(again) = self.store().job().unwrap().progress.undecided()
        {
            self.store().decided(again).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn store_equals_the_model(steps in steps(), tasks in 1_usize..6) {
        for decider in [Decider::State, Decider::Kafka] {
            let mut life = Life::new(decider);
            for step in &steps {
                life.step(step);
                check(life.store.as_mut().unwrap(), &life.model, tasks);
            }
        }
    }
}
