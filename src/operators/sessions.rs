//! The open sessions of keys: which rows are near enough to each other to be of one session,
//! and which sessions a watermark closes. Partial states are nothing but bytes here.
//!
//! *Invariant.* Sessions of one key neither overlap nor touch. A row is a session of its own
//! from its time until a gap later; sessions that touch are one (as Flink's
//! `TimeWindow.intersects` has it, a row that comes exactly a gap later still belongs).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::mem;
use std::ops::Range;

use slotmap::{Key, KeyData, SlotMap, new_key_type};

use crate::expr::KeyIndex;
use crate::stream::EventTime;

new_key_type! {
    /// The name of an open session, as long as it does not become part of another one.
    pub struct SessionId;
}

impl SessionId {
    /// The name as a number.
    pub fn number(self) -> i64 {
        self.data().as_ffi().cast_signed()
    }

    /// The name that a number is.
    pub fn of_number(number: i64) -> Self {
        KeyData::from_ffi(number.cast_unsigned()).into()
    }
}

/// The open sessions of one task.
pub struct Sessions {
    gap_ms: i64,
    keys: KeyIndex,
    /// By the index of their key, and of each by their starts.
    of_key: Vec<Vec<Place>>,
    open: SlotMap<SessionId, Session>,
    /// Each open session once, with an end that it had: it may have grown since, and what has
    /// closed otherwise is still there.
    ends: BinaryHeap<Reverse<(i64, SessionId)>>,
    /// Sessions that rows have gone into since the last settlement, and those that have
    /// become part of others.
    touched: Vec<SessionId>,
    merged: HashMap<SessionId, SessionId>,
    /// What the durable state does not know yet.
    changed: Vec<SessionId>,
    gone: HashSet<(Box<[u8]>, i64)>,
    /// Keys that may have no sessions any more.
    idle: Vec<u32>,
}

/// Where a session of a key lies.
#[derive(Clone, Copy)]
struct Place {
    start: i64,
    end: i64,
    id: SessionId,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    /// The index of its key.
    pub key: u32,
    /// The time of its first row, in milliseconds.
    pub start: i64,
    /// A gap behind its last row.
    pub end: i64,
    /// The aggregates of its rows: one partial state, or several where sessions have just
    /// become one.
    pub states: Vec<Box<[u8]>>,
    /// The start under which the durable state has it.
    kept: Option<i64>,
    is_touched: bool,
    is_changed: bool,
}

/// What the durable state is to be told.
#[derive(Debug, Default)]
pub struct Changes {
    /// Sessions that take the place of what is there under their key and start.
    pub put: Vec<SessionId>,
    /// Keys and starts of sessions that are there no more.
    pub gone: Vec<(Box<[u8]>, i64)>,
}

impl Sessions {
    /// No sessions of these keys yet; a session ends when there is no row for `gap_ms`.
    pub fn new(gap_ms: i64, keys: KeyIndex) -> Self {
        Self {
            gap_ms,
            keys,
            of_key: Vec::new(),
            open: SlotMap::with_key(),
            ends: BinaryHeap::new(),
            touched: Vec::new(),
            merged: HashMap::new(),
            changed: Vec::new(),
            gone: HashSet::new(),
            idle: Vec::new(),
        }
    }

    /// Their keys.
    pub fn keys(&self) -> &KeyIndex {
        &self.keys
    }

    /// An open session.
    pub fn session(&self, id: SessionId) -> &Session {
        self.open.get(id).expect("an open session")
    }

    /// The session that a row belongs to, which is opened, grows or joins others by it; `None`
    /// if the row is late: no open session takes it, and its own would be closed already.
    pub fn place(&mut self, key: &[u8], time: i64, watermark: EventTime) -> Option<SessionId> {
        let end = time.saturating_add(self.gap_ms);
        let key = self.index(key);
        let touching = self.touching(key, time, end);
        let id = if !touching.is_empty() {
            self.grow(key, touching, time, end)
        } else if end > closed_by(watermark) {
            self.insert(key, touching.start, time, end)
        } else {
            self.idle.push(key);
            return None;
        };
        let session = self.open.get_mut(id).expect("an open session");
        if !mem::replace(&mut session.is_touched, true) {
            self.touched.push(id);
        }
        Some(id)
    }

    fn index(&mut self, key: &[u8]) -> u32 {
        let index = self.keys.index(key);
        if self.of_key.len() < self.keys.index_bound() {
            self.of_key.resize_with(self.keys.index_bound(), Vec::new);
        }
        index
    }

    /// Which of a key's sessions a session from `start` to `end` would touch; if none, where it
    /// would lie.
    fn touching(&self, key: u32, start: i64, end: i64) -> Range<usize> {
        let sessions = &self.of_key[key as usize];
        // By their starts they are in the order of their ends, too.
        let behind = sessions.partition_point(|known| known.start <= end);
        let before = sessions[..behind].iter().rev();
        let touching = before.take_while(|known| known.end >= start);
        behind - touching.count()..behind
    }

    fn insert(&mut self, key: u32, place: usize, start: i64, end: i64) -> SessionId {
        let id = self.open.insert(Session {
            key,
            start,
            end,
            states: Vec::new(),
            kept: None,
            is_touched: false,
            is_changed: false,
        });
        self.of_key[key as usize].insert(place, Place { start, end, id });
        self.ends.push(Reverse((end, id)));
        id
    }

    /// Makes the sessions at these places of a key one, from `start` to `end` at least.
    fn grow(&mut self, key: u32, touching: Range<usize>, start: i64, end: i64) -> SessionId {
        let sessions = &mut self.of_key[key as usize];
        let last = sessions[touching.end - 1].end;
        let first = &mut sessions[touching.start];
        first.start = start.min(first.start);
        first.end = end.max(last);
        let Place { start, end, id } = *first;
        let mut states = Vec::new();
        if touching.len() > 1 {
            let others: Vec<_> = sessions.drain(touching.start + 1..touching.end).collect();
            for other in others {
                states.extend(self.take(other.id).states);
                self.merged.insert(other.id, id);
            }
        }
        let session = self.open.get_mut(id).expect("an open session");
        (session.start, session.end) = (start, end);
        session.states.extend(states);
        id
    }

    /// Takes a session out, of which nothing is left but its place among those of its key.
    fn take(&mut self, id: SessionId) -> Session {
        let session = self.open.remove(id).expect("an open session");
        if let Some(kept) = session.kept {
            self.gone.insert((self.keys.key(session.key).into(), kept));
        }
        session
    }

    /// The session that one has become part of, or itself.
    pub fn resolve(&self, id: SessionId) -> SessionId {
        if self.merged.is_empty() {
            return id;
        }
        let mut id = id;
        while let Some(&other) = self.merged.get(&id) {
            id = other;
        }
        id
    }

    /// Takes the partial states out of all sessions that rows have gone into, by rising
    /// starts of what became one; they have to be settled then.
    pub fn take_states(&mut self) -> Vec<(SessionId, Box<[u8]>)> {
        let mut taken = Vec::new();
        for id in &self.touched {
            if let Some(session) = self.open.get_mut(*id) {
                taken.extend(session.states.drain(..).map(|state| (*id, state)));
            }
        }
        taken
    }

    /// Gives a session its partial state.
    pub fn put_state(&mut self, id: SessionId, state: Box<[u8]>) {
        let session = self.open.get_mut(id).expect("an open session");
        session.states.push(state);
    }

    /// Ends what began with the first row that was placed: from now on a watermark may come.
    pub fn settle(&mut self) {
        self.merged.clear();
        for id in self.touched.drain(..) {
            let Some(session) = self.open.get_mut(id) else {
                continue;
            };
            session.is_touched = false;
            if !mem::replace(&mut session.is_changed, true) {
                self.changed.push(id);
            }
        }
        self.correct_first();
        self.forget_idle_keys();
    }

    /// Makes the first of the ends one that a session has.
    fn correct_first(&mut self) {
        while let Some(&Reverse((end, id))) = self.ends.peek() {
            match self.open.get(id) {
                Some(session) if session.end == end => return,
                Some(session) => {
                    let grown = Reverse((session.end, id));
                    *self.ends.peek_mut().expect("it was just seen") = grown;
                }
                None => {
                    self.ends.pop();
                }
            }
        }
    }

    /// Takes out sessions that the watermark closes, those that end first, `count_max` of
    /// them at most. Their keys are known until something is settled.
    pub fn close(&mut self, watermark: EventTime, count_max: usize) -> Vec<(SessionId, Session)> {
        let closed = closed_by(watermark);
        let mut sessions = Vec::new();
        while let Some(&Reverse((end, id))) = self.ends.peek()
            && end <= closed
            && sessions.len() < count_max
        {
            self.ends.pop();
            let session = self.take(id);
            let of_key = &mut self.of_key[session.key as usize];
            of_key.retain(|other| other.id != id);
            if of_key.is_empty() {
                self.idle.push(session.key);
            }
            sessions.push((id, session));
            self.correct_first();
        }
        sessions
    }

    /// Forgets keys that have no sessions.
    fn forget_idle_keys(&mut self) {
        self.idle.sort_unstable();
        self.idle.dedup();
        for key in self.idle.drain(..) {
            if self.of_key[key as usize].is_empty() {
                self.keys.remove(key);
            }
        }
    }

    /// The end of the session that ends first.
    pub fn next_close(&self) -> Option<EventTime> {
        let Reverse((end, _)) = self.ends.peek()?;
        Some(EventTime::from_millis(*end))
    }

    /// What has changed since this was asked the last time.
    pub fn take_changes(&mut self) -> Changes {
        let mut put = Vec::new();
        for id in mem::take(&mut self.changed) {
            let Some(session) = self.open.get_mut(id) else {
                continue;
            };
            session.is_changed = false;
            let key = self.keys.key(session.key);
            if let Some(kept) = session.kept.replace(session.start)
                && kept != session.start
            {
                self.gone.insert((key.into(), kept));
            }
            put.push(id);
        }
        // Where one has gone another one may be now.
        for id in &put {
            if self.gone.is_empty() {
                break;
            }
            let Session { key, start, .. } = self.open.get(*id).expect("an open session");
            self.gone.remove(&(self.keys.key(*key).into(), *start));
        }
        let gone = self.gone.drain().collect();
        Changes { put, gone }
    }

    /// Takes back a session that the durable state has.
    pub fn restore(&mut self, key: &[u8], start: i64, end: i64, state: Box<[u8]>) {
        let key = self.index(key);
        let place = self.touching(key, start, start).start;
        let id = self.insert(key, place, start, end);
        let session = self.open.get_mut(id).expect("it was just inserted");
        session.states.push(state);
        session.kept = Some(start);
    }
}

/// Sessions that end here or earlier are closed by a watermark: it has reached their last
/// millisecond.
fn closed_by(watermark: EventTime) -> i64 {
    if watermark == EventTime::MIN {
        return i64::MIN;
    }
    watermark.saturating_add(1).millis()
}
