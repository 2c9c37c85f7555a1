//! Which values of a column are null.

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::NullBuffer;

/// The places of nulls. It hears of nulls alone, so that values cost nothing while
/// there is none.
#[derive(Debug, Default)]
pub(super) struct Validity {
    /// One bit a value up to the last null; absent while there is none.
    bits: Option<BooleanBufferBuilder>,
}

impl Validity {
    /// Notes that the value at `place` is null; places only grow.
    pub(super) fn push_null(&mut self, place: usize) {
        let bits = self
            .bits
            .get_or_insert_with(|| BooleanBufferBuilder::new(place + 1));
        bits.append_n(place - bits.len(), true);
        bits.append(false);
    }

    /// Forgets the nulls behind the first `values` values.
    pub(super) fn truncate(&mut self, values: usize) {
        if let Some(bits) = &mut self.bits
            && bits.len() > values
        {
            bits.truncate(values);
        }
    }

    /// What it knows of `values` values; it begins anew.
    pub(super) fn finish(&mut self, values: usize) -> Option<NullBuffer> {
        let mut bits = self.bits.take()?;
        bits.append_n(values - bits.len(), true);
        Some(NullBuffer::new(bits.build())).filter(|nulls| nulls.null_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_stay_at_their_places() {
        let mut validity = Validity::default();
        assert_eq!(validity.finish(3), None);
        validity.push_null(1);
        validity.push_null(2);
        validity.push_null(9);
        validity.truncate(9);
        validity.truncate(11);
        let nulls = validity.finish(11).unwrap();
        let null_at: Vec<_> = (0..11).filter(|place| nulls.is_null(*place)).collect();
        assert_eq!((null_at, nulls.len()), (vec![1, 2], 11));
        validity.push_null(0);
        validity.truncate(0);
        assert_eq!(validity.finish(4), None, "the null was taken back");
    }
}
