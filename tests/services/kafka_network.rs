//! Kafka to Kafka over a network that loses, holds and repeats.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::broker::Brokers;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Workspace, wait_until};
use crate::proxy::{Api, CLIENT, Proxy};

/// One broker that clients reach through a proxy alone.
fn one() -> &'static (Brokers, Proxy) {
    static ONE: OnceLock<(Brokers, Proxy)> = OnceLock::new();
    ONE.get_or_init(Brokers::behind_proxy)
}

/// A job whose input is written little by little.
struct Job {
    topics: Topics,
    workspace: Workspace,
    written: AtomicU32,
}

impl Job {
    fn new() -> Self {
        let (brokers, _) = one();
        let topics = Topics::new(brokers);
        let workspace = Workspace::new();
        let program = topics.program(brokers, false);
        let program = program.replace("'100 ms'", "'2 s'");
        let server = "'properties.bootstrap.servers'";
        let named = format!("'properties.client.id' = '{CLIENT}', {server}");
        workspace.write("job.sql", &program.replace(server, &named));
        Self {
            topics,
            workspace,
            written: AtomicU32::new(0),
        }
    }

    fn write(&self, rows: u32) {
        let start = self.written.fetch_add(rows, Ordering::Relaxed);
        self.topics.write(&one().0, start..start + rows);
    }

    fn wait_for_all(&self) {
        let rows = self.written.load(Ordering::Relaxed) as usize;
        wait_until("the rows are committed", || {
            one().0.committed(&self.topics.copies).len() >= rows
        });
    }
}

/// A request of checkpoint N that was given up and sent again arrives in the middle of the
/// next transaction.
fn a_late_request(api: Api, plant: &str) -> Result<(), String> {
    let (brokers, proxy) = one();
    let job = Job::new();
    job.write(3_000);
    let variables = [("THALWEG_PLANT", plant)];
    let running = job
        .workspace
        .start_with_variables(&["--workers", "1", "job.sql"], &variables);
    job.wait_for_all();

    proxy.hold_next(api);
    job.write(3_000);
    proxy.wait_until_held(&[Api::EndTxn]);
    job.write(3_000);
    proxy.wait_until_held(&[Api::EndTxn, Api::Produce]);
    proxy.deliver();

    job.write(3_000);
    job.topics.close(brokers);
    let rows = job.written.load(Ordering::Relaxed);
    wait_until("all rows are written", || {
        brokers.committed(&job.topics.copies).len() >= rows as usize
            && brokers.committed(&job.topics.windows).len() >= windows(rows).len()
    });
    let ended = running.terminate();
    if ended.status != 0 {
        return Err(ended.stderr);
    }
    job.topics.check(brokers, rows)
}

#[test]
fn requests_that_come_late_do_no_harm() {
    for api in [
        Api::Produce,
        Api::AddPartitionsToTxn,
        Api::AddOffsetsToTxn,
        Api::TxnOffsetCommit,
        Api::EndTxn,
    ] {
        assert_eq!(a_late_request(api, ""), Ok(()), "{api:?}");
    }
}
