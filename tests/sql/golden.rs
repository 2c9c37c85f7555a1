//! A golden as text: a program, what its tables are fed with, what comes out.
//!
//! Blocks begin with a line of their own: `statement`, `input TABLE`,
//! `output TABLE`, `late N`, `dead-letters`, `explain` (or `explain json`, `explain dot`). Lines that begin with `#`
//! before the first block are comments. An output is what its table holds in the end, whatever
//! was changed on the way. In an input a line is a row as JSON, in front of which its kind may
//! stand (`-U {…}`), or a marker:
//!
//! - `@split NAME`: what follows is read from another split;
//! - `@watermark TIME`: the split says that nothing until this time is to come;
//! - `@await TIME`: the split goes on only when the watermark has reached this
//!   time at the last stage, so that what follows finds it there;
//! - `@clock TIME`: the clock of windows over processing time is put forward to this time; it
//!   is the world's, whatever is killed;
//! - `@idle`: the split is at its end for longer than the idle timeout;
//! - `@bad TEXT`: a record that is no row;
//! - `@checkpoint`: here a checkpoint is waited for before the run is broken off;
//!   without it, at half of the split.

use std::collections::BTreeMap;
use std::sync::Arc;

use thalweg::formats::parse_timestamp_millis;
use thalweg::stream::{ChangeKind, EventTime};

/// One golden.
#[derive(Clone, Debug, Default)]
pub struct Golden {
    pub name: String,
    pub statement: String,
    pub inputs: BTreeMap<String, Input>,
    /// Rows as JSON, sorted, by table.
    pub outputs: BTreeMap<String, Vec<String>>,
    pub late: u64,
    /// `ORIGIN | REASON | BYTES`, sorted.
    pub dead_letters: Vec<String>,
    /// How the plan is written, and the plan.
    pub explain: Option<(String, String)>,
}

/// What a table is fed with: its splits in order.
#[derive(Clone, Debug, Default)]
pub struct Input {
    pub splits: Vec<Script>,
}

/// What one split has to say.
#[derive(Clone, Debug)]
pub struct Script {
    pub name: String,
    pub items: Arc<Vec<Item>>,
}

/// One thing that a split has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Row(ChangeKind, String),
    Bad(String),
    Watermark(EventTime),
    Await(EventTime),
    Clock(EventTime),
    Idle,
    Checkpoint,
}

impl Golden {
    /// Reads the text of a golden.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut golden = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let mut block = Vec::new();
        let mut header = None;
        for line in text.lines() {
            if header.is_none() && line.starts_with('#') {
                continue;
            }
            if is_header(line) {
                golden.take(header.replace(line), &std::mem::take(&mut block))?;
            } else {
                block.push(line);
            }
        }
        golden.take(header, &block)?;
        for rows in golden.outputs.values_mut() {
            rows.sort();
        }
        golden.dead_letters.sort();
        let nothing = golden.outputs.is_empty() && golden.explain.is_none();
        if golden.statement.is_empty() || nothing {
            return Err("a golden has a statement and an output".to_owned());
        }
        Ok(golden)
    }

    /// How long its longest split is.
    pub fn rows(&self) -> usize {
        let splits = self.inputs.values().flat_map(|input| &input.splits);
        splits.map(|split| split.items.len()).max().unwrap_or(0)
    }

    fn take(&mut self, header: Option<&str>, block: &[&str]) -> Result<(), String> {
        let lines: Vec<&str> = block
            .iter()
            .copied()
            .filter(|line| !line.is_empty())
            .collect();
        let owned = || lines.iter().map(|line| (*line).to_owned()).collect();
        let Some(header) = header else {
            return lines.first().map_or(Ok(()), |line| {
                Err(format!("'{line}' stands before any block"))
            });
        };
        let (kind, argument) = header.split_once(' ').unwrap_or((header, ""));
        match kind {
            "statement" => block.join("\n").trim().clone_into(&mut self.statement),
            "input" => {
                let input = Input::parse(&lines)?;
                self.inputs.insert(argument.to_owned(), input);
            }
            "output" => {
                self.outputs.insert(argument.to_owned(), owned());
            }
            "late" => self.late = argument.parse().map_err(|_| format!("'{header}'"))?,
            "dead-letters" => self.dead_letters = owned(),
            _ => self.explain = Some((argument.to_owned(), block.join("\n").trim().to_owned())),
        }
        Ok(())
    }
}

fn is_header(line: &str) -> bool {
    match line.split_once(' ') {
        None => matches!(line, "statement" | "dead-letters" | "explain"),
        Some((kind, argument)) => {
            matches!(kind, "input" | "output" | "late") && !argument.contains(' ')
                || matches!(line, "explain json" | "explain dot")
        }
    }
}

impl Input {
    fn parse(lines: &[&str]) -> Result<Self, String> {
        let mut splits = vec![("1".to_owned(), Vec::new())];
        for line in lines {
            if let Some(name) = line.strip_prefix("@split ") {
                let is_first = splits.len() == 1 && splits[0].1.is_empty();
                if is_first {
                    splits.clear();
                }
                splits.push((name.to_owned(), Vec::new()));
            } else {
                let items = &mut splits.last_mut().expect("there is always one").1;
                items.push(Item::parse(line)?);
            }
        }
        Ok(Self::of(splits))
    }

    /// The input of these splits.
    pub fn of(splits: Vec<(String, Vec<Item>)>) -> Self {
        let script = |(name, items): (String, Vec<Item>)| Script {
            name,
            items: Arc::new(items),
        };
        Self {
            splits: splits.into_iter().map(script).collect(),
        }
    }

    /// Whether its rows may change.
    pub fn has_changes(&self) -> bool {
        let items = self.splits.iter().flat_map(|split| split.items.iter());
        let mut kinds = items.filter_map(|item| match item {
            Item::Row(kind, _) => Some(*kind),
            _ => None,
        });
        kinds.any(|kind| kind != ChangeKind::Insert)
    }

    /// Whether a split of it becomes idle: then it never knows that it has ended.
    pub fn has_idle_splits(&self) -> bool {
        let mut splits = self.splits.iter();
        splits.any(|split| split.items.contains(&Item::Idle))
    }
}

impl Item {
    fn parse(line: &str) -> Result<Self, String> {
        if !line.starts_with('@') {
            let kinds = [
                ChangeKind::Insert,
                ChangeKind::UpdateBefore,
                ChangeKind::UpdateAfter,
                ChangeKind::Delete,
            ];
            let of_kind = kinds.into_iter().find_map(|kind| {
                let row = line.strip_prefix(&format!("{kind} "))?;
                Some(Self::Row(kind, row.to_owned()))
            });
            return Ok(of_kind.unwrap_or_else(|| Self::Row(ChangeKind::Insert, line.to_owned())));
        }
        let (marker, argument) = line.split_once(' ').unwrap_or((line, ""));
        let time = || {
            let millis = parse_timestamp_millis(argument);
            let millis = millis.ok_or_else(|| format!("'{line}' names no time"))?;
            Ok::<_, String>(EventTime::from_millis(millis))
        };
        Ok(match marker {
            "@bad" => Self::Bad(argument.to_owned()),
            "@watermark" => Self::Watermark(time()?),
            "@await" => Self::Await(time()?),
            "@clock" => Self::Clock(time()?),
            "@idle" => Self::Idle,
            "@checkpoint" => Self::Checkpoint,
            _ => return Err(format!("'{line}' is no marker")),
        })
    }
}

impl Script {
    /// Where a checkpoint is waited for before the run is broken off.
    pub fn hold_at(&self) -> usize {
        let marked = self.items.iter().position(|item| *item == Item::Checkpoint);
        marked.unwrap_or(self.items.len() / 2)
    }

    /// Where the run is broken off: some items behind that checkpoint.
    pub fn break_at(&self) -> usize {
        let rest = self.items.len() - self.hold_at();
        self.hold_at() + rest.div_ceil(2)
    }
}

#[test]
fn a_golden_is_read() {
    let text = "# a story\nstatement\nSELECT 1\n\ninput a\n{}\n@watermark 1970-01-01 00:00:01\n\
                @split 2\n@idle\n@bad x y\n\noutput b\n{2}\n{1}\nlate 3\ndead-letters\nz\n";
    let golden = Golden::parse("g", text).unwrap();
    assert_eq!(golden.statement, "SELECT 1");
    let splits = &golden.inputs["a"].splits;
    let second = EventTime::from_millis(1_000);
    let row = Item::Row(ChangeKind::Insert, "{}".to_owned());
    let first = [row, Item::Watermark(second)];
    assert_eq!(*splits[0].items, first);
    assert_eq!(*splits[1].items, [Item::Idle, Item::Bad("x y".to_owned())]);
    assert_eq!(golden.outputs["b"], ["{1}", "{2}"]);
    assert_eq!((golden.late, golden.dead_letters.len()), (3, 1));
    for wrong in [
        "",
        "x\nstatement\n",
        "statement\nx\ninput a\n@what\noutput b\n",
    ] {
        Golden::parse("g", wrong).unwrap_err();
    }
}
