//! Things under numbers that are never used twice, without a table to look them up in.

/// The name of an open session, as long as it does not become part of another one: in the
/// lower half its place, above it how many have had the place before.
pub type SessionId = i64;

/// A place's number has so many bits.
const PLACE_BITS: u32 = 32;

/// A shelf whose places are used again under other numbers.
pub struct Shelf<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Shelf<T> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Puts something under a new number.
    pub fn insert(&mut self, value: T) -> SessionId {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                value: None,
            });
            u32::try_from(self.places.len() - 1).expect("a task has fewer than 2^32 sessions")
        });
        let place = &mut self.places[number as usize];
        place.value = Some(value);
        i64::from(place.generation) << PLACE_BITS | i64::from(number)
    }

    /// What is under a number, if it is still there.
    pub fn get(&self, id: SessionId) -> Option<&T> {
        let (number, generation) = parts(id);
        let place = &self.places[number as usize];
        place
            .value
            .as_ref()
            .filter(|_| place.generation == generation)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut T> {
        let (number, generation) = parts(id);
        let place = &mut self.places[number as usize];
        place
            .value
            .as_mut()
            .filter(|_| place.generation == generation)
    }

    /// Takes out what is under a number; nobody gets that number again.
    pub fn remove(&mut self, id: SessionId) -> Option<T> {
        let (number, generation) = parts(id);
        let place = &mut self.places[number as usize];
        if place.generation != generation {
            return None;
        }
        let value = place.value.take()?;
        // A place whose numbers are used up is given up; names of 2^31 sessions were its.
        if generation < i32::MAX.unsigned_abs() {
            place.generation += 1;
            self.free.push(number);
        }
        Some(value)
    }
}

/// The place and the generation of a number.
fn parts(id: SessionId) -> (u32, u32) {
    let half = |bits: i64| u32::try_from(bits).expect("half of a number without sign");
    (half(id & i64::from(u32::MAX)), half(id >> PLACE_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_used_twice() {
        let mut places = Shelf::new();
        let first = places.insert("first");
        let other = places.insert("other");
        assert_eq!(places.remove(first), Some("first"));
        let second = places.insert("second");
        assert_eq!(places.get(first), None);
        assert_eq!(places.get_mut(first), None);
        assert_eq!(places.remove(first), None);
        assert_eq!(places.get(second), Some(&"second"));
        assert_eq!(places.get(other), Some(&"other"));
        assert_eq!(places.places.len(), 2, "a place is used again");
    }

    #[test]
    fn a_place_whose_numbers_are_used_up_is_given_up() {
        let mut places = Shelf::new();
        let first = places.insert(1);
        places.remove(first);
        places.places[0].generation = i32::MAX.unsigned_abs();
        let last = places.insert(2);
        assert_eq!(places.remove(last), Some(2));
        assert_eq!(places.get(last), None);
        let next = places.insert(3);
        assert_eq!((places.get(last), places.get(next)), (None, Some(&3)));
    }
}
