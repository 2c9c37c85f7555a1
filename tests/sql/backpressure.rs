//! A sink that takes nothing stops the source, and loses nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use thalweg::connectors::{JobContext, OptionError, TableOptions};
use thalweg::metrics::TaskMetrics;
use thalweg::pipeline::{self, Ends, Outcome, Status};
use thalweg::runtime::{
    Committer, Prepared, Result, Sink, SinkFactory, SinkTask, SourceFactory, Written,
};
use thalweg::sql::SourceFile;
use thalweg::stream::{Barrier, Batch, ChangeKind};
use tokio::sync::watch;

use crate::golden::{Golden, Input, Item};
use crate::play::options;
use crate::script_source::ScriptSource;
use crate::world::{Break, World};

const ROWS: usize = 2_000;
/// Rows that may be under way: four messages on the one channel, one in the hands
/// of each task at its ends.
const UNDER_WAY_MAX: u64 = 6;

/// Reads a script, a row a batch; writes when it is allowed to.
struct GatedEnds {
    world: Arc<World>,
    gate: Gate,
}

/// Whether rows are taken, and how many were.
#[derive(Clone)]
struct Gate {
    open: watch::Receiver<bool>,
    taken: Arc<watch::Sender<usize>>,
}

type Made<T> = std::result::Result<Arc<T>, Vec<OptionError>>;

impl Ends for GatedEnds {
    fn source(&self, _: &str, table: &TableOptions, _: &JobContext) -> Made<dyn SourceFactory> {
        Ok(Arc::new(ScriptSource::new(&self.world, table)?))
    }

    fn sink(&self, _: &str, _: &TableOptions, _: &JobContext) -> Made<dyn SinkFactory> {
        Ok(Arc::new(self.gate.clone()))
    }
}

impl SinkFactory for Gate {
    fn sink(&self, _: SinkTask) -> Result<Box<dyn Sink>> {
        Ok(Box::new(self.clone()))
    }

    fn committer(&self) -> Option<Arc<dyn Committer>> {
        None
    }
}

#[async_trait]
impl Sink for Gate {
    async fn write(&mut self, batch: Batch) -> Result<Written> {
        let _ = self.open.wait_for(|open| *open).await;
        let rows = batch.num_rows();
        self.taken.send_modify(|taken| *taken += rows);
        Ok(Written::default())
    }

    async fn prepare(&mut self, _: Barrier) -> Result<Prepared> {
        Ok(Prepared::default())
    }
}

fn golden() -> Golden {
    let rows = (0..ROWS).map(|id| Item::Row(ChangeKind::Insert, format!(r#"{{"id":{id}}}"#)));
    let empty = Vec::new();
    let input = |items| Input::of(vec![("1".to_owned(), items)]);
    Golden {
        statement: "CREATE TABLE a (id INT) WITH ('connector' = 'script');\n\
                    CREATE TABLE b (id INT) WITH ('connector' = 'script');\n\
                    CREATE TABLE sink (id INT) WITH ('connector' = 'gate');\n\
                    INSERT INTO sink SELECT id FROM a UNION ALL SELECT id FROM b"
            .to_owned(),
        inputs: BTreeMap::from([
            ("a".to_owned(), input(rows.collect())),
            ("b".to_owned(), input(empty)),
        ]),
        ..Golden::default()
    }
}

/// The task that reads `a`, once it is there and waits for room.
fn blocked_source(status: &Status) -> Arc<TaskMetrics> {
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        assert!(Instant::now() < patience, "no source is ever blocked");
        let tasks = status.snapshot().tasks;
        let source = tasks.into_iter().find(|task| {
            let read = task.records_in.load(Ordering::Relaxed);
            task.is_source && read > 0 && read == task.records_out.load(Ordering::Relaxed)
        });
        if let Some(source) = source {
            return source;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_sink_that_waits_stops_the_source() {
    let golden = golden();
    let world = Arc::new(World::new(&golden, 1));
    let (status, stop) = world.begin(1, Break::Never);
    let (open, gate) = watch::channel(false);
    let (taken, _) = watch::channel(0);
    let taken = Arc::new(taken);
    let ends = Arc::new(GatedEnds {
        world,
        gate: Gate {
            open: gate,
            taken: Arc::clone(&taken),
        },
    });
    let file = SourceFile {
        name: "gate.sql".to_owned(),
        text: golden.statement.clone(),
    };
    let settings = [("parallelism.default".to_owned(), "1".to_owned())];
    let program = pipeline::compile_with(&[file], &BTreeMap::from(settings), ends).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (watched, options) = (Arc::clone(&status), options(directory.path()));
    let run = std::thread::spawn(move || pipeline::run(program, options, status, stop));

    let source = blocked_source(&watched);
    let deadline = Instant::now() + Duration::from_mins(1);
    let read = || source.records_in.load(Ordering::Relaxed);
    // The source goes on until the edge is full, then stands.
    let mut steady = (read(), Instant::now());
    while steady.1.elapsed() < Duration::from_millis(300) {
        if read() != steady.0 {
            steady = (read(), Instant::now());
        }
        assert!(read() <= UNDER_WAY_MAX, "{} rows were read", read());
        assert!(Instant::now() < deadline, "the source never stands");
        std::thread::yield_now();
    }
    assert!(steady.0 >= 4, "the edge is not full: {} rows", steady.0);
    assert_eq!(*taken.borrow(), 0);

    open.send(true).unwrap();
    let outcome = run.join().unwrap();
    assert!(matches!(outcome, Ok(Outcome::Finished(_))), "{outcome:?}");
    assert_eq!(*taken.borrow(), ROWS);
    // It is counted when the wait is over.
    let blocked = source.times().blocked;
    assert!(blocked >= Duration::from_millis(200), "{blocked:?}");
}
