//! The text in events.

use std::fmt::Write as _;

use super::model::{Event, Model, Purpose, again};
use crate::connectors::generated::{bounded, mix, unit_interval};

const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] = [
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
];
/// Cities, each with its state.
const CITIES: [(&str, &str); 10] = [
    ("Phoenix", "AZ"),
    ("Los Angeles", "CA"),
    ("San Francisco", "CA"),
    ("Boise", "ID"),
    ("Portland", "OR"),
    ("Bend", "OR"),
    ("Redmond", "WA"),
    ("Seattle", "WA"),
    ("Kent", "WA"),
    ("Cheyenne", "WY"),
];
/// Half of the bids come through one of these.
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
/// And the others through one of so many.
const CHANNELS: u64 = 10_000;

/// Letters from which text is cut.
const POOL_BYTES: u64 = 1 << 16;
/// The longest text that may be cut, in bytes.
const CUT_MAX: u64 = 1 << 12;

/// Text that is made once and then only copied.
pub(super) struct Texts {
    pool: String,
    /// Name and address of each channel, the hot ones first.
    channels: Vec<(String, String)>,
}

impl Texts {
    pub(super) fn new() -> Self {
        let letter = |n| char::from(b'a' + u8::try_from(bounded(mix(2, n), 26)).unwrap_or(0));
        let pool: String = (0..POOL_BYTES).map(letter).collect();
        let hot = HOT_CHANNELS.iter().map(|name| (*name).to_owned());
        let others = (0..CHANNELS).map(|channel| format!("channel-{channel}"));
        let names = hot.chain(others).zip(0_u64..);
        let channels = names.map(|(name, channel)| {
            let url = channel_url(&pool, channel);
            (name, url)
        });
        Self {
            channels: channels.collect(),
            pool,
        }
    }

    /// Name and address of the channel of a bid.
    pub(super) fn channel(&self, model: &Model, event: &Event) -> &(String, String) {
        let random = model.random(event, Purpose::Channel);
        let hot = HOT_CHANNELS.len() as u64;
        let channel = if bounded(random, 2) > 0 {
            bounded(again(random), hot)
        } else {
            hot + bounded(again(random), CHANNELS)
        };
        let channel = usize::try_from(channel).expect("a channel is a small number");
        &self.channels[channel]
    }

    /// A word of 3 to `longest` letters.
    pub(super) fn word(&self, random: u64, longest: u64) -> &str {
        let length = 3 + bounded(random, longest - 2);
        cut(&self.pool, again(random), length)
    }

    /// What fills an event up to its mean size, give or take a fifth. `size` is
    /// what it has without.
    pub(super) fn extra(&self, model: &Model, event: &Event, size: u64, mean: u64) -> &str {
        let missing = mean.saturating_sub(size);
        let fifth = missing / 5;
        let random = model.random(event, Purpose::Extra);
        let length = missing - fifth + bounded(random, 2 * fifth + 1);
        cut(&self.pool, again(random), length)
    }
}

fn cut(pool: &str, random: u64, length: u64) -> &str {
    let length = length.min(CUT_MAX);
    let start =
        usize::try_from(bounded(random, POOL_BYTES - length)).expect("below the pool's size");
    let length = usize::try_from(length).expect("below the pool's size");
    &pool[start..start + length]
}

fn channel_url(pool: &str, channel: u64) -> String {
    let random = mix(3, channel);
    let mut url = "https://example.com/bid".to_owned();
    for part in 0..3 {
        let random = mix(part, random);
        let length = 3 + bounded(random, 3);
        write!(url, "/{}", cut(pool, again(random), length)).expect("writing into memory succeeds");
    }
    url.push_str("/item.htm?query=1");
    // Most channels say in the address who they are.
    if bounded(again(random), 10) > 0 {
        write!(url, "&channel_id={}", random >> 33).expect("writing into memory succeeds");
    }
    url
}

/// The name of a person.
pub(super) fn name(random: u64) -> [&'static str; 3] {
    let first = bounded(random, FIRST_NAMES.len() as u64);
    let last = bounded(again(random), LAST_NAMES.len() as u64);
    let pick = |names: &[&'static str], place| names[usize::try_from(place).unwrap_or(0)];
    [pick(&FIRST_NAMES, first), " ", pick(&LAST_NAMES, last)]
}

/// A city and its state.
pub(super) fn city(random: u64) -> (&'static str, &'static str) {
    let place = bounded(random, CITIES.len() as u64);
    CITIES[usize::try_from(place).unwrap_or(0)]
}

/// Four groups of four digits.
pub(super) fn credit_card(random: u64) -> [u64; 4] {
    [0, 16, 32, 48].map(|bits| (random >> bits) % 10_000)
}

/// A price in cents, from 1 to a million: small ones are as likely as large ones.
pub(super) fn price(random: u64) -> i64 {
    let cents = 10_f64.powf(unit_interval(random) * 6.0) * 100.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a price is below 2^53, and rounded"
    )]
    let cents = cents.round() as i64;
    cents
}
