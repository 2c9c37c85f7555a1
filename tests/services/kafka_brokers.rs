//! A job whose brokers die and come back.

use std::time::Duration;

use crate::broker::Brokers;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Workspace, wait_for};

const PATIENCE: Duration = Duration::from_mins(2);
const ROUNDS: u32 = 6;
const ROWS_PER_ROUND: u32 = 10_000;
const ROWS: u32 = ROUNDS * ROWS_PER_ROUND;

/// Each broker dies and comes back, then each is stopped in order and started again. In
/// turn they lead partitions, coordinate the transaction and hold the marker.
#[test]
fn brokers_that_die_or_restart_lose_and_double_nothing() {
    let brokers = Brokers::start(3);
    let topics = Topics::new(&brokers);
    let workspace = Workspace::new();
    let program = topics.program(&brokers, false);
    let restarting = program.replace("SET 'restart-strategy.type' = 'none';", "");
    workspace.write("job.sql", &restarting);
    let running = workspace.start(&["--workers", "2", "job.sql"]);
    for round in 0..ROUNDS {
        let rows = round * ROWS_PER_ROUND..(round + 1) * ROWS_PER_ROUND;
        topics.write(&brokers, rows.clone());
        let victim = round % 3 + 1;
        if round < ROUNDS / 2 {
            brokers.kill(victim);
        } else {
            brokers.down(victim);
        }
        wait_for(PATIENCE, "the rows are committed without a broker", || {
            brokers.committed(&topics.copies).len() >= rows.end as usize
        });
        brokers.up(victim);
        // Two that are behind at once would stop the topics.
        wait_for(PATIENCE, "the broker has caught up", || {
            let topics = [&topics.input, &topics.copies, &topics.windows];
            topics.into_iter().all(|topic| brokers.is_in_sync(topic, 3))
        });
    }
    topics.close(&brokers);
    wait_for(PATIENCE, "all rows are written", || {
        let written = |topic: &str| brokers.committed(topic).len();
        written(&topics.copies) == ROWS as usize && written(&topics.windows) == windows(ROWS).len()
    });
    assert_eq!(running.terminate().status, 0);
    topics.check(&brokers, ROWS).unwrap();
}
