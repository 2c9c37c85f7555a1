//! Joins the watermarks of several inputs into one: the least of those that are
//! not idle.

use crate::stream::{EventTime, Watermark};

/// The watermarks of all inputs of one task, and what they come to.
#[derive(Clone, Debug)]
pub struct WatermarkMerge {
    inputs: Vec<Input>,
    sent: Watermark,
    highest: EventTime,
}

#[derive(Clone, Copy, Debug)]
struct Input {
    at: EventTime,
    idle: bool,
}

impl WatermarkMerge {
    /// Inputs that have said nothing yet.
    pub fn new(inputs: usize) -> Self {
        let silent = Input {
            at: EventTime::MIN,
            idle: false,
        };
        Self {
            inputs: vec![silent; inputs],
            sent: Watermark::At(EventTime::MIN),
            highest: EventTime::MIN,
        }
    }

    /// Input `index` has said `watermark`: what has to be sent on, if that
    /// changes anything. When all inputs are idle, so is the output, and its time
    /// stands still; an input that wakes up behind it does not turn it back. An
    /// input that has ended does not end time for one that is idle.
    pub fn update(&mut self, index: usize, watermark: Watermark) -> Option<Watermark> {
        let input = &mut self.inputs[index];
        match watermark {
            Watermark::At(at) => {
                input.at = input.at.max(at);
                input.idle = false;
            }
            Watermark::Idle => input.idle = true,
        }
        let active = self.inputs.iter().filter(|input| !input.idle);
        let some_idle = self.inputs.iter().any(|input| input.idle);
        let merged = match active.map(|input| input.at).min() {
            None => Watermark::Idle,
            Some(EventTime::MAX) if some_idle => Watermark::Idle,
            Some(at) => {
                self.highest = self.highest.max(at);
                Watermark::At(self.highest)
            }
        };
        if merged == self.sent {
            return None;
        }
        self.sent = merged;
        Some(merged)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Watermark {
        Watermark::At(EventTime::from_millis(millis))
    }

    #[test]
    fn the_least_active_input_counts() {
        let mut merge = WatermarkMerge::new(2);
        assert_eq!(merge.update(0, at(5)), None);
        assert_eq!(merge.update(1, at(3)), Some(at(3)));
        assert_eq!(merge.update(1, at(9)), Some(at(5)));
        assert_eq!(merge.update(0, Watermark::Idle), Some(at(9)));
        assert_eq!(merge.update(1, Watermark::Idle), Some(Watermark::Idle));
        // The time of the output does not go back to the input that wakes up.
        assert_eq!(merge.update(0, at(6)), Some(at(9)));
        assert_eq!(merge.update(0, at(7)), None);
        assert_eq!(merge.update(0, at(11)), Some(at(11)));
    }

    /// A task without a split ends at once. Restored with all other splits idle,
    /// its end was taken for the end of time.
    #[test]
    fn the_end_of_one_input_is_not_the_end_of_an_idle_one() {
        let end = Watermark::At(EventTime::MAX);
        let mut merge = WatermarkMerge::new(2);
        assert_eq!(merge.update(0, end), None);
        assert_eq!(merge.update(1, at(3)), Some(at(3)));
        assert_eq!(merge.update(1, Watermark::Idle), Some(Watermark::Idle));
        assert_eq!(merge.update(1, at(5)), Some(at(5)));
        assert_eq!(merge.update(1, end), Some(end));
    }

    proptest! {
        #[test]
        fn never_goes_back_and_never_passes_an_active_input(
            steps in prop::collection::vec((0_usize..3, prop::option::of(-50_i64..50)), 1..100),
        ) {
            let mut merge = WatermarkMerge::new(3);
            let mut inputs = [Some(i64::MIN); 3];
            let mut highest = i64::MIN;
            let mut reached = [i64::MIN; 3];
            for (index, step) in steps {
                let watermark = step.map_or(Watermark::Idle, at);
                if let Some(millis) = step {
                    reached[index] = reached[index].max(millis);
                }
                inputs[index] = step.map(|_| reached[index]);
                if let Some(Watermark::At(out)) = merge.update(index, watermark) {
                    prop_assert!(out.millis() >= highest);
                    let least = inputs.iter().flatten().min().copied();
                    prop_assert!(Some(out.millis()) == least.max(Some(highest)));
                    highest = out.millis();
                }
            }
        }
    }
}
