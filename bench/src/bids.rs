//! Records of bids as the Nexmark generator makes them, and the columns of their tables.

use std::fmt::Write as _;
use std::sync::Arc;

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

/// Lines of bids, ten to a millisecond.
pub fn lines(count: u64, form: Form) -> Vec<u8> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut lines = String::new();
    for bid in 0..count {
        let (open, close) = match form {
            Form::Flat => ("", ""),
            Form::Nested => (
                r#"{"event_type":2,"person":null,"auction":null,"bid":"#,
                "}",
            ),
        };
        lines.push_str(open);
        write_bid(bid, &mut random, &mut lines);
        lines.push_str(close);
        lines.push('\n');
    }
    lines.into_bytes()
}

fn write_bid(bid: u64, random: &mut Random, out: &mut String) {
    let (millis, seconds) = (bid / 10 % 1_000, bid / 10_000);
    let channel = match random.below(8) {
        known @ 0..4 => usize::try_from(known)
            .ok()
            .and_then(|known| CHANNELS.get(known)),
        _ => None,
    };
    let channel = channel.map_or_else(
        || format!("channel-{}", random.below(10_000)),
        |known| (*known).to_owned(),
    );
    let written = write!(
        out,
        r#"{{"auction":{},"bidder":{},"price":{},"channel":"{channel}","url":"https://example.com/bid/{:05x}/{:05x}/{:05x}/item.htm?query=1"#,
        1_000 + random.below(100_000),
        1_000 + random.below(10_000),
        100 + random.below(10_000_000),
        random.below(1 << 20),
        random.below(1 << 20),
        random.below(1 << 20),
    );
    written.expect("writing into memory succeeds");
    if random.below(2) == 0 {
        write!(out, "&channel_id={}", random.below(1 << 24)).expect("writing into memory succeeds");
    }
    let written = write!(
        out,
        r#"","dateTime":"2023-11-14 {:02}:{:02}:{:02}.{millis:03}","extra":""#,
        seconds / 3_600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    written.expect("writing into memory succeeds");
    for _ in 0..30 + random.below(40) {
        out.push(char::from(
            LETTERS[usize::try_from(random.below(26)).unwrap_or(0)],
        ));
    }
    out.push_str("\"}");
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
