//! Counting different values without keeping them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
};
use xxhash_rust::xxh64::xxh64;

use super::{Error, Result};

/// The bits of a hash that choose a register: they make the relative standard error 0.8 %.
const INDEX_BITS: u32 = 14;
const REGISTERS: usize = 1 << INDEX_BITS;
/// As many registers may be named one by one; with more of them all are kept.
const NAMED_MAX: usize = 2048;
/// Until here the number of empty registers says more than what is in the others (Heule, Nunkesser,
/// Hall: "`HyperLogLog` in Practice", 2013).
const EMPTY_COUNT_MAX: f64 = 15_500.0;
/// The seed of Flink's hashes.
const SEED: u64 = 42;

/// A `HyperLogLog` of the values that have come. It hashes as Flink does, so that until about
/// 40,000 different values, where both count empty registers, it comes to the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sketch {
    /// Registers and what is in them, by register: those that are not zero.
    Named(Vec<(u16, u8)>),
    /// All of them.
    All(Box<[u8]>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Sketch {
    /// Takes a value in by its hash.
    pub fn add(&mut self, hash: u64) {
        let register = u16::try_from(hash >> (u64::BITS - INDEX_BITS)).expect("it has 14 bits");
        let rest = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1));
        let rank = u8::try_from(rest.leading_zeros() + 1).expect("a hash has 64 bits");
        self.raise(register, rank);
    }

    fn raise(&mut self, register: u16, rank: u8) {
        match self {
            Self::All(ranks) => {
                let own = &mut ranks[usize::from(register)];
                *own = rank.max(*own);
            }
            Self::Named(ranks) => match ranks.binary_search_by_key(&register, |named| named.0) {
                Ok(place) => ranks[place].1 = rank.max(ranks[place].1),
                Err(place) if ranks.len() < NAMED_MAX => ranks.insert(place, (register, rank)),
                Err(_) => {
                    self.name_all();
                    self.raise(register, rank);
                }
            },
        }
    }

    fn name_all(&mut self) {
        if let Self::Named(named) = self {
            let mut ranks = vec![0; REGISTERS].into_boxed_slice();
            for (register, rank) in named {
                ranks[usize::from(*register)] = *rank;
            }
            *self = Self::All(ranks);
        }
    }

    /// Takes in what another one has seen.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Named(ranks) => {
                for &(register, rank) in ranks {
                    self.raise(register, rank);
                }
            }
            Self::All(ranks) => {
                self.name_all();
                for (register, &rank) in (0..).zip(ranks.iter()) {
                    self.raise(register, rank);
                }
            }
        }
    }

    /// About how many different values have come.
    pub fn count(&self) -> i64 {
        // How many registers have each rank.
        let mut ranked = [0_u32; 66];
        match self {
            Self::Named(ranks) => {
                for &(_, rank) in ranks {
                    ranked[usize::from(rank)] += 1;
                }
                let named = u32::try_from(ranks.len()).unwrap_or(u32::MAX);
                ranked[0] = (1 << INDEX_BITS) - named;
            }
            Self::All(ranks) => {
                for &rank in ranks {
                    ranked[usize::from(rank)] += 1;
                }
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "nobody counts so far")]
        let count = estimated(&ranked).round() as i64;
        count
    }

    /// The bytes of memory that it holds, about.
    pub fn num_bytes(&self) -> usize {
        match self {
            Self::Named(ranks) => ranks.capacity() * size_of::<(u16, u8)>(),
            Self::All(ranks) => ranks.len(),
        }
    }

    /// As bytes, which [`Self::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::All(ranks) => ranks.to_vec(),
            Self::Named(ranks) => {
                let parts = ranks.iter().map(|&(register, rank)| {
                    let [low, high] = register.to_le_bytes();
                    [low, high, rank]
                });
                parts.flatten().collect()
            }
        }
    }

    /// # Errors
    /// If the bytes are no sketch.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() == REGISTERS {
            return Ok(Self::All(bytes.into()));
        }
        let mut sketch = Self::default();
        for part in bytes.chunks(3) {
            match *part {
                [low, high, rank] if high < 64 && rank <= 65 => {
                    sketch.raise(u16::from_le_bytes([low, high]), rank);
                }
                _ => return Err(Error("a sketch of different values is damaged".to_owned())),
            }
        }
        Ok(sketch)
    }
}

/// A column of sketches.
pub(super) fn sketches_to_column<'a>(sketches: impl Iterator<Item = &'a Sketch>) -> ArrayRef {
    let mut bytes = BinaryBuilder::new();
    for sketch in sketches {
        bytes.append_value(sketch.to_bytes());
    }
    Arc::new(bytes.finish())
}

/// The number of values by how many registers have each rank.
fn estimated(ranked: &[u32; 66]) -> f64 {
    let registers = f64::from(1_u32 << INDEX_BITS);
    let ranks = (0..).zip(ranked);
    let sum: f64 = ranks
        .map(|(rank, &number)| f64::from(number) * (-f64::from(rank)).exp2())
        .sum();
    let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
    if ranked[0] > 0 {
        let by_empty = registers * (registers / f64::from(ranked[0])).ln();
        if by_empty <= EMPTY_COUNT_MAX || raw <= 2.5 * registers {
            return by_empty;
        }
    }
    if raw < 5.0 * registers {
        unbiased(ranked)
    } else {
        raw
    }
}

/// Where the raw estimate is biased, and Flink corrects it by measured values: the estimate of
/// Ertl (New cardinality estimation algorithms for `HyperLogLog` sketches, 2017).
fn unbiased(ranked: &[u32; 66]) -> f64 {
    let registers = f64::from(1_u32 << INDEX_BITS);
    let last = usize::try_from(u64::BITS - INDEX_BITS).unwrap_or(0) + 1;
    let mut sum = registers * tau(1.0 - f64::from(ranked[last]) / registers);
    for &number in ranked[1..last].iter().rev() {
        sum = 0.5 * (sum + f64::from(number));
    }
    sum += registers * sigma(f64::from(ranked[0]) / registers);
    registers / (2.0 * std::f64::consts::LN_2) * registers / sum
}

fn sigma(mut x: f64) -> f64 {
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum.to_bits() == before.to_bits() || !sum.is_finite() {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x).powi(2) * factor;
        if sum.to_bits() == before.to_bits() {
            return sum / 3.0;
        }
    }
}

/// The hashes of values that are not null, by row.
///
/// # Errors
/// If values of that type are not hashed.
pub(super) fn hashes(values: &ArrayRef) -> Result<Vec<Option<u64>>> {
    let of_long = |value: i64| xxh64(&value.to_le_bytes(), SEED);
    let of_int = |value: i32| xxh64(&value.to_le_bytes(), SEED);
    let longs = |values: &ArrayRef| -> Result<Vec<Option<u64>>> {
        let longs = cast(values, &DataType::Int64)?;
        let longs = longs.as_primitive::<Int64Type>();
        Ok(longs.iter().map(|value| value.map(of_long)).collect())
    };
    Ok(match values.data_type() {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => {
            let ints = cast(values, &DataType::Int32)?;
            let ints = ints.as_primitive::<Int32Type>();
            ints.iter().map(|value| value.map(of_int)).collect()
        }
        DataType::Int64 => longs(values)?,
        DataType::Date32 => longs(&cast(values, &DataType::Int32)?)?,
        DataType::Time32(_) | DataType::Time64(_) => longs(&cast(
            &cast(values, &DataType::Time32(TimeUnit::Millisecond))?,
            &DataType::Int32,
        )?)?,
        // Times of one millisecond count once, as in Flink.
        DataType::Timestamp(_, zone) => {
            let millis = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
            longs(&cast(values, &millis)?)?
        }
        DataType::Float32 => {
            let floats = values.as_primitive::<Float32Type>().iter();
            let bits = |value: f32| {
                if value.is_nan() {
                    f32::NAN
                } else {
                    value + 0.0
                }
                .to_bits()
            };
            floats
                .map(|value| value.map(|value| of_int(bits(value).cast_signed())))
                .collect()
        }
        DataType::Float64 => {
            let floats = values.as_primitive::<Float64Type>().iter();
            let bits = |value: f64| {
                if value.is_nan() {
                    f64::NAN
                } else {
                    value + 0.0
                }
                .to_bits()
            };
            floats
                .map(|value| value.map(|value| of_long(bits(value).cast_signed())))
                .collect()
        }
        DataType::Decimal128(precision, _) => {
            let decimals = values.as_primitive::<Decimal128Type>().iter();
            let is_long = *precision <= 18;
            let hash = |value: i128| match i64::try_from(value) {
                Ok(value) if is_long => of_long(value),
                _ => xxh64(least_bytes(&value.to_be_bytes()), SEED),
            };
            decimals.map(|value| value.map(hash)).collect()
        }
        DataType::Utf8 => {
            let texts = values.as_string::<i32>().iter();
            let hash = |text: &str| xxh64(text.as_bytes(), SEED);
            texts.map(|text| text.map(hash)).collect()
        }
        other => return Err(no_sketch(other)),
    })
}

/// Whether there are sketches of values of a type.
///
/// # Errors
/// If not.
pub(super) fn check_hashed(values: &DataType) -> Result<()> {
    hashes(&arrow::array::new_empty_array(values)).map(|_| ())
}

fn no_sketch(values: &DataType) -> Error {
    Error(format!(
        "APPROX_COUNT_DISTINCT does not take values of type {}",
        crate::formats::sql_name(values)
    ))
}

/// The fewest bytes of a whole number that keep its sign.
fn least_bytes(bytes: &[u8]) -> &[u8] {
    let sign_alone = bytes.windows(2).take_while(|pair| {
        (pair[0] == 0 && pair[1] < 0x80) || (pair[0] == 0xff && pair[1] >= 0x80)
    });
    &bytes[sign_alone.count()..]
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: impl IntoIterator<Item = i64>) -> Sketch {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        let mut sketch = Sketch::default();
        for hash in hashes(&values).unwrap().into_iter().flatten() {
            sketch.add(hash);
        }
        sketch
    }

    /// The standard error is 0.8 %; Flink comes to the second number.
    #[test]
    fn counts_are_near() {
        for (values, flink) in [
            (0, 0),
            (1, 1),
            (100, 100),
            (5_000, 4_957),
            (30_000, 30_053),
            (100_000, 100_425),
        ] {
            assert_eq!(sketch(0..values).count(), flink, "{values}");
        }
        for values in [45_000_i64, 60_000, 80_000, 1_000_000] {
            let count = sketch(0..values).count();
            assert!((count - values).abs() * 40 < values, "{values}: {count}");
        }
    }

    #[test]
    fn what_is_equal_has_one_hash() {
        let of = |values: ArrayRef| hashes(&values).unwrap();
        let decimals = Decimal128Array::from(vec![Some(-1), Some(300), None]);
        let wide = decimals.clone().with_precision_and_scale(38, 2).unwrap();
        let [minus, three, null] = of(Arc::new(wide))[..] else {
            panic!("three rows")
        };
        assert_eq!(minus, Some(xxh64(&[0xff], SEED)));
        assert_eq!(three, Some(xxh64(&[1, 44], SEED)));
        assert_eq!(null, None);
        let floats: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![0.0, -0.0]));
        assert_eq!(of(Arc::clone(&floats))[0], of(floats)[1]);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert_eq!(of(texts), [Some(xxh64(b"a", SEED))]);
        check_hashed(&DataType::Boolean).unwrap_err();
        Sketch::from_bytes(&[0, 64, 1]).unwrap_err();
        Sketch::from_bytes(&[0]).unwrap_err();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn parts_merge_to_the_whole(
            parts in prop::collection::vec((0_i64..10_000, 0_i64..5_000), 1..5),
        ) {
            let of_part = |&(first, length): &(i64, i64)| first..first + length;
            let whole = sketch(parts.iter().flat_map(of_part));
            let mut merged = Sketch::default();
            for part in parts.iter().rev() {
                let bytes = sketch(of_part(part)).to_bytes();
                merged.merge(&Sketch::from_bytes(&bytes).unwrap());
            }
            prop_assert_eq!(merged.count(), whole.count());
        }
    }
}
