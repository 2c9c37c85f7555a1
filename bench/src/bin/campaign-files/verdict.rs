//! What has passed and what has failed, and how it is told.

use std::fs;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::directory::Planted;
use crate::node::SINKS;
use crate::observer::{Seen, hidden_files, visible_files};
use crate::oracle::{
    self, Difference, Oracle, copied, counted_by_host, counted_by_page, expected_letters,
};

/// The units of a campaign: each kill, each clean stop, each check at the end.
#[derive(Default)]
pub struct Verdict {
    /// How often the program was started.
    pub lives: u64,
    killed: u64,
    stopped: u64,
    passed: u64,
    failures: Vec<String>,
    told: Vec<String>,
}

impl Verdict {
    /// How many kills have struck.
    pub fn kills(&self) -> u64 {
        self.killed
    }

    /// How much has failed.
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// A life has ended; what it has left was looked at.
    pub fn life(&mut self, checked: anyhow::Result<()>, killed: bool) {
        if killed {
            self.killed += 1;
        } else {
            self.stopped += 1;
        }
        let what = format!("life {}", self.lives);
        self.unit(&what, checked);
    }

    /// Something was checked at the end.
    pub fn check(&mut self, what: &str, checked: anyhow::Result<()>) {
        let sign = if checked.is_ok() { "ok" } else { "FAILED" };
        self.told.push(format!("{what}: {sign}"));
        self.unit(what, checked);
    }

    /// What a reader has seen during the campaign.
    pub fn watched(&mut self, seen: &Seen) {
        let checked = match seen.violations.first() {
            None => Ok(()),
            Some(first) => Err(anyhow::anyhow!(
                "{} violations, the first: {first}",
                seen.violations.len()
            )),
        };
        let what = format!(
            "{} visible files never changed and hold whole lines",
            seen.files
        );
        self.check(&what, checked);
    }

    /// After a clean stop nothing is half written.
    pub fn no_leftovers(&mut self, out: &Path) -> anyhow::Result<()> {
        let mut left = Vec::new();
        for sink in SINKS {
            left.extend(hidden_files(&out.join(sink))?);
        }
        let checked = match left.first() {
            None => Ok(()),
            Some(first) => Err(anyhow::anyhow!(
                "{} are left: {}",
                left.len(),
                first.display()
            )),
        };
        self.check("no hidden file is left behind a clean stop", checked);
        Ok(())
    }

    /// The outputs hold what they must.
    pub fn outputs(&mut self, oracle: &Oracle, out: &Path) -> anyhow::Result<()> {
        let [copies, by_host, by_page] = SINKS;
        self.output(copies, &oracle.copies, out, copied)?;
        self.output(by_host, &oracle.by_host, out, counted_by_host)?;
        self.output(by_page, &oracle.by_page, out, counted_by_page)
    }

    fn output(
        &mut self,
        sink: &str,
        expected: &oracle::Expected,
        out: &Path,
        read: fn(&str) -> anyhow::Result<(String, String)>,
    ) -> anyhow::Result<()> {
        let mut text = String::new();
        for path in visible_files(&out.join(sink))? {
            text.push_str(&fs::read_to_string(path)?);
        }
        let difference = Difference::between(expected, text.lines(), read);
        self.compared(sink, &difference);
        Ok(())
    }

    /// Every bad line was put aside by every source, once.
    pub fn dead_letters(&mut self, planted: &[Planted], listed: &str) {
        let expected = expected_letters(planted, |bytes| STANDARD.encode(bytes));
        let difference = Difference::between(&expected, listed.lines(), oracle::put_aside);
        self.compared("dead letters", &difference);
    }

    fn compared(&mut self, what: &str, difference: &Difference) {
        let checked = if difference.is_none() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{}", difference.examples.join("\n    ")))
        };
        self.check(&format!("{what}: {difference}"), checked);
    }

    fn unit(&mut self, what: &str, checked: anyhow::Result<()>) {
        match checked {
            Ok(()) => self.passed += 1,
            Err(error) => self.failures.push(format!("{what}: {error:#}")),
        }
    }

    /// Prints it all; whether nothing has failed.
    pub fn tell(&self, seed: u64) -> bool {
        let Self {
            lives,
            killed,
            stopped,
            ..
        } = self;
        say(&format!(
            "seed {seed}: {lives} lives, {killed} killed, {stopped} stopped by SIGTERM before the last"
        ));
        self.told.iter().for_each(|line| say(line));
        for failure in &self.failures {
            say(&format!("FAILED {failure}"));
        }
        say(&format!(
            "{} passed, {} failed",
            self.passed,
            self.failures.len()
        ));
        self.failures.is_empty()
    }
}

/// Prints a line.
#[expect(
    clippy::print_stdout,
    reason = "the campaign reports on standard output"
)]
pub fn say(line: &str) {
    println!("{line}");
}
