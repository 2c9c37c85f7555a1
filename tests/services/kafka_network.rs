//! Kafka to Kafka over a network that loses, holds and repeats.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{Mutex, MutexGuard};

use crate::broker::{self, Brokers};
#[cfg(feature = "campaign")]
use crate::kafka_kills::random;
use crate::kafka_oracle::{Topics, windows};
use crate::process::{Running, Workspace, wait_until};
use crate::proxy::{Api, CLIENT, Proxy};

/// One broker that clients reach through a proxy alone.
pub fn one() -> &'static (Brokers, Proxy) {
    static ONE: OnceLock<(Brokers, Proxy)> = OnceLock::new();
    ONE.get_or_init(Brokers::behind_proxy)
}

/// The network for one test alone: another would feel what the test does to it.
pub struct Turn {
    _alone: MutexGuard<'static, ()>,
}

pub fn turn() -> Turn {
    static ALONE: Mutex<()> = Mutex::new(());
    Turn {
        _alone: ALONE.lock(),
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        one().1.calm();
    }
}

/// A job whose input is written little by little.
struct Job {
    topics: Topics,
    workspace: Workspace,
    written: AtomicU32,
}

impl Job {
    /// A job with these properties of its clients on top.
    fn new(interval: &str, properties: &str) -> Self {
        let (brokers, _) = one();
        let topics = Topics::new(brokers);
        let workspace = Workspace::new();
        let program = topics.program(brokers, false);
        let program = program.replace("'100 ms'", &format!("'{interval}'"));
        let server = "'properties.bootstrap.servers'";
        let named = format!("'properties.client.id' = '{CLIENT}', {properties} {server}");
        workspace.write("job.sql", &program.replace(server, &named));
        Self {
            topics,
            workspace,
            written: AtomicU32::new(0),
        }
    }

    fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        let arguments = [arguments, &["--workers", "1", "job.sql"]].concat();
        self.workspace.start_with_variables(&arguments, variables)
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

    /// Writes the rest, waits until it has come through, and compares.
    fn finish(&self, running: Running) -> Result<(), String> {
        let (brokers, _) = one();
        self.write(3_000);
        self.topics.close(brokers);
        let rows = self.written.load(Ordering::Relaxed);
        let is_written = |topic: &str, rows: usize| brokers.committed(topic).len() >= rows;
        wait_until("all rows are written, or it has ended", || {
            running.has_ended()
                || is_written(&self.topics.copies, rows as usize)
                    && is_written(&self.topics.windows, windows(rows).len())
        });
        let ended = running.terminate();
        if ended.status != 0 {
            return Err(ended.stderr);
        }
        self.topics.check(brokers, rows)
    }
}

/// A request of checkpoint N that was given up and sent again arrives in the middle of the
/// next transaction.
fn a_late_request(api: Api, plant: &str) -> Result<(), String> {
    let (_, proxy) = one();
    let job = Job::new("1 s", "");
    job.write(3_000);
    let running = job.start(&[], &[("THALWEG_PLANT", plant)]);
    job.wait_for_all();

    proxy.hold_next(api);
    job.write(3_000);
    proxy.wait_until_held(&[Api::EndTxn]);
    job.write(3_000);
    proxy.wait_until_held(&[Api::EndTxn, Api::Produce]);
    proxy.deliver();
    job.finish(running)
}

#[test]
fn requests_that_come_late_do_no_harm() {
    let _turn = turn();
    // The one that does harm, and all of them where there is time.
    let mut apis = vec![Api::EndTxn];
    if cfg!(feature = "campaign") {
        apis.extend([
            Api::Produce,
            Api::AddPartitionsToTxn,
            Api::AddOffsetsToTxn,
            Api::TxnOffsetCommit,
        ]);
    }
    for api in apis {
        assert_eq!(a_late_request(api, ""), Ok(()), "{api:?}");
    }
    // The other way round: a producer that is used again as if nothing had been repeated.
    let failure = a_late_request(Api::EndTxn, "LateRequests").unwrap_err();
    assert!(failure.contains("InvalidTransactionalState"), "{failure}");
}

/// A commit whose node was killed is still on its way when the next life has read the
/// marker for the first time.
fn a_commit_between_two_looks(plant: &str) -> Result<(), String> {
    let (_, proxy) = one();
    let job = Job::new("1 s", "");
    job.write(3_000);
    let running = job.start(&[], &[]);
    job.wait_for_all();
    proxy.hold_next(Api::EndTxn);
    job.write(3_000);
    proxy.wait_until_held(&[]);
    running.kill();
    let stalls = ("THALWEG_FAILPOINT", "AfterFirstMarker:stall:1");
    let mut running = job.start(&[], &[stalls, ("THALWEG_PLANT", plant)]);
    running.wait_until_said("stalls step AfterFirstMarker");
    proxy.deliver();
    job.finish(running)
}

#[test]
fn a_commit_that_comes_late_counts() {
    let _turn = turn();
    assert_eq!(a_commit_between_two_looks(""), Ok(()));
    // Before it is killed, the client may have sent the commit once more, which got through.
    let failure = (0..5)
        .find_map(|_| a_commit_between_two_looks("FirstMarkerCounts").err())
        .expect("a bug that is seen");
    assert!(failure.contains("doubled"), "{failure}");
}

/// A network that is gone for longer than a transaction may be open: the broker aborts it,
/// and the job goes on by itself from the last checkpoint.
#[test]
fn a_transaction_that_took_too_long_is_made_again() {
    let _turn = turn();
    let (_, proxy) = one();
    let job = Job::new("1 s", "'properties.transaction.timeout.ms' = '4000',");
    job.write(3_000);
    let mut running = job.start(&["--set", "restart-strategy.type=exponential-delay"], &[]);
    job.wait_for_all();
    // Rows that are on their way, and do not get there on another one before all is cut.
    proxy.hold_next_and_lose(Api::Produce);
    job.write(3_000);
    proxy.wait_until_held(&[]);
    proxy.cut();
    running.wait_until_said("restart");
    proxy.mend();
    assert_eq!(job.finish(running), Ok(()));
}

/// Brokers may move, but the topics of another cluster are others, whatever their names.
#[test]
fn positions_belong_to_one_cluster() {
    let _turn = turn();
    let (brokers, (others, _)) = (broker::one(), one());
    let topic = brokers.topic(1);
    others.make_topic(&topic, 1);
    let program = |servers: &str| {
        format!(
            "CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}',
               'format' = 'json', 'properties.bootstrap.servers' = '{servers}',
               'scan.startup.mode' = 'earliest-offset');
             CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole');
             INSERT INTO nowhere SELECT n FROM numbers;"
        )
    };
    let workspace = Workspace::new();
    let live = |servers: &str| {
        workspace.write("job.sql", &program(servers));
        workspace.start(&["--data-dir", "data", "job.sql"])
    };
    let has_read = |running: &Running, rows: u32| {
        let page = running.get("/metrics").1;
        let name = "thalweg_task_records_in_total";
        let lines = page.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
            .sum::<u32>()
            == rows
    };
    brokers.write(&topic, 0, (0..5).map(|n| format!("{{\"n\":{n}}}")));
    let running = live(&brokers.addresses);
    wait_until("the rows are read", || has_read(&running, 5));
    assert_eq!(running.terminate().status, 0);

    let ended = live(&others.addresses).wait();
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("are of the Kafka cluster"),
        "{}",
        ended.stderr
    );

    brokers.write(&topic, 0, (5..7).map(|n| format!("{{\"n\":{n}}}")));
    let running = live(&brokers.addresses.replace("127.0.0.1", "localhost"));
    wait_until("the new rows are read, and only they", || {
        has_read(&running, 2)
    });
    assert_eq!(running.terminate().status, 0);
}

/// Connections are cut, requests are held, come late or take long, at random.
#[test]
#[cfg(feature = "campaign")]
fn a_restless_network_loses_and_doubles_nothing() {
    const ROUNDS: u32 = 150;
    let _turn = turn();
    let (_, proxy) = one();
    let job = Job::new("500 ms", "'properties.transaction.timeout.ms' = '10000',");
    job.write(3_000);
    let running = job.start(&["--set", "restart-strategy.type=exponential-delay"], &[]);
    let apis = [
        Api::Produce,
        Api::AddPartitionsToTxn,
        Api::AddOffsetsToTxn,
        Api::TxnOffsetCommit,
        Api::EndTxn,
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut delivered = 0;
    for _ in 0..ROUNDS {
        let dice = random(&mut seed);
        let pause = std::time::Duration::from_millis(random(&mut seed) % 1_500);
        match dice % 8 {
            0 => proxy.cut(),
            1 => proxy.delay(std::time::Duration::from_millis(random(&mut seed) % 200)),
            _ => proxy.hold_next(apis[usize::try_from(dice / 8 % 5).expect("a small number")]),
        }
        std::thread::park_timeout(pause);
        proxy.mend();
        proxy.delay(std::time::Duration::ZERO);
        job.write(2_000);
        delivered += u32::from(proxy.deliver_if_held());
    }
    assert!(delivered > ROUNDS / 4, "{delivered} requests came late");
    assert_eq!(job.finish(running), Ok(()));
}
