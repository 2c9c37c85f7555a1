//! Functions of arrays. Nulls are elements like others, and equal to each other.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, StringBuilder,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::elements::{Elements, Picks, element_type, list_of};
use super::kernel::Kernel;

/// What a function does with the elements of a row: the places that its arguments have
/// in the pool, in order; `None` if a result is null.
type Pick = fn(&Elements, &[Range<usize>]) -> Option<Vec<usize>>;

/// The functions whose arguments are arrays of one type, and elements of it where
/// `false` stands, and whose result is such an array.
const PICKING: [(&str, &[bool], Pick); 9] = [
    ("ARRAY_APPEND", &[true, false], |_, arguments| {
        Some(joined(arguments))
    }),
    ("ARRAY_CONCAT", &[], |_, arguments| Some(joined(arguments))),
    ("ARRAY_DISTINCT", &[true], |elements, arguments| {
        Some(elements.distinct(arguments[0].clone()))
    }),
    ("ARRAY_EXCEPT", &[true, true], |elements, arguments| {
        Some(common(elements, arguments, false))
    }),
    ("ARRAY_INTERSECT", &[true, true], |elements, arguments| {
        Some(common(elements, arguments, true))
    }),
    ("ARRAY_PREPEND", &[true, false], |_, arguments| {
        Some(arguments[1].clone().chain(arguments[0].clone()).collect())
    }),
    ("ARRAY_REMOVE", &[true, false], |elements, arguments| {
        let needle = elements.key(arguments[1].start);
        let others = arguments[0].clone();
        Some(
            others
                .filter(|place| elements.key(*place) != needle)
                .collect(),
        )
    }),
    ("ARRAY_REVERSE", &[true], |_, arguments| {
        Some(arguments[0].clone().rev().collect())
    }),
    ("ARRAY_UNION", &[true, true], |elements, arguments| {
        Some(elements.distinct(joined(arguments)))
    }),
];

fn joined(arguments: &[Range<usize>]) -> Vec<usize> {
    arguments.iter().cloned().flatten().collect()
}

/// The different elements of the first array that are in the second, or are not.
fn common(elements: &Elements, arguments: &[Range<usize>], are_in: bool) -> Vec<usize> {
    let known: std::collections::HashSet<_> = arguments[1]
        .clone()
        .map(|place| elements.key(place))
        .collect();
    let mut different = elements.distinct(arguments[0].clone());
    different.retain(|place| known.contains(&elements.key(*place)) == are_in);
    different
}

macro_rules! kernel {
    ($(#[$doc:meta])* $function:ident, $name:literal, $result:expr, $evaluate:expr) => {
        $(#[$doc])*
        pub fn $function() -> Arc<ScalarUDF> {
            static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
                Kernel {
                    name: $name,
                    accept: |arguments| Ok(arguments.to_vec()),
                    result: $result,
                    evaluate: $evaluate,
                }
                .function()
            });
            Arc::clone(&FUNCTION)
        }
    };
}

kernel!(
    /// The sum of the squares of the numbers in an array of `DOUBLE`; null if it has none.
    sum_of_squares,
    "SUM_OF_SQUARES",
    |_| DataType::Float64,
    squared
);

macro_rules! picking {
    ($(($function:ident, $place:literal, $name:literal)),*) => {
        $(kernel!(
            #[doc = concat!("`", $name, "`.")]
            $function,
            $name,
            |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            |arguments, _| picked(arguments, $place)
        );)*
    };
}

picking!(
    (array_append, 0, "ARRAY_APPEND"),
    (array_concat, 1, "ARRAY_CONCAT"),
    (array_distinct, 2, "ARRAY_DISTINCT"),
    (array_except, 3, "ARRAY_EXCEPT"),
    (array_intersect, 4, "ARRAY_INTERSECT"),
    (array_prepend, 5, "ARRAY_PREPEND"),
    (array_remove, 6, "ARRAY_REMOVE"),
    (array_reverse, 7, "ARRAY_REVERSE"),
    (array_union, 8, "ARRAY_UNION")
);

fn picked(arguments: &[ArrayRef], function: usize) -> Result<ArrayRef> {
    let (_, are_lists, pick) = PICKING[function];
    let rest = arguments.iter().skip(are_lists.len()).map(|_| true);
    let are_lists: Vec<bool> = are_lists.iter().copied().chain(rest).collect();
    let elements = Elements::of(&arguments.iter().collect::<Vec<_>>(), &are_lists)?;
    let rows = arguments.first().map_or(0, Array::len);
    let of_row = |row: usize| {
        let places = 0..arguments.len();
        let ranges = places.map(|place| elements.range(place, row));
        pick(&elements, &ranges.collect::<Option<Vec<_>>>()?)
    };
    elements.lists(&(0..rows).map(of_row).collect())
}

kernel!(
    /// `ARRAY[a, b]` of arguments of one type.
    array,
    "ARRAY",
    |arguments| list_of(arguments.first().cloned().unwrap_or(DataType::Null)),
    |arguments, _| {
        let elements = Elements::of(
            &arguments.iter().collect::<Vec<_>>(),
            &vec![false; arguments.len()],
        )?;
        let rows = arguments.first().map_or(0, Array::len);
        let of_row = |row: usize| {
            let places = 0..arguments.len();
            let of_row = places.filter_map(|place| elements.range(place, row));
            Some(of_row.flatten().collect())
        };
        elements.lists(&(0..rows).map(of_row).collect())
    }
);

kernel!(
    /// `ARRAY_CONTAINS(array, element)`.
    array_contains,
    "ARRAY_CONTAINS",
    |_| DataType::Boolean,
    |arguments, _| {
        let found = found(arguments)?;
        let found = found.into_iter().map(|found| found.map(|(place, _)| place.is_some()));
        Ok(Arc::new(found.collect::<BooleanArray>()))
    }
);

kernel!(
    /// `ARRAY_POSITION(array, element)`, from 1; 0 if it is not there, and null for null.
    array_position,
    "ARRAY_POSITION",
    |_| DataType::Int32,
    |arguments, _| {
        let place = |found: Option<Found>| {
            let (place, is_null) = found?;
            let place = place.map_or(0, |place| place + 1);
            (!is_null).then(|| i32::try_from(place).unwrap_or(i32::MAX))
        };
        let places = found(arguments)?.into_iter().map(place);
        Ok(Arc::new(places.collect::<Int32Array>()))
    }
);

/// Where an array has an element, and whether that is null.
type Found = (Option<usize>, bool);

/// What each array has of an element; `None` of a null array.
fn found(arguments: &[ArrayRef]) -> Result<Vec<Option<Found>>> {
    let [lists, needles] = arguments else {
        return internal_err!("an element is looked for in an array");
    };
    let elements = Elements::of(&[lists, needles], &[true, false])?;
    let of_row = |row: usize| {
        let needle = elements.range(1, row)?.start;
        let mut places = elements.range(0, row)?;
        let key = elements.key(needle);
        Some((
            places.position(|place| elements.key(place) == key),
            elements.is_null(needle),
        ))
    };
    Ok((0..lists.len()).map(of_row).collect())
}

kernel!(
    /// `ARRAY_MAX(array)`, null without elements that are not null.
    array_max,
    "ARRAY_MAX",
    |arguments| arguments.first().map_or(DataType::Null, element_type),
    |arguments, _| extreme(arguments, |elements, places| {
        places.max_by(|left, right| elements.key(*left).cmp(&elements.key(*right)))
    })
);

kernel!(
    /// `ARRAY_MIN(array)`.
    array_min,
    "ARRAY_MIN",
    |arguments| arguments.first().map_or(DataType::Null, element_type),
    |arguments, _| extreme(arguments, |elements, places| {
        places.min_by(|left, right| elements.key(*left).cmp(&elements.key(*right)))
    })
);

fn extreme(
    arguments: &[ArrayRef],
    choose: fn(&Elements, &mut dyn Iterator<Item = usize>) -> Option<usize>,
) -> Result<ArrayRef> {
    let [lists] = arguments else {
        return internal_err!("the greatest element is planned of one array");
    };
    let elements = Elements::of(&[lists], &[true])?;
    let of_row = |row: usize| {
        let mut places = elements
            .range(0, row)?
            .filter(|place| !elements.is_null(*place));
        choose(&elements, &mut places)
    };
    elements.values(&(0..lists.len()).map(of_row).collect::<Vec<_>>())
}

kernel!(
    /// `ELEMENT(array)`: the only element, null of none; several are an error.
    element,
    "ELEMENT",
    |arguments| arguments.first().map_or(DataType::Null, element_type),
    |arguments, _| {
        let [lists] = arguments else {
            return internal_err!("ELEMENT is planned of one array");
        };
        let elements = Elements::of(&[lists], &[true])?;
        let of_row = |row: usize| match elements.range(0, row) {
            Some(places) if places.len() > 1 => Err(DataFusionError::Execution(
                "ELEMENT takes an array of one element".to_owned(),
            )),
            Some(mut places) => Ok(places.next()),
            None => Ok(None),
        };
        elements.values(&(0..lists.len()).map(of_row).collect::<Result<Vec<_>>>()?)
    }
);

kernel!(
    /// `ARRAY_SORT(array, ascending[, nulls_first])`; else nulls are at the lower end.
    array_sort,
    "ARRAY_SORT",
    |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
    |arguments, _| {
        let (lists, rising, nulls_first) = match arguments {
            [lists, rising] => (lists, rising, rising),
            [lists, rising, nulls_first] => (lists, rising, nulls_first),
            _ => return internal_err!("ARRAY_SORT is planned with two or three arguments"),
        };
        let elements = Elements::of(&[lists], &[true])?;
        let (rising, nulls_first) = (rising.as_boolean(), nulls_first.as_boolean());
        let of_row = |row: usize| {
            let places = elements.range(0, row)?;
            if rising.is_null(row) || nulls_first.is_null(row) {
                return None;
            }
            let (nulls, mut sorted): (Vec<_>, Vec<_>) =
                places.partition(|place| elements.is_null(*place));
            sorted.sort_by(|left, right| elements.key(*left).cmp(&elements.key(*right)));
            if !rising.value(row) {
                sorted.reverse();
            }
            let (first, last) =
                if nulls_first.value(row) { (nulls, sorted) } else { (sorted, nulls) };
            Some(first.into_iter().chain(last).collect())
        };
        elements.lists(&(0..lists.len()).map(of_row).collect::<Picks>())
    }
);

kernel!(
    /// `ARRAY_SLICE(array, first, last)`, both counted from 1, or from the end if negative.
    array_slice,
    "ARRAY_SLICE",
    |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
    |arguments, _| {
        let (lists, bounds) = match arguments {
            [lists, bounds @ ..] if (1..=2).contains(&bounds.len()) => (lists, bounds),
            _ => return internal_err!("ARRAY_SLICE is planned with two or three arguments"),
        };
        let elements = Elements::of(&[lists], &[true])?;
        let of_row = |row: usize| {
            let places = elements.range(0, row)?;
            let mut bounds = bounds.iter().map(|bound| {
                let bound = bound.as_primitive::<Int64Type>();
                bound.is_valid(row).then(|| bound.value(row))
            });
            let (first, last) = (bounds.next()??, bounds.next().unwrap_or(Some(-1))?);
            Some(sliced(places, first, last))
        };
        elements.lists(&(0..lists.len()).map(of_row).collect::<Picks>())
    }
);

/// Zero is the first; what lies before the first begins with it.
fn sliced(places: Range<usize>, first: i64, last: i64) -> Vec<usize> {
    let length = i64::try_from(places.len()).unwrap_or(i64::MAX);
    let place = |bound: i64| match bound {
        0 => 1,
        ..0 => length.saturating_add(bound).saturating_add(1),
        _ => bound,
    };
    let first = usize::try_from(place(first).max(1)).unwrap_or(1);
    let count = usize::try_from(place(last)).unwrap_or(0);
    places.take(count).skip(first - 1).collect()
}

kernel!(
    /// `ARRAY_JOIN(texts, separator[, null])`: nulls are left out if nothing stands for them.
    array_join,
    "ARRAY_JOIN",
    |_| DataType::Utf8,
    |arguments, _| {
        let (lists, separators, nulls) = match arguments {
            [lists, separators] => (lists, separators, None),
            [lists, separators, nulls] => (lists, separators, Some(nulls.as_string::<i32>())),
            _ => return internal_err!("ARRAY_JOIN is planned with two or three arguments"),
        };
        let (lists, separators) = (lists.as_list::<i32>(), separators.as_string::<i32>());
        let mut texts = StringBuilder::new();
        for row in 0..lists.len() {
            let is_null = lists.is_null(row)
                || separators.is_null(row)
                || nulls.is_some_and(|nulls| nulls.is_null(row));
            if is_null {
                texts.append_null();
                continue;
            }
            let elements = lists.value(row);
            let null = nulls.map(|nulls| nulls.value(row));
            let elements = elements.as_string::<i32>().iter();
            let parts: Vec<&str> = elements.filter_map(|element| element.or(null)).collect();
            texts.append_value(parts.join(separators.value(row)));
        }
        Ok(Arc::new(texts.finish()))
    }
);

fn squared(arguments: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let Some(lists) = arguments[0].as_list_opt::<i32>() else {
        return internal_err!("SUM_OF_SQUARES is planned for arrays only");
    };
    let sums = lists.iter().map(|list| {
        let list = list?;
        let numbers = list.as_primitive::<Float64Type>().iter().flatten();
        numbers
            .map(|number| number * number)
            .reduce(|sum, square| sum + square)
    });
    Ok(Arc::new(sums.collect::<Float64Array>()))
}
