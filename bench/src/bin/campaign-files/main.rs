//! `make campaign-files`: kills the program again and again while it counts a
//! growing log, and compares what it has committed with an independent oracle.
//!
//! A seed repeats the lines, the order in which lives end and how; the instant at
//! which a kill strikes is the machine's.

mod directory;
mod log;
mod node;
mod observer;
mod oracle;
mod random;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;

use directory::{PAUSE_MEAN, Planted, Shared, Writer};
use log::Log;
use node::{Life, Node, Positions, SINKS};
use observer::{Observer, Seen, Visible};
use oracle::Oracle;
use random::Random;
use verdict::Verdict;

/// Kills Thalweg while it counts a growing log, and compares its output with an oracle
#[derive(Parser)]
struct Options {
    /// How often it is killed
    #[arg(long, default_value_t = 200)]
    kills: u64,
    /// How many lines the log has
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Repeats the lines and the ends of an earlier campaign [default: by the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// The program under test
    #[arg(long, default_value = "target/release/thalweg")]
    binary: PathBuf,
}

/// How a life ends.
#[derive(Clone, Copy)]
enum End {
    /// Killed after a time, counted from its start.
    Kill(Duration),
    /// Killed a moment after it has published something.
    KillAtPublish(Duration),
    /// Killed a moment after it was asked to stop.
    KillInStop(Duration, Duration),
    /// Asked to stop after a time.
    Stop(Duration),
}

/// How long a life lasts, on average, if it is not ended for a reason of its own.
const LIFE_MEAN: Duration = Duration::from_millis(600);
/// So many failures are enough.
const FAILURES_MAX: usize = 10;
/// How long one part of the end may take.
const CLOSING_MAX: Duration = Duration::from_mins(2);
/// Kills that are kept for the time when the windows close.
const CLOSING_SHARE: u64 = 10;

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options
        .seed
        .unwrap_or_else(|| u64::try_from(thalweg::clock::now().millis()).unwrap_or(0) % 1_000_000);
    match campaign(&options, seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            verdict::say(&format!("seed {seed}: the campaign broke off: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn campaign(options: &Options, seed: u64) -> anyhow::Result<bool> {
    let root = tempfile::Builder::new().prefix("campaign-").tempdir()?;
    verdict::say(&format!(
        "campaign-files: {} kills, {} rows, seed {seed}, in {}",
        options.kills,
        options.rows,
        root.path().display()
    ));
    let mut campaign = Campaign::start(options, seed, root.path())?;
    let lived = campaign.live_and_die();
    let passed = match lived.and_then(|()| campaign.close()) {
        Ok(verdict) => verdict.tell(seed),
        Err(error) => {
            let _kept = root.keep();
            return Err(error);
        }
    };
    if !passed {
        verdict::say(&format!("the files are kept in {}", root.keep().display()));
    }
    Ok(passed)
}

/// A campaign under way.
struct Campaign {
    kills: u64,
    rows: u64,
    seed: u64,
    root: PathBuf,
    random: Random,
    node: Node,
    shared: Arc<Shared>,
    visible: Arc<Visible>,
    writer: Option<Worker<Vec<Planted>>>,
    observer: Option<Worker<Seen>>,
    positions: Positions,
    verdict: Verdict,
}

/// A thread that ends when its sender is dropped.
type Worker<T> = (Sender<()>, JoinHandle<std::io::Result<T>>);

impl Campaign {
    fn start(options: &Options, seed: u64, root: &Path) -> anyhow::Result<Self> {
        let binary = options.binary.display();
        let node = Node::new(&options.binary, root)
            .with_context(|| format!("cannot use {binary}; build it, or name it with --binary"))?;
        let (shared, visible) = (Arc::new(Shared::default()), Arc::new(Visible::default()));
        let log = Log::new(seed, options.rows);
        let lines_per_life = options.rows / options.kills.max(1);
        let times_per_life = LIFE_MEAN.as_millis() / PAUSE_MEAN.as_millis();
        let times_per_life = u64::try_from(times_per_life).unwrap_or(1);
        let at_once = 2 * lines_per_life.div_ceil(times_per_life);
        shared.lines_at_once.store(at_once, Ordering::Release);
        let writer = Writer::new(&root.join("in"), seed, log, Arc::clone(&shared));
        let observer = Observer::new(&root.join("out"), Arc::clone(&visible));
        Ok(Self {
            kills: options.kills,
            rows: options.rows,
            seed,
            root: root.to_owned(),
            random: Random::new(seed, 3),
            node,
            shared,
            visible,
            writer: Some(spawn(move |stopped| writer.run(&stopped))),
            observer: Some(spawn(move |stopped| observer.run(&stopped))),
            positions: Positions::new(),
            verdict: Verdict::default(),
        })
    }

    /// Lives until all kills have struck and every line was read for good.
    fn live_and_die(&mut self) -> anyhow::Result<()> {
        let lives_max = self.kills * 4 + 100;
        loop {
            let kills = self.verdict.kills();
            let share = self.kills - self.kills / CLOSING_SHARE;
            let allowed = self.rows.saturating_mul(kills + 2) / share.max(1);
            let allowed = allowed.min(self.rows);
            self.shared.lines_allowed.store(allowed, Ordering::Release);
            let all_written = self.shared.lines_written.load(Ordering::Acquire) == self.rows;
            if all_written && self.shared.all_read() {
                self.shared.closing.store(true, Ordering::Release);
            }
            let closing = self.shared.closing.load(Ordering::Acquire);
            let hopeless = self.verdict.failed() >= FAILURES_MAX;
            if hopeless || (kills >= self.kills && closing) {
                return Ok(());
            }
            if self.verdict.lives >= lives_max {
                bail!(
                    "after {lives_max} lives {kills} kills have struck and not every line was read"
                );
            }
            // Kills that come too fast would leave most of the log for the time after them.
            let written = self.shared.lines_written.load(Ordering::Acquire);
            let is_behind = written < self.rows.saturating_mul(kills) / share.max(1);
            let end = if kills >= self.kills {
                End::Stop(LIFE_MEAN * 4)
            } else if is_behind && self.random.once_in(2) {
                End::Kill(LIFE_MEAN * 2 + self.random.exponential(LIFE_MEAN))
            } else {
                self.next_end()
            };
            self.live(end)?;
        }
    }

    fn next_end(&mut self) -> End {
        let random = &mut self.random;
        match random.below(20) {
            0..4 => End::Kill(random.time_below(Duration::from_millis(60))),
            4..8 => End::KillAtPublish(random.time_below(Duration::from_millis(4))),
            8..11 => End::KillInStop(
                random.exponential(LIFE_MEAN),
                random.time_below(Duration::from_millis(60)),
            ),
            11 => End::Stop(random.exponential(LIFE_MEAN)),
            _ => End::Kill(random.exponential(LIFE_MEAN)),
        }
    }

    /// Lives one life and looks at what it has left.
    fn live(&mut self, end: End) -> anyhow::Result<()> {
        let workers = 1 + self.random.below(4);
        let mut life = self.node.start(workers)?;
        self.verdict.lives += 1;
        let now = Instant::now();
        let (deadline, at_publish) = match end {
            End::Kill(after) | End::Stop(after) | End::KillInStop(after, _) => (now + after, None),
            End::KillAtPublish(_) => (now + Duration::from_secs(3), Some(self.published()?)),
        };
        let root = self.root.join("out");
        let own_end = life.live(deadline, || {
            at_publish.is_some_and(|before| published(&root).is_ok_and(|now| now > before))
        })?;
        let ended = match own_end {
            Some(status) => Err(anyhow::anyhow!("it ended by itself with {status}")),
            None => finish(life, end),
        };
        // One that ended by itself is not lived again: it counts as its kill.
        let killed = *ended.as_ref().unwrap_or(&true);
        let ended = ended.map(drop);
        self.look(
            ended.map_err(|error| error.context(self.last_words())),
            killed,
        );
        Ok(())
    }

    /// Reads what the state says after a life.
    fn look(&mut self, ended: anyhow::Result<()>, killed: bool) {
        let checked = ended.and_then(|()| {
            let positions = self.node.positions().context("the state cannot be read")?;
            for (split, (_, before)) in &self.positions {
                let now = positions.get(split).map(|(_, offset)| *offset);
                if now.is_none_or(|now| now < *before) {
                    bail!("split {split:?} was read to {before} for good and is now at {now:?}");
                }
            }
            self.shared.read_for_good(&node::read_by_all(&positions));
            self.positions = positions;
            Ok(())
        });
        self.verdict.life(checked, killed);
    }

    /// The last life: closes all windows, stops cleanly and compares. After too
    /// many failures there is nothing to compare.
    fn close(mut self) -> anyhow::Result<Verdict> {
        if self.verdict.failed() >= FAILURES_MAX {
            return Ok(self.verdict);
        }
        let mut oracle = Oracle::new(Log::new(self.seed, self.rows));
        let windows = [oracle.by_host.len(), oracle.by_page.len()];
        let mut life = self.node.start(1 + self.random.below(4))?;
        self.verdict.lives += 1;
        let visible = Arc::clone(&self.visible);
        let shown = |sink: usize| usize::try_from(visible.lines()[sink]).unwrap_or(usize::MAX);
        let deadline = Instant::now() + CLOSING_MAX;
        let own_end = life.live(deadline, || {
            shown(1) >= windows[0] && shown(2) >= windows[1]
        })?;
        let planted = join(self.writer.take())?;
        oracle.add_sentinels(
            self.shared.sentinels_written.load(Ordering::Acquire),
            directory::sentinel_ms(&Log::new(self.seed, self.rows)),
        );
        let rows = oracle.copies.len();
        let own_end = match own_end {
            None => life.live(Instant::now() + CLOSING_MAX, || shown(0) >= rows)?,
            ended => ended,
        };
        let stopped = match own_end {
            Some(status) => Err(anyhow::anyhow!(
                "the last life ended by itself with {status}"
            )),
            None => life.stop(),
        };
        self.verdict
            .check("the last life stops on SIGTERM", stopped);
        let seen = join(self.observer.take())?;
        self.verdict.watched(&seen);
        self.verdict.no_leftovers(&self.root.join("out"))?;
        self.verdict.outputs(&oracle, &self.root.join("out"))?;
        let letters = self.node.dead_letters()?;
        self.verdict.dead_letters(&planted, &letters);
        Ok(self.verdict)
    }

    fn published(&self) -> std::io::Result<usize> {
        published(&self.root.join("out"))
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.root.join("log.jsonl")).unwrap_or_default();
        log.lines().next_back().unwrap_or_default().to_owned()
    }
}

/// Ends a life; whether by a kill.
fn finish(mut life: Life, end: End) -> anyhow::Result<bool> {
    match end {
        End::Stop(_) => {
            life.stop()?;
            return Ok(false);
        }
        End::Kill(_) => {}
        End::KillAtPublish(after) => {
            life.live(Instant::now() + after, || false)?;
        }
        End::KillInStop(_, after) => {
            life.terminate()?;
            match life.live(Instant::now() + after, || false)? {
                // It was quicker than the kill.
                Some(status) if status.success() => return Ok(false),
                Some(status) => bail!("SIGTERM ended it with {status}"),
                None => {}
            }
        }
    }
    life.kill()?;
    Ok(true)
}

/// How many files are visible.
fn published(out: &Path) -> std::io::Result<usize> {
    let mut files = 0;
    for sink in SINKS {
        files += observer::visible_files(&out.join(sink))?.len();
    }
    Ok(files)
}

fn spawn<T: Send + 'static>(
    run: impl FnOnce(mpsc::Receiver<()>) -> std::io::Result<T> + Send + 'static,
) -> Worker<T> {
    let (stop, stopped) = mpsc::channel();
    (stop, std::thread::spawn(move || run(stopped)))
}

fn join<T>(worker: Option<Worker<T>>) -> anyhow::Result<T> {
    let (stop, thread) = worker.context("a worker is joined once")?;
    drop(stop);
    match thread.join() {
        Ok(result) => Ok(result?),
        Err(_) => bail!("a thread of the campaign panicked"),
    }
}
