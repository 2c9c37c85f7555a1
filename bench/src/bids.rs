//! Records of bids as the Nexmark generator makes them, and the columns of their tables.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// The channels that half of the bids name.
const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// How a bid stands in its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The record is the bid.
    Flat,
    /// The record is an event, whose field `bid` is the bid.
    Nested,
}

/// The columns of a table of bids.
pub const COLUMNS: &str = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, \
     url STRING, `dateTime` TIMESTAMP(3), extra STRING, \
     WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND";

/// The columns of a table of events that may be bids, and the bids among them.
pub const NESTED_COLUMNS: &str = "event_type INT, bid ROW<auction BIGINT, bidder BIGINT, \
     price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING>, \
     `dateTime` AS bid.`dateTime`, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND";
pub const NESTED_VIEW: &str = "CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, \
     bid.channel, bid.url, `dateTime`, bid.extra FROM event WHERE event_type = 2;";

/// How many bids fall into a second of event time: a window of ten seconds has a
/// million, and meets most of a million auctions.
const BIDS_PER_SECOND: u64 = 100_000;

/// Lines of bids on a hundred thousand auctions.
pub fn lines(count: u64, form: Form) -> Vec<u8> {
    let mut bids = Bids::new(100_000, form);
    let mut lines = String::new();
    for _ in 0..count {
        bids.append_line(&mut lines);
    }
    lines.into_bytes()
}

/// Records of bids on so many auctions, one after the other without end.
pub fn records(auctions: u64, form: Form) -> impl Iterator<Item = String> {
    let mut bids = Bids::new(auctions, form);
    std::iter::repeat_with(move || {
        let mut line = String::new();
        bids.append_line(&mut line);
        line.pop();
        line
    })
}

/// Writes a file of flat bids on so many auctions into a new folder; returns its length.
///
/// # Errors
/// If it cannot be written.
pub fn write_file(folder: &Path, count: u64, auctions: u64) -> Result<u64> {
    std::fs::create_dir(folder)?;
    let path = folder.join("bids.json");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let mut bids = Bids::new(auctions, Form::Flat);
    let mut line = String::new();
    for _ in 0..count {
        line.clear();
        bids.append_line(&mut line);
        file.write_all(line.as_bytes())?;
    }
    file.flush()?;
    Ok(std::fs::metadata(&path)?.len())
}

/// Makes one bid after the other.
struct Bids {
    auctions: u64,
    form: Form,
    random: Random,
    made: u64,
}

impl Bids {
    fn new(auctions: u64, form: Form) -> Self {
        Self {
            auctions,
            form,
            random: Random(0x9e37_79b9_7f4a_7c15),
            made: 0,
        }
    }

    fn append_line(&mut self, out: &mut String) {
        let (open, close) = match self.form {
            Form::Flat => ("", ""),
            Form::Nested => (
                r#"{"event_type":2,"person":null,"auction":null,"bid":"#,
                "}",
            ),
        };
        out.push_str(open);
        self.append_bid(out).expect("writing into memory succeeds");
        out.push_str(close);
        out.push('\n');
        self.made += 1;
    }

    fn append_bid(&mut self, out: &mut String) -> std::fmt::Result {
        let random = &mut self.random;
        write!(
            out,
            r#"{{"auction":{},"bidder":{},"price":{},"channel":""#,
            1_000 + random.below(self.auctions),
            1_000 + random.below(10_000),
            100 + random.below(10_000_000),
        )?;
        match usize::try_from(random.below(8)) {
            Ok(known @ 0..4) => out.push_str(CHANNELS[known]),
            _ => write!(out, "channel-{}", random.below(10_000))?,
        }
        write!(
            out,
            r#"","url":"https://example.com/bid/{:05x}/{:05x}/{:05x}/item.htm?query=1"#,
            random.below(1 << 20),
            random.below(1 << 20),
            random.below(1 << 20),
        )?;
        if random.below(2) == 0 {
            write!(out, "&channel_id={}", random.below(1 << 24))?;
        }
        let millis = self.made * 1_000 / BIDS_PER_SECOND;
        let seconds = millis / 1_000;
        write!(
            out,
            r#"","dateTime":"2023-11-{:02} {:02}:{:02}:{:02}.{:03}","extra":""#,
            14 + seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            millis % 1_000,
        )?;
        for _ in 0..30 + random.below(40) {
            let letter = usize::try_from(random.below(26)).unwrap_or(0);
            out.push(char::from(LETTERS[letter]));
        }
        out.push_str("\"}");
        Ok(())
    }
}

/// All seven columns of a bid.
pub fn all_columns() -> SchemaRef {
    let text = || DataType::Utf8;
    columns(&[
        ("auction", DataType::Int64),
        ("bidder", DataType::Int64),
        ("price", DataType::Int64),
        ("channel", text()),
        ("url", text()),
        ("dateTime", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("extra", text()),
    ])
}

/// The four columns that most queries read.
pub fn four_columns() -> SchemaRef {
    let all = all_columns();
    let wanted = [0, 1, 2, 5].map(|place| all.field(place).clone());
    Arc::new(Schema::new(wanted.to_vec()))
}

/// The same four inside an event.
pub fn nested_columns() -> SchemaRef {
    let bid = DataType::Struct(four_columns().fields().clone());
    columns(&[("event_type", DataType::Int32), ("bid", bid)])
}

fn columns(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, of): &(&str, DataType)| Field::new(*name, of.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Numbers that are the same in each run: a xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
