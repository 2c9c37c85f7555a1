//! Kafka to Kafka under `kill -9`: nothing lost, nothing doubled, nothing wrong.

use std::time::Duration;

use crate::broker;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Running, Workspace, wait_until};

/// How many kills, and how many rows are written between two of them.
const KILLS: u32 = if cfg!(feature = "campaign") { 300 } else { 10 };
const ROWS_PER_LIFE: u32 = if cfg!(feature = "campaign") {
    10_000
} else {
    30_000
};
const ROWS: u32 = (KILLS + 1) * ROWS_PER_LIFE;

/// The last checkpoint that a running job has decided; `None` if it has ended.
fn last_checkpoint(running: &Running) -> Option<u64> {
    let (_, metrics) = running.try_get("/metrics")?;
    let line = metrics
        .lines()
        .find(|line| line.starts_with("thalweg_checkpoint_last_id"));
    let last = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    Some(last.unwrap_or(0))
}

/// The next random number (xorshift).
pub fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn random_kills_leave_every_row_once() {
    let brokers = broker::one();
    let topics = Topics::new(brokers);
    let workspace = Workspace::new();
    workspace.write("job.sql", &topics.program(brokers, false));
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let arguments = ["--workers", "2", "job.sql"];
    let mut decided = 0;
    for kill in 0..KILLS {
        topics.write(brokers, kill * ROWS_PER_LIFE..(kill + 1) * ROWS_PER_LIFE);
        let running = workspace.start(&arguments);
        // It must have got on since the last kill, and then be hit at any moment. All new
        // rows may be in one checkpoint, so more than one cannot be waited for.
        wait_until("a checkpoint is decided", || {
            last_checkpoint(&running).is_none_or(|last| last > decided)
        });
        std::thread::park_timeout(Duration::from_millis(random(&mut seed) % 300));
        let last = last_checkpoint(&running);
        let ended = running.kill();
        decided = last.unwrap_or_else(|| panic!("it ended before kill {kill}: {}", ended.stderr));
    }
    topics.write(brokers, KILLS * ROWS_PER_LIFE..ROWS);
    topics.close(brokers);
    let running = workspace.start(&arguments);
    let is_written = |topic: &str, rows: usize| brokers.committed(topic).len() >= rows;
    wait_until("all rows are written", || {
        is_written(&topics.copies, ROWS as usize)
            && is_written(&topics.windows, windows(ROWS).len())
    });
    assert_eq!(running.terminate().status, 0);
    topics.check(brokers, ROWS).unwrap();
}
