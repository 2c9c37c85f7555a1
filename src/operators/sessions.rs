//! The open sessions of keys: which rows are near enough to each other to be of one session,
//! and which sessions a watermark closes. Keys and partial states are nothing but bytes here.
//!
//! *Invariant.* Sessions of one key neither overlap nor touch. A row is a session of its own
//! from its time until a gap later; sessions that touch are one (as Flink's
//! `TimeWindow.intersects` has it, a row that comes exactly a gap later still belongs).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use crate::stream::EventTime;

/// The name of an open session, as long as it does not become part of another one.
pub type SessionId = i64;

/// The open sessions of one task.
#[derive(Debug)]
pub struct Sessions {
    gap_ms: i64,
    open: HashMap<SessionId, Session>,
    /// The sessions of each key, by their starts.
    of_key: HashMap<Arc<[u8]>, Vec<(i64, SessionId)>>,
    /// By their ends, as they were before the rows that have not been settled.
    ends: BTreeSet<(i64, SessionId)>,
    next: SessionId,
    /// Sessions that rows have gone into since the last settlement, and those that have
    /// become part of others.
    touched: HashSet<SessionId>,
    merged: HashMap<SessionId, SessionId>,
    /// What the durable state does not know yet.
    changed: HashSet<SessionId>,
    gone: HashSet<(Arc<[u8]>, i64)>,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whose it is.
    pub key: Arc<[u8]>,
    /// The time of its first row, in milliseconds.
    pub start: i64,
    /// A gap behind its last row.
    pub end: i64,
    /// The aggregates of its rows: one partial state, or several where sessions have just
    /// become one.
    pub states: Vec<Box<[u8]>>,
    /// The end under which it is found.
    filed: Option<i64>,
    /// The start under which the durable state has it.
    kept: Option<i64>,
}

/// What the durable state is to be told.
#[derive(Debug, Default)]
pub struct Changes {
    /// Sessions that take the place of what is there under their key and start.
    pub put: Vec<Session>,
    /// Keys and starts of sessions that are there no more.
    pub gone: Vec<(Arc<[u8]>, i64)>,
}

impl Sessions {
    /// No sessions yet; a session ends when there is no row for `gap_ms`.
    pub fn new(gap_ms: i64) -> Self {
        Self {
            gap_ms,
            open: HashMap::new(),
            of_key: HashMap::new(),
            ends: BTreeSet::new(),
            next: 0,
            touched: HashSet::new(),
            merged: HashMap::new(),
            changed: HashSet::new(),
            gone: HashSet::new(),
        }
    }

    /// The session that a row belongs to, which is opened, grows or joins others by it; `None`
    /// if the row is late: no open session takes it, and its own would be closed already.
    pub fn place(&mut self, key: &[u8], time: i64, watermark: EventTime) -> Option<SessionId> {
        let end = time.saturating_add(self.gap_ms);
        let touching = self.touching(key, time, end);
        let id = if touching.is_empty() {
            if end <= closed_by(watermark) {
                return None;
            }
            self.insert(key.into(), time, end)
        } else {
            self.grow(key, touching, time, end)
        };
        self.touched.insert(id);
        Some(id)
    }

    /// Which of a key's sessions a session from `start` to `end` would touch.
    fn touching(&self, key: &[u8], start: i64, end: i64) -> std::ops::Range<usize> {
        let Some(sessions) = self.of_key.get(key) else {
            return 0..0;
        };
        // By their starts they are in the order of their ends, too.
        let behind = sessions.partition_point(|(known, _)| *known <= end);
        let before = sessions[..behind].iter().rev();
        let touching = before.take_while(|(_, id)| self.open[id].end >= start);
        behind - touching.count()..behind
    }

    fn insert(&mut self, key: Arc<[u8]>, start: i64, end: i64) -> SessionId {
        let id = self.next;
        self.next += 1;
        let sessions = self.of_key.entry(Arc::clone(&key)).or_default();
        let place = sessions.partition_point(|(known, _)| *known < start);
        sessions.insert(place, (start, id));
        let session = Session {
            key,
            start,
            end,
            states: Vec::new(),
            filed: None,
            kept: None,
        };
        self.open.insert(id, session);
        id
    }

    /// Makes the sessions at these places of a key one, from `start` to `end` at least.
    fn grow(
        &mut self,
        key: &[u8],
        touching: std::ops::Range<usize>,
        start: i64,
        end: i64,
    ) -> SessionId {
        let sessions = self.of_key.get_mut(key).expect("a key with sessions");
        let (first, others) = (touching.start, touching.start + 1..touching.end);
        let others: Vec<_> = sessions.drain(others).map(|(_, id)| id).collect();
        let (known, id) = &mut sessions[first];
        *known = start.min(*known);
        let (start, id) = (*known, *id);
        let others = others.into_iter().map(|other| (other, self.take(other)));
        let others: Vec<_> = others.collect();
        let session = self.open.get_mut(&id).expect("an open session");
        session.start = start;
        session.end = session.end.max(end);
        for (other, taken) in others {
            session.end = session.end.max(taken.end);
            session.states.extend(taken.states);
            self.merged.insert(other, id);
        }
        id
    }

    /// Takes a session out, of which nothing is left but its place among those of its key.
    fn take(&mut self, id: SessionId) -> Session {
        let session = self.open.remove(&id).expect("an open session");
        if let Some(filed) = session.filed {
            self.ends.remove(&(filed, id));
        }
        if let Some(kept) = session.kept {
            self.gone.insert((Arc::clone(&session.key), kept));
        }
        session
    }

    /// The session that one has become part of, or itself.
    pub fn resolve(&self, id: SessionId) -> SessionId {
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
            if let Some(session) = self.open.get_mut(id) {
                let states = mem::take(&mut session.states);
                taken.extend(states.into_iter().map(|state| (*id, state)));
            }
        }
        taken
    }

    /// Gives a session its partial state.
    pub fn put_state(&mut self, id: SessionId, state: Box<[u8]>) {
        let session = self.open.get_mut(&id).expect("an open session");
        session.states.push(state);
    }

    /// Ends what began with the first row that was placed: from now on a watermark may come.
    pub fn settle(&mut self) {
        self.merged.clear();
        for id in self.touched.drain() {
            let Some(session) = self.open.get_mut(&id) else {
                continue;
            };
            if session.filed != Some(session.end) {
                if let Some(filed) = session.filed {
                    self.ends.remove(&(filed, id));
                }
                self.ends.insert((session.end, id));
                session.filed = Some(session.end);
            }
            self.changed.insert(id);
        }
    }

    /// Takes out sessions that the watermark closes, those that end first, `count_max` of
    /// them at most.
    pub fn close(&mut self, watermark: EventTime, count_max: usize) -> Vec<(SessionId, Session)> {
        let closed = closed_by(watermark);
        let mut sessions = Vec::new();
        while let Some(&(end, id)) = self.ends.first()
            && end <= closed
            && sessions.len() < count_max
        {
            let session = self.take(id);
            let of_key = self.of_key.get_mut(&session.key);
            let of_key = of_key.expect("a key with sessions");
            of_key.retain(|(_, other)| *other != id);
            if of_key.is_empty() {
                self.of_key.remove(&session.key);
            }
            sessions.push((id, session));
        }
        sessions
    }

    /// The end of the session that ends first.
    pub fn next_close(&self) -> Option<EventTime> {
        let (end, _) = self.ends.first()?;
        Some(EventTime::from_millis(*end))
    }

    /// What has changed since this was asked the last time.
    pub fn take_changes(&mut self) -> Changes {
        let mut put = Vec::new();
        for id in mem::take(&mut self.changed) {
            let Some(session) = self.open.get_mut(&id) else {
                continue;
            };
            if let Some(kept) = session.kept.replace(session.start) {
                self.gone.insert((Arc::clone(&session.key), kept));
            }
            put.push(session.clone());
        }
        // Where one has gone another one may be now.
        for session in &put {
            self.gone.remove(&(Arc::clone(&session.key), session.start));
        }
        let gone = self.gone.drain().collect();
        Changes { put, gone }
    }

    /// Takes back a session that the durable state has.
    pub fn restore(&mut self, key: Arc<[u8]>, start: i64, end: i64, state: Box<[u8]>) {
        let id = self.insert(key, start, end);
        let session = self.open.get_mut(&id).expect("it was just inserted");
        session.states.push(state);
        session.kept = Some(start);
        session.filed = Some(end);
        self.ends.insert((end, id));
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
