//! Which times of which key ranges are closed: facts that never go back.

use std::collections::BTreeMap;

use super::layout::UnitKey;
use crate::stream::{EventTime, KeyGroup, KeyRange, OperatorId};

/// The fact that nothing in `range` of an operator up to `until` is needed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub operator: OperatorId,
    pub range: KeyRange,
    pub until: EventTime,
}

impl Closing {
    pub fn covers(&self, unit: UnitKey) -> bool {
        self.operator.0 == unit.operator
            && self.range.contains(KeyGroup(unit.group))
            && unit.time <= self.until.millis()
    }
}

/// All closings, one for each range that a task ever had. Ranges may overlap
/// after the number of tasks has changed; the latest time counts.
#[derive(Debug, Default)]
pub(super) struct Closings {
    until: BTreeMap<(u32, u16, u16), EventTime>,
}

impl Closings {
    pub fn insert(&mut self, closing: Closing) {
        let key = super::layout::range_key(closing.operator, closing.range);
        self.until.insert(key, closing.until);
    }

    /// Whether it says more than what is known of this range.
    pub fn is_news(&self, closing: Closing) -> bool {
        let key = super::layout::range_key(closing.operator, closing.range);
        self.until
            .get(&key)
            .is_none_or(|until| *until < closing.until)
    }

    pub fn covers(&self, unit: UnitKey) -> bool {
        self.iter().any(|closing| closing.covers(unit))
    }

    pub fn iter(&self) -> impl Iterator<Item = Closing> {
        self.until
            .iter()
            .map(|(&(operator, start, end), &until)| Closing {
                operator: OperatorId(operator),
                range: KeyRange { start, end },
                until,
            })
    }

    pub fn clear(&mut self) {
        self.until.clear();
    }
}
