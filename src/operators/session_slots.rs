//! Things under numbers that are never used twice, without a table to look them up in.

/// The name of an open session, as long as it does not become part of another one: in the
/// lower half its slot, above it how many have had the slot before.
pub type SessionId = i64;

/// A slot's number has so many bits.
const SLOT_BITS: u32 = 32;

/// Slots, which are used again under other numbers.
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts something under a new number.
    pub fn insert(&mut self, value: T) -> SessionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                value: None,
            });
            u32::try_from(self.slots.len() - 1).expect("a task has fewer than 2^32 sessions")
        });
        let place = &mut self.slots[slot as usize];
        place.value = Some(value);
        i64::from(place.generation) << SLOT_BITS | i64::from(slot)
    }

    /// What is under a number, if it is still there.
    pub fn get(&self, id: SessionId) -> Option<&T> {
        let (slot, generation) = parts(id);
        let slot = &self.slots[slot as usize];
        slot.value
            .as_ref()
            .filter(|_| slot.generation == generation)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut T> {
        let (slot, generation) = parts(id);
        let slot = &mut self.slots[slot as usize];
        slot.value
            .as_mut()
            .filter(|_| slot.generation == generation)
    }

    /// Takes out what is under a number; nobody gets that number again.
    pub fn remove(&mut self, id: SessionId) -> Option<T> {
        let (slot, generation) = parts(id);
        let place = &mut self.slots[slot as usize];
        if place.generation != generation {
            return None;
        }
        let value = place.value.take()?;
        // A slot whose numbers are used up is given up; names of 2^31 sessions were its.
        if generation < i32::MAX.unsigned_abs() {
            place.generation += 1;
            self.free.push(slot);
        }
        Some(value)
    }
}

/// The slot and the generation of a number.
fn parts(id: SessionId) -> (u32, u32) {
    let half = |bits: i64| u32::try_from(bits).expect("half of a number without sign");
    (half(id & i64::from(u32::MAX)), half(id >> SLOT_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_used_twice() {
        let mut slots = Slots::new();
        let first = slots.insert("first");
        let other = slots.insert("other");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.get(other), Some(&"other"));
        assert_eq!(slots.slots.len(), 2, "a slot is used again");
    }

    #[test]
    fn a_slot_whose_numbers_are_used_up_is_given_up() {
        let mut slots = Slots::new();
        let first = slots.insert(1);
        slots.remove(first);
        slots.slots[0].generation = i32::MAX.unsigned_abs();
        let last = slots.insert(2);
        assert_eq!(slots.remove(last), Some(2));
        assert_eq!(slots.get(last), None);
        let next = slots.insert(3);
        assert_eq!((slots.get(last), slots.get(next)), (None, Some(&3)));
    }
}
