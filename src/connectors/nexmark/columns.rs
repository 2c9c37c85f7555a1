//! The columns of each kind of event.

use std::fmt::Write as _;

use super::model::{Event, Kind, Model, Purpose, again};
use super::text::{self, Texts};

/// One column: its name as in the suite, its type, and how it is made.
pub(super) struct Column {
    pub name: &'static str,
    pub make: Make,
}

/// How the values of a column are made; this is also the column's type.
#[derive(Clone, Copy)]
pub(super) enum Make {
    /// `BIGINT`.
    Number(fn(&Model, &Event) -> i64),
    /// `TIMESTAMP(3)`: milliseconds since 1970.
    Time(fn(&Model, &Event) -> i64),
    /// `STRING`, appended.
    Text(fn(&Model, &Texts, &Event, &mut String)),
}

/// The columns of an event of this kind.
pub(super) fn columns_of(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Person => PERSON,
        Kind::Auction => AUCTION,
        Kind::Bid => BID,
    }
}

const fn column(name: &'static str, make: Make) -> Column {
    Column { name, make }
}

static PERSON: &[Column] = &[
    column("id", Make::Number(|_, event| id(Model::person_id(event)))),
    column(
        "name",
        Make::Text(|model, _, event, out| {
            let name = text::name(model.random(event, Purpose::Name));
            out.extend(name);
        }),
    ),
    column(
        "emailAddress",
        Make::Text(|model, texts, event, out| {
            let random = model.random(event, Purpose::Email);
            out.push_str(texts.word(random, 7));
            out.push('@');
            out.push_str(texts.word(again(random), 5));
            out.push_str(".com");
        }),
    ),
    column(
        "creditCard",
        Make::Text(|model, _, event, out| {
            let [a, b, c, d] = text::credit_card(model.random(event, Purpose::CreditCard));
            write!(out, "{a:04} {b:04} {c:04} {d:04}").expect("writing into memory succeeds");
        }),
    ),
    column(
        "city",
        Make::Text(|model, _, event, out| {
            out.push_str(text::city(model.random(event, Purpose::City)).0);
        }),
    ),
    column(
        "state",
        Make::Text(|model, _, event, out| {
            out.push_str(text::city(model.random(event, Purpose::City)).1);
        }),
    ),
    column("dateTime", Make::Time(|_, event| event.millis)),
    column(
        "extra",
        Make::Text(|model, texts, event, out| {
            out.push_str(texts.extra(model, event, PERSON_BYTES, model.person_bytes));
        }),
    ),
];

static AUCTION: &[Column] = &[
    column("id", Make::Number(|_, event| id(Model::auction_id(event)))),
    column(
        "itemName",
        Make::Text(|model, texts, event, out| {
            out.push_str(texts.word(model.random(event, Purpose::Item), 20));
        }),
    ),
    column(
        "description",
        Make::Text(|model, texts, event, out| {
            out.push_str(texts.word(model.random(event, Purpose::Description), 100));
        }),
    ),
    column("initialBid", Make::Number(initial_bid)),
    column(
        "reserve",
        Make::Number(|model, event| {
            initial_bid(model, event) + text::price(model.random(event, Purpose::Reserve))
        }),
    ),
    column("dateTime", Make::Time(|_, event| event.millis)),
    column("expires", Make::Time(Model::expires)),
    column(
        "seller",
        Make::Number(|model, event| id(model.seller(event))),
    ),
    column(
        "category",
        Make::Number(|model, event| id(model.category(event))),
    ),
    column(
        "extra",
        Make::Text(|model, texts, event, out| {
            out.push_str(texts.extra(model, event, AUCTION_BYTES, model.auction_bytes));
        }),
    ),
];

static BID: &[Column] = &[
    column(
        "auction",
        Make::Number(|model, event| id(model.bid_auction(event))),
    ),
    column(
        "bidder",
        Make::Number(|model, event| id(model.bidder(event))),
    ),
    column("price", Make::Number(initial_bid)),
    column(
        "channel",
        Make::Text(|model, texts, event, out| {
            out.push_str(&texts.channel(model, event).0);
        }),
    ),
    column(
        "url",
        Make::Text(|model, texts, event, out| {
            out.push_str(&texts.channel(model, event).1);
        }),
    ),
    column("dateTime", Make::Time(|_, event| event.millis)),
    column(
        "extra",
        Make::Text(|model, texts, event, out| {
            out.push_str(texts.extra(model, event, BID_BYTES, model.bid_bytes));
        }),
    ),
];

/// What a person has without `extra`, in bytes, on average.
const PERSON_BYTES: u64 = 8 + 12 + 14 + 19 + 9 + 2 + 8;
/// What an auction has without `extra`, in bytes, on average.
const AUCTION_BYTES: u64 = 7 * 8 + 12 + 52;
/// What a bid has without `extra`, in bytes, as the suite counts it.
const BID_BYTES: u64 = 4 * 8;

fn id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn initial_bid(model: &Model, event: &Event) -> i64 {
    text::price(model.random(event, Purpose::Price))
}
