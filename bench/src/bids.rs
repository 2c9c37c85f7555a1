//! Files of flat bids, about 240 bytes a line, with as many auctions as wanted.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;

/// How many bids fall into a second of event time: a window of ten seconds has a
/// million, and meets most of a million auctions.
const BIDS_PER_SECOND: u64 = 100_000;

const CHANNELS: [&str; 4] = ["Google", "Facebook", "channel-4711", "Apple"];

const LETTERS: &str = "qxkzjvwybfgmpcdulrhsnioateqxkzjvwybfgmpcdulrhsnioatezyxwvutsrqponmlk";

/// The columns of a bid, for a `CREATE TABLE`.
pub const COLUMNS: &str = "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, \
     url STRING, `dateTime` TIMESTAMP(3), extra STRING, \
     WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND";

/// Writes `rows` bids on `auctions` auctions into the folder `dir`; returns the length.
///
/// # Errors
/// If they cannot be written.
pub fn write(dir: &Path, rows: u64, auctions: u64) -> Result<u64> {
    std::fs::create_dir(dir)?;
    let path = dir.join("bids.json");
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    for row in 0..rows {
        let random = mix(row);
        let millis = row * 1_000 / BIDS_PER_SECOND;
        let seconds = millis / 1_000;
        let channel = CHANNELS[(random & 3) as usize];
        let extra = (random >> 2 & 15) as usize;
        writeln!(
            file,
            r#"{{"auction":{},"bidder":{},"price":{},"channel":"{channel}","url":"https://www.example.com/{:05x}/{:05x}/{:05x}/item.htm?query=1","dateTime":"2026-01-{:02} {:02}:{:02}:{:02}.{:03}","extra":"{}"}}"#,
            1_000 + (random >> 20) % auctions,
            1_000 + (random >> 40) % 10_000,
            100 + random % 10_000_000,
            random & 0xf_ffff,
            random >> 20 & 0xf_ffff,
            random >> 40 & 0xf_ffff,
            1 + seconds / 86_400,
            seconds / 3_600 % 24,
            seconds / 60 % 60,
            seconds % 60,
            millis % 1_000,
            &LETTERS[extra..extra + 50],
        )?;
    }
    file.flush()?;
    Ok(std::fs::metadata(&path)?.len())
}

/// Spreads neighbours (the finaliser of `SplitMix64`).
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
