//! Which event a number is, and whom it concerns: the model of the Nexmark suite
//! (Tucker et al., "`NEXMark`: a benchmark for queries over data streams", 2002, as
//! its implementations for Beam and Flink have widened it).
//!
//! Events come in rounds of 50 by default: a person, three auctions, 46 bids. Ids
//! rise with the events that have made them, so that a bid names an auction that
//! is there, or nearly.

use std::ops::Range;

use crate::connectors::generated::{bounded, mix};

/// Ids begin here.
const FIRST_ID: u64 = 1_000;
/// The first category, of which there are [`CATEGORIES`].
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;
/// One in so many auctions, bidders and sellers is a hot one.
const HOT_EVERY: u64 = 100;
/// How many people are about at a time.
const ACTIVE_PEOPLE: u64 = 1_000;
/// How many auctions are open at a time.
const OPEN_AUCTIONS: u64 = 100;
/// How far an id may run ahead of the events that have come.
const ID_LEAD: u64 = 10;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Auction,
    Bid,
}

impl Kind {
    /// The number by which the suite's table names it.
    pub(super) fn event_type(self) -> i32 {
        match self {
            Self::Person => 0,
            Self::Auction => 1,
            Self::Bid => 2,
        }
    }
}

/// One event: all its columns are functions of this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub kind: Kind,
    /// Its number.
    pub n: u64,
    /// Milliseconds since 1970.
    pub millis: i64,
    /// The last person that has come, counted from 0.
    last_person: u64,
    /// The last auction that has come, counted from 0.
    last_auction: u64,
}

/// The proportions of the events.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub persons: u64,
    pub auctions: u64,
    pub bids: u64,
    /// One in so many bids is not for the hot auction, and so on.
    pub hot_auctions: u64,
    pub hot_bidders: u64,
    pub hot_sellers: u64,
    /// The mean sizes, in bytes.
    pub person_bytes: u64,
    pub auction_bytes: u64,
    pub bid_bytes: u64,
    pub events_per_second: u64,
    pub seed: u64,
}

impl Model {
    /// How many events a round has.
    pub(super) fn round(&self) -> u64 {
        self.persons + self.auctions + self.bids
    }

    /// Which events of a round are of which kind.
    pub(super) fn places(&self) -> [(Kind, Range<u64>); 3] {
        let before = self.persons + self.auctions;
        [
            (Kind::Person, 0..self.persons),
            (Kind::Auction, self.persons..before),
            (Kind::Bid, before..self.round()),
        ]
    }

    /// Event `n`, which is the `place`-th of round `round`, where events of this kind are.
    #[inline]
    pub(super) fn event(&self, kind: Kind, round: u64, place: u64, n: u64, millis: i64) -> Event {
        let (persons, auctions) = match kind {
            Kind::Person => (place + 1, 0),
            Kind::Auction => (self.persons, place - self.persons + 1),
            Kind::Bid => (self.persons, self.auctions),
        };
        Event {
            kind,
            n,
            millis,
            last_person: (round * self.persons + persons).saturating_sub(1),
            last_auction: (round * self.auctions + auctions).saturating_sub(1),
        }
    }

    /// A random number for one use in one event.
    pub(super) fn random(&self, event: &Event, purpose: Purpose) -> u64 {
        mix(self.seed.wrapping_add(purpose as u64), event.n)
    }

    /// The id of the person who comes.
    pub(super) fn person_id(event: &Event) -> u64 {
        FIRST_ID + event.last_person
    }

    /// The id of the auction that opens.
    pub(super) fn auction_id(event: &Event) -> u64 {
        FIRST_ID + event.last_auction
    }

    /// The auction that a bid is for.
    pub(super) fn bid_auction(&self, event: &Event) -> u64 {
        let random = self.random(event, Purpose::Auction);
        let last = event.last_auction;
        FIRST_ID
            + if is_hot(random, self.hot_auctions) {
                last - last % HOT_EVERY
            } else {
                let oldest = last.saturating_sub(OPEN_AUCTIONS);
                oldest + bounded(again(random), last - oldest + 1 + ID_LEAD)
            }
    }

    /// Who bids. Hot bidders and hot sellers are different people.
    pub(super) fn bidder(&self, event: &Event) -> u64 {
        let random = self.random(event, Purpose::Person);
        FIRST_ID
            + if is_hot(random, self.hot_bidders) {
                event.last_person - event.last_person % HOT_EVERY + 1
            } else {
                active_person(event, again(random))
            }
    }

    /// Who sells.
    pub(super) fn seller(&self, event: &Event) -> u64 {
        let random = self.random(event, Purpose::Person);
        FIRST_ID
            + if is_hot(random, self.hot_sellers) {
                event.last_person - event.last_person % HOT_EVERY
            } else {
                active_person(event, again(random))
            }
    }

    /// The category of an auction.
    pub(super) fn category(&self, event: &Event) -> u64 {
        FIRST_CATEGORY + bounded(self.random(event, Purpose::Category), CATEGORIES)
    }

    /// When an auction ends: on average when as many further auctions have opened
    /// as are open at a time.
    pub(super) fn expires(&self, event: &Event) -> i64 {
        let events = OPEN_AUCTIONS * self.round() / self.auctions.max(1);
        let mean_millis = events * 1_000 / self.events_per_second;
        let random = self.random(event, Purpose::Expires);
        let length = 1 + bounded(random, (mean_millis * 2).max(1));
        event.millis.saturating_add_unsigned(length)
    }
}

/// What a random number is for: no two columns share one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Auction = 1,
    Person,
    Category,
    Expires,
    Price,
    Reserve,
    Channel,
    Name,
    Email,
    CreditCard,
    City,
    Item,
    Description,
    Extra,
}

/// A second random number from one.
pub(super) fn again(random: u64) -> u64 {
    mix(1, random)
}

fn is_hot(random: u64, ratio: u64) -> bool {
    bounded(random, ratio) > 0
}

fn active_person(event: &Event, random: u64) -> u64 {
    let people = event.last_person + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + bounded(random, active + ID_LEAD)
}
