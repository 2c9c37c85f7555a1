//! Writing: hidden until decided, whole when visible, through crashes at every step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::DataType;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use super::{job, names, run, table};
use crate::connectors::sink;
use crate::runtime::{Committer, Prepared, Sink, SinkFactory, SinkTask};
use crate::stream::{Barrier, BarrierKind, Batch, CheckpointId};

fn factory(path: &Path, options: &[(&str, &str)]) -> Arc<dyn SinkFactory> {
    let options = [&[("format", "csv")], options].concat();
    sink(
        "filesystem",
        &table(path, DataType::Int64, &options),
        &job(1),
    )
    .unwrap()
}

fn open(factory: &dyn SinkFactory, restored: u64) -> Box<dyn Sink> {
    let restored = CheckpointId(restored);
    factory.sink(SinkTask { index: 0, restored }).unwrap()
}

fn batch(values: impl IntoIterator<Item = i64>) -> Batch {
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    Batch::new(RecordBatch::try_from_iter([("v", values)]).unwrap())
}

fn barrier(checkpoint: u64, kind: BarrierKind) -> Barrier {
    Barrier {
        checkpoint: CheckpointId(checkpoint),
        kind,
    }
}

/// The visible files' numbers, file by file in the order of the names.
fn visible(directory: &Path) -> Vec<i64> {
    let names = names(directory)
        .into_iter()
        .filter(|name| !name.starts_with('.'));
    let texts = names.map(|name| fs::read_to_string(directory.join(name)).unwrap());
    texts
        .flat_map(|text| {
            text.lines()
                .map(|line| line.parse().unwrap())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn hidden_name(part: &Value) -> String {
    format!(".{}.inprogress", part["file"].as_str().unwrap())
}

/// Writes two rows and takes the last checkpoint: one part file that is decided
/// and not yet published.
async fn decided(directory: &Path) -> (Arc<dyn Committer>, Vec<Value>) {
    let factory = factory(directory, &[]);
    let mut sink = open(factory.as_ref(), 0);
    sink.write(batch([1, 2])).await.unwrap();
    let prepared = sink.prepare(barrier(1, BarrierKind::Last)).await.unwrap();
    assert!(prepared.open.is_empty());
    (factory.committer().unwrap(), prepared.publish)
}

#[test]
fn nothing_is_visible_before_the_decision() {
    run(async {
        let directory = TempDir::new().unwrap();
        // Two levels that do not exist yet.
        let path = directory.path().join("a/b");
        let factory = factory(&path, &[]);
        let mut sink = open(factory.as_ref(), 7);
        assert_eq!(
            sink.prepare(barrier(8, BarrierKind::Interval))
                .await
                .unwrap(),
            Prepared::default()
        );
        assert!(!path.exists(), "a sink without rows leaves nothing");
        let written = sink.write(batch([1, 2])).await.unwrap();
        assert_eq!(written.bytes, 4);
        let first = sink
            .prepare(barrier(9, BarrierKind::Interval))
            .await
            .unwrap();
        assert!(first.publish.is_empty());
        assert_eq!(first.open[0]["length"], 4);
        assert_eq!(names(&path), [hidden_name(&first.open[0])]);
        sink.write(batch([3])).await.unwrap();
        let last = sink.prepare(barrier(10, BarrierKind::Last)).await.unwrap();
        assert!(last.open.is_empty());
        assert_eq!(
            last.publish[0]["length"], 6,
            "a part file spans checkpoints"
        );
        assert_eq!(
            visible(&path),
            [] as [i64; 0],
            "published before it was decided"
        );
        let committer = factory.committer().unwrap();
        committer.publish(&last.publish).await.unwrap();
        assert_eq!(visible(&path), [1, 2, 3]);
        committer.publish(&last.publish).await.unwrap();
        committer.recover(&last.publish, &[]).await.unwrap();
        assert_eq!(names(&path), [last.publish[0]["file"].as_str().unwrap()]);
    });
}

#[test]
fn parts_roll_by_size_and_by_time() {
    run(async {
        for (policy, batches, closed) in [
            (("sink.rolling-policy.file-size", "6"), 3, 1),
            (("sink.rolling-policy.file-size", "1"), 3, 3),
            (("sink.rolling-policy.file-size", "1kb"), 3, 0),
            (("sink.rolling-policy.rollover-interval", "0 s"), 3, 1),
            (("sink.rolling-policy.inactivity-interval", "0 s"), 3, 1),
        ] {
            let directory = TempDir::new().unwrap();
            let factory = factory(directory.path(), &[policy]);
            let mut sink = open(factory.as_ref(), 0);
            for n in 0..batches {
                sink.write(batch([n])).await.unwrap();
            }
            let prepared = sink
                .prepare(barrier(1, BarrierKind::Interval))
                .await
                .unwrap();
            assert_eq!(prepared.publish.len(), closed, "{policy:?}");
        }
    });
}

#[test]
fn two_sinks_of_one_task_number_do_not_meet() {
    run(async {
        let directory = TempDir::new().unwrap();
        let factory = factory(directory.path(), &[]);
        let (mut a, mut b) = (open(factory.as_ref(), 0), open(factory.as_ref(), 0));
        a.write(batch([1])).await.unwrap();
        b.write(batch([2])).await.unwrap();
        let committer = factory.committer().unwrap();
        for sink in [&mut a, &mut b] {
            let prepared = sink.prepare(barrier(1, BarrierKind::Last)).await.unwrap();
            committer.publish(&prepared.publish).await.unwrap();
        }
        assert_eq!(visible(directory.path()), [1, 2]);
    });
}

#[test]
fn publishing_is_redone_from_wherever_a_crash_left_it() {
    /// What stands in the directory when publishing is repeated.
    #[derive(Clone, Copy, Debug)]
    enum Left {
        Hidden,
        Visible,
        Both,
        NoDirectory,
        HiddenShort,
        VisibleShort,
    }
    run(async {
        for (left, expected) in [
            (Left::Hidden, None),
            (Left::Visible, None),
            (Left::Both, Some("another file has this name")),
            (
                Left::NoDirectory,
                Some("was decided but its directory is missing"),
            ),
            (
                Left::HiddenShort,
                Some("has 3 bytes but 4 of them were decided"),
            ),
            (
                Left::VisibleShort,
                Some("has 3 bytes but 4 of them were decided"),
            ),
        ] {
            let directory = TempDir::new().unwrap();
            let (committer, parts) = decided(directory.path()).await;
            let hidden = directory.path().join(hidden_name(&parts[0]));
            let visible_path = directory.path().join(parts[0]["file"].as_str().unwrap());
            match left {
                Left::Hidden => {}
                Left::Visible => fs::rename(&hidden, &visible_path).unwrap(),
                Left::Both => fs::write(&visible_path, "foreign").unwrap(),
                Left::NoDirectory => fs::remove_dir_all(directory.path()).unwrap(),
                Left::HiddenShort => fs::write(&hidden, "1\n2").unwrap(),
                Left::VisibleShort => {
                    fs::remove_file(&hidden).unwrap();
                    fs::write(&visible_path, "1\n2").unwrap();
                }
            }
            for recovers in [false, true] {
                let done = if recovers {
                    committer.recover(&parts, &[]).await
                } else {
                    committer.publish(&parts).await
                };
                match expected {
                    None => {
                        done.unwrap();
                        assert_eq!(visible(directory.path()), [1, 2]);
                    }
                    Some(message) => {
                        let error = done.unwrap_err().to_string();
                        assert!(error.contains(message), "{left:?}: {error}");
                    }
                }
            }
            if matches!(left, Left::Both) {
                assert_eq!(fs::read_to_string(&visible_path).unwrap(), "foreign");
            }
        }
    });
}

#[test]
fn recovery_cuts_open_parts_and_clears_only_its_own_leavings() {
    run(async {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| -> PathBuf { directory.path().join(name) };
        let factory = factory(directory.path(), &[]);
        let mut sink = open(factory.as_ref(), 0);
        sink.write(batch([1, 2])).await.unwrap();
        let decided = sink
            .prepare(barrier(1, BarrierKind::Interval))
            .await
            .unwrap();
        // Rows of a checkpoint that is never decided, in the same file and in another.
        sink.write(batch([3])).await.unwrap();
        let undecided = sink.prepare(barrier(2, BarrierKind::Last)).await.unwrap();
        sink.write(batch([4])).await.unwrap();
        sink.prepare(barrier(3, BarrierKind::Last)).await.unwrap();
        drop(sink);
        assert_eq!(undecided.publish[0]["file"], decided.open[0]["file"]);
        let foreign = [
            ".part-00000000-0-0-0.csv.inprogress",
            ".other",
            "data.csv",
            "part-00000000-0-0-0.csv",
        ];
        for name in foreign {
            fs::write(at(name), "9\n").unwrap();
        }
        let committer = factory.committer().unwrap();
        for _ in 0..2 {
            committer
                .recover(&decided.publish, &decided.open)
                .await
                .unwrap();
            let part = decided.open[0]["file"].as_str().unwrap();
            assert_eq!(fs::read_to_string(at(part)).unwrap(), "1\n2\n");
            let mut expected = [&foreign[..], &[part]].concat();
            expected.sort_unstable();
            assert_eq!(names(directory.path()), expected);
        }
        // An open part that has lost durable bytes is no part to publish.
        let mut sink = open(factory.as_ref(), 1);
        sink.write(batch([5])).await.unwrap();
        let prepared = sink
            .prepare(barrier(2, BarrierKind::Interval))
            .await
            .unwrap();
        fs::write(at(&hidden_name(&prepared.open[0])), "").unwrap();
        let error = committer
            .recover(&[], &prepared.open)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("the disk has lost some of them"), "{error}");
    });
}

/// A sink whose buffer was written when it was dropped once added rows to a part
/// file that recovery had already cut and published.
#[test]
fn a_sink_that_is_thrown_away_after_recovery_writes_nothing() {
    run(async {
        let directory = TempDir::new().unwrap();
        let factory = factory(directory.path(), &[]);
        let mut sink = open(factory.as_ref(), 0);
        sink.write(batch([1])).await.unwrap();
        let decided = sink
            .prepare(barrier(1, BarrierKind::Interval))
            .await
            .unwrap();
        sink.write(batch([2])).await.unwrap();
        factory
            .committer()
            .unwrap()
            .recover(&[], &decided.open)
            .await
            .unwrap();
        drop(sink);
        assert_eq!(visible(directory.path()), [1]);
    });
}

#[test]
fn a_row_that_cannot_be_written_is_put_aside() {
    run(async {
        let directory = TempDir::new().unwrap();
        let table = table(directory.path(), DataType::Float64, &[("format", "json")]);
        let factory = sink("filesystem", &table, &job(1)).unwrap();
        let mut sink = open(factory.as_ref(), 0);
        let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, 2.0]));
        let records = RecordBatch::try_from_iter([("v", values)]).unwrap();
        let written = sink.write(Batch::new(records)).await.unwrap();
        assert_eq!(written.dead_letters.len(), 1);
        assert_eq!(written.dead_letters[0].origin, "t");
        let prepared = sink.prepare(barrier(1, BarrierKind::Last)).await.unwrap();
        let text = fs::read_to_string(directory.path().join(hidden_name(&prepared.publish[0])));
        assert_eq!(text.unwrap(), "{\"v\":1.0}\n{\"v\":2.0}\n");
    });
}

/// One step of a run.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(u8),
    /// A checkpoint that is decided and published.
    Checkpoint,
    /// A checkpoint that is decided, then a crash before it is published.
    CrashBeforePublish,
    /// A crash after the sink has prepared, before the decision.
    CrashBeforeDecision,
    /// A crash at any other time; how often recovery itself is repeated.
    Crash(u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..5).prop_map(Step::Write),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::CrashBeforePublish),
        1 => Just(Step::CrashBeforeDecision),
        1 => (1_u8..3).prop_map(Step::Crash),
    ]
}

/// What a decided checkpoint holds.
#[derive(Clone, Debug, Default)]
struct Decided {
    checkpoint: u64,
    next_row: i64,
    publish: Vec<Value>,
    open: Vec<Value>,
}

/// A run of one sink with a source that counts, as the runtime drives them.
struct Life {
    factory: Arc<dyn SinkFactory>,
    committer: Arc<dyn Committer>,
    sink: Box<dyn Sink>,
    next_row: i64,
    decided: Decided,
}

impl Life {
    fn new(path: &Path) -> Self {
        let factory = factory(path, &[("sink.rolling-policy.file-size", "12")]);
        Self {
            committer: factory.committer().unwrap(),
            sink: open(factory.as_ref(), 0),
            factory,
            next_row: 0,
            decided: Decided::default(),
        }
    }

    async fn prepare(&mut self, kind: BarrierKind) -> Decided {
        let checkpoint = self.decided.checkpoint + 1;
        let prepared = self.sink.prepare(barrier(checkpoint, kind)).await.unwrap();
        Decided {
            checkpoint,
            next_row: self.next_row,
            publish: prepared.publish,
            open: prepared.open,
        }
    }

    async fn publish(&mut self) {
        self.committer.publish(&self.decided.publish).await.unwrap();
    }

    async fn crash(&mut self, recoveries: u8) {
        for _ in 0..recoveries {
            self.committer
                .recover(&self.decided.publish, &self.decided.open)
                .await
                .unwrap();
        }
        self.sink = open(self.factory.as_ref(), self.decided.checkpoint);
        self.next_row = self.decided.next_row;
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Write(rows) => {
                let end = self.next_row + i64::from(rows);
                self.sink.write(batch(self.next_row..end)).await.unwrap();
                self.next_row = end;
            }
            Step::Checkpoint => {
                self.decided = self.prepare(BarrierKind::Interval).await;
                self.publish().await;
            }
            Step::CrashBeforePublish => {
                self.decided = self.prepare(BarrierKind::Interval).await;
                self.crash(1).await;
            }
            Step::CrashBeforeDecision => {
                self.prepare(BarrierKind::Interval).await;
                self.crash(1).await;
            }
            Step::Crash(recoveries) => self.crash(recoveries).await,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_row_appears_once_through_any_crashes(steps in proptest::collection::vec(any_step(), 0..25)) {
        run(async {
            let directory = TempDir::new().unwrap();
            let mut life = Life::new(directory.path());
            for step in steps {
                life.step(step).await;
                let mut seen = visible(directory.path());
                seen.sort_unstable();
                assert!(seen.iter().all(|row| *row < life.decided.next_row), "a row before its decision");
                seen.dedup();
                assert_eq!(seen.len(), visible(directory.path()).len(), "a row twice");
            }
            life.decided = life.prepare(BarrierKind::Last).await;
            life.publish().await;
            let mut seen = visible(directory.path());
            seen.sort_unstable();
            assert_eq!(seen, (0..life.next_row).collect::<Vec<_>>());
            assert!(names(directory.path()).iter().all(|name| !name.starts_with('.')));
        });
    }
}
