//! The line that shows how far a bounded run has come: rows, rate, percent, time left.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::terminal;
use crate::pipeline::{Progress, Status};

/// How often the line is drawn anew.
const INTERVAL: Duration = Duration::from_millis(500);

/// A line of progress on standard error, until this is dropped.
pub struct Line {
    /// Never sent to: the thread ends when this is gone.
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// Starts to draw; only for a terminal.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub fn start(status: Arc<Status>) -> io::Result<Self> {
        let (stop, stopped) = sync_channel::<()>(0);
        let thread = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || {
                let start = Instant::now();
                let mut meter = Meter::default();
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if let Some(progress) = status.snapshot().progress {
                        let line = meter.line(start.elapsed(), progress);
                        terminal::tell(&format!("{}{line}", terminal::CLEAR_LINE));
                    }
                }
                terminal::tell(terminal::CLEAR_LINE);
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has already been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// What was seen before: the rate is that of the last interval, the time left
/// follows from the mean since the first look, since a resumed run does not
/// start at 0.
#[derive(Default)]
struct Meter {
    first: Option<(Duration, Progress)>,
    last: Option<(Duration, Progress)>,
}

impl Meter {
    fn line(&mut self, elapsed: Duration, progress: Progress) -> String {
        let (first_at, first) = *self.first.get_or_insert((elapsed, progress));
        let (last_at, last) = self.last.replace((elapsed, progress)).unwrap_or_default();
        let mut line = format!("{} rows", grouped(progress.rows));
        if let Some(rate) = per_second(progress.rows, last.rows, elapsed.saturating_sub(last_at)) {
            let _ = write!(line, "  {}/s", grouped(rate));
        }
        let Some(total) = progress.bytes_total.filter(|total| *total > 0) else {
            return line;
        };
        let done = progress.bytes.min(total);
        let percent = u128::from(done) * 100 / u128::from(total);
        let _ = write!(line, "  {percent} %");
        let rate = per_second(done, first.bytes, elapsed.saturating_sub(first_at));
        if let Some(left) = rate.and_then(|rate| (total - done).checked_div(rate)) {
            let _ = write!(line, "  {} left", clock_face(left));
        }
        line
    }
}

/// Growth per second; `None` if no time has passed or the count went back, as it
/// does at a restart from a checkpoint.
fn per_second(now: u64, before: u64, time: Duration) -> Option<u64> {
    let grown = u128::from(now.checked_sub(before)?);
    let rate = (grown * 1_000).checked_div(time.as_millis())?;
    u64::try_from(rate).ok()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn clock_face(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(looks: &[(u64, Progress)]) -> Vec<String> {
        let mut meter = Meter::default();
        looks
            .iter()
            .map(|(millis, progress)| meter.line(Duration::from_millis(*millis), *progress))
            .collect()
    }

    fn at(rows: u64, bytes: u64, bytes_total: Option<u64>) -> Progress {
        Progress {
            rows,
            bytes,
            bytes_total,
        }
    }

    #[test]
    fn shows_rows_rate_percent_and_time_left() {
        let lines = lines(&[
            (500, at(1_000, 100, Some(10_000))),
            (1_000, at(2_500, 250, Some(10_000))),
            (1_500, at(1_234_567, 10_000, Some(10_000))),
        ]);
        assert_eq!(
            lines,
            [
                "1,000 rows  2,000/s  1 %",
                "2,500 rows  3,000/s  2 %  0:32 left",
                "1,234,567 rows  2,464,134/s  100 %  0:00 left",
            ]
        );
    }

    #[test]
    fn a_resumed_run_does_not_count_what_was_done_before() {
        let lines = lines(&[
            (500, at(0, 5_000, Some(10_000))),
            (1_500, at(10, 6_000, Some(10_000))),
        ]);
        assert_eq!(lines[1], "10 rows  10/s  60 %  0:04 left");
    }

    #[test]
    fn a_restart_and_an_unknown_total_show_what_is_known() {
        let lines = lines(&[
            (500, at(100, 100, None)),
            (1_000, at(40, 40, None)),
            (1_500, at(50, 50, Some(0))),
        ]);
        assert_eq!(lines, ["100 rows  200/s", "40 rows", "50 rows  20/s"]);
    }

    #[test]
    fn times() {
        assert_eq!(clock_face(0), "0:00");
        assert_eq!(clock_face(61), "1:01");
        assert_eq!(clock_face(3_661), "1:01:01");
    }
}
