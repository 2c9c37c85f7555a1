//! Whether the state of queries that forget stays as large as it is, however long they run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use serde_json::json;
use thalweg::pipeline::{self, Options, Status};
use thalweg::sql::{SourceFile, render};
use tokio_util::sync::CancellationToken;

use crate::bids;
use crate::cost::ratio;
use crate::machine;
use crate::recorder::Recorder;
use crate::state_space::bytes_on_disk;

/// What may be taken in the last half of the events, of what was taken in the first.
const GROWTH_MAX: f64 = 1.25;

/// How often the sizes are looked at, and a checkpoint is taken.
const LOOK: Duration = Duration::from_millis(50);

/// A query that forgets keys, over the table `bid`.
struct Query {
    name: &'static str,
    text: &'static str,
}

const QUERIES: &[Query] = &[
    Query {
        name: "tumble",
        text: "SELECT auction, COUNT(*) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, auction",
    },
    Query {
        name: "cumulate",
        text: "SELECT auction, COUNT(*) FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND, INTERVAL '60' SECOND)) GROUP BY window_start, window_end, auction",
    },
    Query {
        name: "distinct",
        text: "SELECT auction, COUNT(DISTINCT bidder) FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, auction",
    },
    Query {
        name: "session",
        text: "SELECT bidder, COUNT(*) FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, bidder",
    },
    Query {
        name: "updating, forgotten after a second",
        text: "SELECT auction, COUNT(*) FROM bid GROUP BY auction",
    },
];

/// What the state takes, on disk and in memory, while queries that forget run on and on; fails if
/// the last half of the events needs more than the first.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Events that the generator makes, of 10,000 a second of event time.
    #[arg(long, default_value_t = 50_000_000)]
    events: u64,
}

/// The most that was taken in each half of the events.
#[derive(Default)]
struct Halves {
    disk: [u64; 2],
    memory: [u64; 2],
}

impl Halves {
    fn look(&mut self, half: usize, state: &Path) -> Result<()> {
        if let Ok(bytes) = bytes_on_disk(state) {
            self.disk[half] = self.disk[half].max(bytes);
        }
        self.memory[half] = self.memory[half].max(machine::resident_bytes()?);
        Ok(())
    }
}

/// Runs each query.
///
/// # Errors
/// If one fails, or takes more and more.
pub fn run(arguments: &Arguments, recorder: &mut Recorder) -> Result<()> {
    let mut growing = Vec::new();
    for query in QUERIES {
        let halves = watch(query, arguments.events)?;
        let parameters = json!({ "query": query.name, "events": arguments.events });
        for (of, [first, last]) in [("disk", halves.disk), ("memory", halves.memory)] {
            let mut note = |figure: String, value, unit: &str| {
                recorder.figure(&figure, value, unit, &parameters)
            };
            note(format!("most {of}, first half"), ratio(first) / 1e6, "MB")?;
            note(format!("most {of}, last half"), ratio(last) / 1e6, "MB")?;
            if ratio(last) > ratio(first) * GROWTH_MAX {
                growing.push(format!("{} ({of})", query.name));
            }
        }
    }
    ensure!(growing.is_empty(), "these grow: {}", growing.join(", "));
    Ok(())
}

fn watch(query: &Query, events: u64) -> Result<Halves> {
    let dir = tempfile::tempdir()?;
    let state = dir.path().join("state");
    let files = [SourceFile {
        name: "bench.sql".to_owned(),
        text: program(query, events),
    }];
    let program = pipeline::compile(&files, &BTreeMap::new())
        .map_err(|diagnostics| anyhow!(render(&diagnostics, &files)))?;
    let options = Options::new(state.clone(), 1);
    let status = Arc::new(Status::default());
    let mut halves = Halves::default();
    thread::scope(|scope| {
        let shown = Arc::clone(&status);
        let job = scope.spawn(|| pipeline::run(program, options, shown, CancellationToken::new()));
        while !job.is_finished() {
            thread::park_timeout(LOOK);
            let read = status.snapshot().progress;
            let read = read.map_or(0, |progress| progress.rows);
            halves.look(usize::from(read > events / 2), &state)?;
        }
        let ended = job.join().map_err(|_| anyhow!("the job panicked"))?;
        ended?;
        Ok::<_, anyhow::Error>(())
    })?;
    ensure!(
        halves.disk.iter().all(|bytes| *bytes > 0),
        "too few events to look at"
    );
    Ok(halves)
}

fn program(query: &Query, events: u64) -> String {
    format!(
        "SET 'execution.checkpointing.interval' = '{} ms';\n\
         SET 'table.exec.state.ttl' = '1 s';\n\
         CREATE TABLE bid ({}) WITH ('connector' = 'nexmark', 'event' = 'bid', \
         'events.num' = '{events}', 'start-time' = '2026-01-01 00:00:00');\n\
         CREATE TABLE nowhere (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');\n\
         INSERT INTO nowhere {};",
        LOOK.as_millis(),
        bids::COLUMNS,
        query.text,
    )
}
