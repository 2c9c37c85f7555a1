//! The program under test: its SQL, its process, and what its state says after a kill.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use thalweg::state::{OpenOptions, Store};
use thalweg::stream::OperatorId;

use crate::directory::DELAY_MS;

/// The tables that read the log, one for each statement: so a dead letter names
/// the statement whose source has put it aside.
pub const SOURCES: [&str; 3] = ["log_to_copy", "log_by_host", "log_by_page"];
/// The folders that are written.
pub const SINKS: [&str; 3] = ["copies", "by_host", "by_page"];

/// How long a clean stop may take.
const STOP_MAX: Duration = Duration::from_mins(1);
/// Operators of the program have numbers below this.
const OPERATORS_MAX: u32 = 64;

/// The program: the log's rows one by one, counted by host in tumbling windows,
/// and by page and status in hopping ones.
pub fn program() -> String {
    let delay_minutes = DELAY_MS / 60_000;
    let sources = SOURCES.map(|name| {
        format!(
            "CREATE TABLE {name} (id BIGINT, ts TIMESTAMP(3), `host` STRING, `path` STRING, \
             `status` INT, `bytes` BIGINT,\n  \
             WATERMARK FOR ts AS ts - INTERVAL '{delay_minutes}' MINUTE)\n\
             WITH ('connector' = 'filesystem', 'path' = 'in', 'format' = 'json', \
             'source.monitor-interval' = '20 ms', 'scan.idle-timeout' = '300 ms');\n"
        )
    });
    let with = |folder: &str, format: &str| {
        format!(
            "WITH ('connector' = 'filesystem', 'path' = 'out/{folder}', 'format' = '{format}', \
             'sink.rolling-policy.rollover-interval' = '400 ms', \
             'sink.rolling-policy.inactivity-interval' = '200 ms')"
        )
    };
    let [copies, by_host, by_page] = SINKS;
    format!(
        "SET 'pipeline.name' = 'campaign';\n\
         SET 'execution.checkpointing.interval' = '20 ms';\n\
         SET 'restart-strategy.type' = 'none';\n\
         {sources}\
         CREATE TABLE {copies} (id BIGINT, ts TIMESTAMP(3), `host` STRING, `path` STRING, \
         `status` INT, `bytes` BIGINT) {};\n\
         CREATE TABLE {by_host} (window_start TIMESTAMP(3), window_end TIMESTAMP(3), \
         `host` STRING, requests BIGINT, bytes_sum BIGINT, bytes_avg BIGINT) {};\n\
         CREATE TABLE {by_page} (window_start TIMESTAMP(3), window_end TIMESTAMP(3), \
         `path` STRING, `status` INT, requests BIGINT, bytes_min BIGINT, bytes_max BIGINT) {};\n\
         EXECUTE STATEMENT SET BEGIN\n\
         INSERT INTO {copies} SELECT id, ts, `host`, `path`, `status`, `bytes` FROM log_to_copy;\n\
         INSERT INTO {by_host} SELECT window_start, window_end, `host`, COUNT(*), SUM(`bytes`), \
         AVG(`bytes`)\n  FROM TABLE(TUMBLE(TABLE log_by_host, DESCRIPTOR(ts), INTERVAL '30' SECOND))\n  \
         GROUP BY window_start, window_end, `host`;\n\
         INSERT INTO {by_page} SELECT window_start, window_end, `path`, `status`, COUNT(*), \
         MIN(`bytes`), MAX(`bytes`)\n  FROM TABLE(HOP(TABLE log_by_page, DESCRIPTOR(ts), \
         INTERVAL '20' SECOND, INTERVAL '1' MINUTE))\n  \
         GROUP BY window_start, window_end, `path`, `status`;\n\
         END;\n",
        with(copies, "json"),
        with(by_host, "csv"),
        with(by_page, "json"),
        sources = sources.concat(),
    )
}

/// Where a program runs.
pub struct Node {
    binary: PathBuf,
    root: PathBuf,
}

/// How far each split of each source was read for good.
pub type Positions = BTreeMap<(u32, String), (u64, u64)>;

impl Node {
    /// A node that runs `binary` in the directory `root`.
    pub fn new(binary: &Path, root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("in"))?;
        fs::write(root.join("campaign.sql"), program())?;
        Ok(Self {
            binary: fs::canonicalize(binary)?,
            root: root.to_owned(),
        })
    }

    /// Starts a life.
    pub fn start(&self, workers: u64) -> io::Result<Life> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.root.join("log.jsonl"))?;
        let workers = workers.to_string();
        let child = self
            .command(&["run", "--data-dir", "state", "--listen", "127.0.0.1:0"])
            .args(["--workers", &workers, "campaign.sql"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Life { child })
    }

    /// The dead letters, one JSON object a line.
    pub fn dead_letters(&self) -> anyhow::Result<String> {
        let listed = self
            .command(&["dead-letters", "list", "--json", "--data-dir", "state"])
            .output()?;
        anyhow::ensure!(
            listed.status.success(),
            "cannot list dead letters: {}",
            String::from_utf8_lossy(&listed.stderr)
        );
        Ok(String::from_utf8(listed.stdout)?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    /// What the state says of the sources. It is read from a copy, so that the
    /// next start is still the first to open what the kill has left.
    pub fn positions(&self) -> anyhow::Result<Positions> {
        let state = self.root.join("state");
        let copy = tempfile::tempdir_in(&self.root)?;
        let mut is_empty = true;
        for entry in fs::read_dir(&state).into_iter().flatten() {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "redb")
            {
                fs::copy(&path, copy.path().join(path.file_name().context("a name")?))?;
                is_empty = false;
            }
        }
        let mut positions = Positions::new();
        if is_empty {
            return Ok(positions);
        }
        let mut store = Store::open(copy.path(), OpenOptions::default())?;
        for operator in (0..OPERATORS_MAX).map(OperatorId) {
            for split in store.splits(operator)?.0 {
                // A first look that found no file is remembered as a split without one.
                if split.spec.is_null() {
                    continue;
                }
                let number = |value: Option<&serde_json::Value>| value?.as_u64();
                let inode = number(split.spec.pointer("/identity/inode"));
                let inode = inode.with_context(|| format!("no inode in {}", split.spec))?;
                let offset = split.position.as_ref().and_then(|at| at.get("offset"));
                let read = (inode, number(offset).unwrap_or(0));
                positions.insert((operator.0, split.split), read);
            }
        }
        Ok(positions)
    }
}

/// How far each file was read by all sources, by inode.
pub fn read_by_all(positions: &Positions) -> BTreeMap<u64, u64> {
    let mut files: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
    for &(inode, offset) in positions.values() {
        let (readers, read_to) = files.entry(inode).or_insert((0, u64::MAX));
        *readers += 1;
        *read_to = offset.min(*read_to);
    }
    let all = files
        .into_iter()
        .filter(|(_, (readers, _))| *readers == SOURCES.len());
    all.map(|(inode, (_, read_to))| (inode, read_to)).collect()
}

/// One run of the program.
pub struct Life {
    child: Child,
}

impl Life {
    /// Lets it live until `deadline` or until `ends_now` says so; its status if it
    /// has ended by itself.
    pub fn live(
        &mut self,
        deadline: Instant,
        mut ends_now: impl FnMut() -> bool,
    ) -> io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || ends_now() {
                return Ok(None);
            }
            thread::park_timeout(left.min(Duration::from_millis(1)));
        }
    }

    /// Kills it as a crash of the machine's power would not: at once, but what the
    /// operating system has stays.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to stop.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).context("a process id")?;
        signal::kill(Pid::from_raw(id), Signal::SIGTERM).context("cannot send SIGTERM")
    }

    /// Asks it to stop and waits for that.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.terminate()?;
        match self.live(Instant::now() + STOP_MAX, || false)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => anyhow::bail!("SIGTERM ended it with {status}"),
            None => {
                self.kill()?;
                anyhow::bail!("SIGTERM did not end it in {STOP_MAX:?}")
            }
        }
    }
}
