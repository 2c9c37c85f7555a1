//! A real Kafka for the tests, and a client that has nothing to do with the program's.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;

#[cfg(feature = "failpoints")]
use crate::proxy::{self, Proxy};

const PATIENCE: Duration = Duration::from_mins(3);

/// Brokers that run as long as the tests do.
pub struct Brokers {
    directory: TempDir,
    /// Where they listen.
    pub addresses: String,
    producer: OnceLock<ThreadedProducer<DefaultProducerContext>>,
}

/// A record as an independent reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<String>,
    pub value: String,
}

/// One broker, shared by all tests of the process.
pub fn one() -> &'static Brokers {
    static ONE: OnceLock<Brokers> = OnceLock::new();
    ONE.get_or_init(|| Brokers::start(1))
}

impl Brokers {
    /// Starts so many brokers; they end with this process.
    pub fn start(count: u32) -> Self {
        let (directory, addresses) = launch("start", &[&count.to_string()]);
        Self::of(directory, addresses)
    }

    /// Starts a broker that clients reach through a proxy alone.
    #[cfg(feature = "failpoints")]
    pub fn behind_proxy() -> (Self, Proxy) {
        let host = proxy::HOST.to_string();
        let (directory, address) = launch("start", &["1", &host]);
        let proxy = Proxy::of(&address);
        let brokers = Self::of(directory, address.replace("127.0.0.1", &host));
        (brokers, proxy)
    }

    /// Brokers that run already.
    pub fn of(directory: TempDir, addresses: String) -> Self {
        Self {
            directory,
            addresses,
            producer: OnceLock::new(),
        }
    }

    /// Where they keep what they have.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A topic that no other test has.
    pub fn topic(&self, partitions: i32) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.make_topic(&name, partitions);
        name
    }

    /// Makes a topic.
    pub fn make_topic(&self, name: &str, partitions: i32) {
        self.make_topic_with(name, partitions, &[]);
    }

    /// Makes a topic with some settings.
    pub fn make_topic_with(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
        topic.config.extend(settings);
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = block_on(admin.create_topics([&topic], &options)).expect("an answer");
        for one in made {
            one.expect("a topic");
        }
    }

    /// Adds partitions to a topic.
    pub fn grow(&self, topic: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let grown = rdkafka::admin::NewPartitions::new(topic, partitions);
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = block_on(admin.create_partitions([&grown], &options)).expect("an answer");
        for one in made {
            one.expect("partitions");
        }
    }

    /// Deletes the records of the first partition in front of an offset.
    pub fn delete_before(&self, topic: &str, offset: i64) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset))
            .expect("an offset");
        let deleted = block_on(admin.delete_records(&list, &AdminOptions::new()));
        let deleted = deleted.expect("an answer");
        let one = deleted.find_partition(topic, 0).expect("the partition");
        one.error().expect("deleted records");
    }

    /// Makes the cluster forget what a group has committed.
    #[cfg(feature = "failpoints")]
    pub fn forget(&self, group: &str) {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().expect("an admin client");
        let forgotten = block_on(admin.delete_groups(&[group], &AdminOptions::new()));
        for one in forgotten.expect("an answer") {
            one.expect("a forgotten group");
        }
    }

    /// The offset that a group has committed of the first partition, if it has.
    pub fn committed_offset(&self, group: &str, topic: &str) -> Option<i64> {
        let mut config = self.config();
        config.set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, 0);
        let found = patiently(|| consumer.committed_offsets(list.clone(), PATIENCE));
        let found = found.find_partition(topic, 0).expect("the partition");
        match found.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    /// Writes records into one partition.
    pub fn write(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = String>) {
        let producer = self.producer.get_or_init(|| {
            let mut config = self.config();
            config.set("enable.idempotence", "true");
            config.create().expect("a producer")
        });
        for value in values {
            let mut record = BaseRecord::<str, str>::to(topic)
                .partition(partition)
                .payload(&value);
            while let Err((error, back)) = producer.send(record) {
                record = back;
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition) {
                    // The topic has grown since this producer has asked.
                    patiently(|| producer.client().fetch_metadata(Some(topic), PATIENCE));
                }
                producer.poll(Duration::from_millis(5));
            }
        }
        producer.flush(PATIENCE).expect("written records");
    }

    /// Writes records into one partition in a transaction, and commits it or not.
    pub fn write_in_transaction(
        &self,
        topic: &str,
        values: impl IntoIterator<Item = String>,
        commits: bool,
    ) {
        let producer: ThreadedProducer<DefaultProducerContext> = self
            .config()
            .set("transactional.id", topic)
            .create()
            .expect("a producer");
        producer.init_transactions(PATIENCE).expect("an epoch");
        producer.begin_transaction().expect("a transaction");
        for value in values {
            let record = BaseRecord::<str, str>::to(topic).partition(0);
            let sent = producer.send(record.payload(&value));
            sent.unwrap_or_else(|(error, _)| panic!("{error}"));
        }
        producer.flush(PATIENCE).expect("written records");
        if commits {
            producer.commit_transaction(PATIENCE).expect("a commit");
        } else {
            producer.abort_transaction(PATIENCE).expect("an abort");
        }
    }

    /// Where the first partition ends, marks of transactions included.
    pub fn end(&self, topic: &str) -> i64 {
        let mut config = self.config();
        config.set("isolation.level", "read_uncommitted");
        ends(&config, topic)[0]
    }

    /// All committed records of a topic, by partition and offset. It fails if a
    /// transaction stays open that hides some.
    pub fn committed(&self, topic: &str) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let [seen, all] = ["read_committed", "read_uncommitted"].map(|isolation| {
                let mut config = self.config();
                config.set("isolation.level", isolation);
                ends(&config, topic)
            });
            if seen == all {
                return self.read(topic, &all);
            }
            assert!(
                Instant::now() < deadline,
                "a transaction stays open in {topic}: committed until {seen:?}, written until {all:?}"
            );
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn read(&self, topic: &str, ends: &[i64]) -> Vec<Seen> {
        let mut config = self.config();
        config
            .set("group.id", "verifier")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "20")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        for partition in 0..ends.len() {
            let number = i32::try_from(partition).expect("few partitions");
            list.add_partition_offset(topic, number, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&list).expect("an assignment");
        let deadline = Instant::now() + PATIENCE;
        let (mut seen, mut at_end) = (Vec::new(), 0);
        while at_end < ends.len() {
            match consumer.poll(PATIENCE).expect("a record in time") {
                Ok(message) => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
                    seen.push(Seen {
                        partition: message.partition(),
                        offset: message.offset(),
                        key: message.key().map(text),
                        value: message.payload().map(text).unwrap_or_default(),
                    });
                }
                Err(KafkaError::PartitionEOF(_)) => at_end += 1,
                // A broker has gone; another takes over, or it comes back.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        }
        seen.sort();
        seen
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.addresses);
        config
    }
}

/// What the brokers suffer in the long tests.
#[cfg(feature = "campaign")]
impl Brokers {
    /// `kill -9` of a broker.
    pub fn kill(&self, id: u32) {
        self.script(&["kill"], id);
    }

    /// Stops a broker in order, and waits until it has gone.
    pub fn down(&self, id: u32) {
        self.script(&["down"], id);
    }

    /// Starts a broker again.
    pub fn up(&self, id: u32) {
        self.script(&["up"], id);
    }

    /// Whether each partition of a topic has so many replicas that are in sync.
    pub fn is_in_sync(&self, topic: &str, replicas: usize) -> bool {
        let consumer: BaseConsumer = self.config().create().expect("a consumer");
        let metadata = patiently(|| consumer.fetch_metadata(Some(topic), PATIENCE));
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().all(|one| one.isr().len() == replicas)
    }

    fn script(&self, arguments: &[&str], id: u32) {
        let done = Command::new(script())
            .args(arguments)
            .arg(self.directory.path())
            .arg(id.to_string())
            .status();
        assert!(done.expect("scripts/kafka").success(), "{arguments:?} {id}");
    }
}

/// Runs `scripts/kafka` in a directory of its own; what it starts ends with this process.
/// Returns the directory, and what the script said.
#[expect(clippy::zombie_processes, reason = "who watches outlives this process")]
pub fn launch(command: &str, arguments: &[&str]) -> (TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    // A static is never dropped: somebody else has to see the process end.
    let watch = format!(
        "while kill -0 {} 2>/dev/null; do sleep 0.2; done; '{}' stop '{directory}'; rm -rf '{directory}'",
        std::process::id(),
        script().display(),
        directory = directory.path().display(),
    );
    let watcher = Command::new("bash")
        .args(["-c", &watch])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    watcher.expect("bash");
    let started = Command::new(script())
        .arg(command)
        .arg(directory.path())
        .args(arguments)
        .output();
    let started = started.expect("scripts/kafka");
    assert!(started.status.success(), "no broker: {started:?}");
    let said = String::from_utf8(started.stdout).expect("text");
    (directory, said.trim().to_owned())
}

/// Where each partition ends, as far as `config` lets a reader see.
fn ends(config: &ClientConfig, topic: &str) -> Vec<i64> {
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let partitions = patiently(|| {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        Ok(metadata.topics()[0].partitions().len())
    });
    let ends = (0..partitions).map(|partition| {
        let number = i32::try_from(partition).expect("few partitions");
        patiently(|| Ok(consumer.fetch_watermarks(topic, number, PATIENCE)?.1))
    });
    ends.collect()
}

/// What a cluster answers, which may be between two leaders.
fn patiently<T>(ask: impl Fn() -> KafkaResult<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn script() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka")
}
