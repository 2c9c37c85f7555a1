//! Functions of maps, and of rows that are made of values.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Builder, ListBuilder, MapArray, StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion_common::{DataFusionError, Result, exec_err, internal_err};
use datafusion_expr::ScalarUDF;

use super::elements::{Elements, element_field, element_type, list_of};
use super::kernel::Kernel;

fn function(
    name: &'static str,
    result: fn(&[DataType]) -> DataType,
    evaluate: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
) -> Arc<ScalarUDF> {
    Kernel {
        name,
        accept: |arguments| Ok(arguments.to_vec()),
        result,
        evaluate,
    }
    .function()
}

/// `ROW(a, b)`: its fields have the names that Flink gives them.
pub fn row() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "ROW",
            |arguments| {
                let fields = arguments.iter().enumerate().map(|(place, data_type)| {
                    Field::new(format!("EXPR${place}"), data_type.clone(), true)
                });
                DataType::Struct(fields.collect())
            },
            |arguments, result| match result {
                DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(
                    fields.clone(),
                    arguments.to_vec(),
                    None,
                )?)),
                other => internal_err!("a row is planned as {other}"),
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// `PLACES(n)`: the array of the numbers from 1 to n, by which a row becomes n rows.
pub fn places() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "PLACES",
            accept: |_| Ok(vec![DataType::Int64]),
            result: |_| list_of(DataType::Int32),
            evaluate: |arguments, _| {
                let counts = arguments[0].as_primitive::<Int64Type>();
                let places = ListBuilder::new(Int32Builder::new());
                let mut places = places.with_field(element_field(DataType::Int32));
                for count in counts {
                    let Ok(count) = i32::try_from(count.unwrap_or(0)) else {
                        return exec_err!("a row is there more than 2^31 times");
                    };
                    places.append_value((1..=count).map(Some));
                }
                Ok(Arc::new(places.finish()))
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `MAP_KEYS(map)`.
pub fn map_keys() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "MAP_KEYS",
            |arguments| list_of(entry_types(arguments.first()).0),
            |arguments, result| {
                let map = first_map(arguments)?;
                as_list(map, map.keys(), result)
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// `MAP_VALUES(map)`.
pub fn map_values() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "MAP_VALUES",
            |arguments| list_of(entry_types(arguments.first()).1),
            |arguments, result| {
                let map = first_map(arguments)?;
                as_list(map, map.values(), result)
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// `MAP_ENTRIES(map)`: rows of a key and a value.
pub fn map_entries() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "MAP_ENTRIES",
            |arguments| {
                list_of(DataType::Struct(entry_fields(
                    entry_types(arguments.first()),
                    true,
                )))
            },
            |arguments, result| {
                let map = first_map(arguments)?;
                let fields = match element_type(result) {
                    DataType::Struct(fields) => fields,
                    other => return internal_err!("entries are planned as {other}"),
                };
                let columns = vec![Arc::clone(map.keys()), Arc::clone(map.values())];
                let entries: ArrayRef = Arc::new(StructArray::try_new(fields, columns, None)?);
                as_list(map, &entries, result)
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// `MAP_FROM_ARRAYS(keys, values)`; the last value of a key counts.
pub fn map_from_arrays() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "MAP_FROM_ARRAYS",
            |arguments| match arguments {
                [keys, values] => map_of((element_type(keys), element_type(values))),
                _ => DataType::Null,
            },
            |arguments, result| {
                let [keys, values] = arguments else {
                    return internal_err!("MAP_FROM_ARRAYS is planned with two arguments");
                };
                let (keys, values) = (keys.as_list::<i32>(), values.as_list::<i32>());
                let range = |ends: &[i32], row: usize| {
                    let bound = |place: usize| usize::try_from(ends[place]).unwrap_or(0);
                    bound(row)..bound(row + 1)
                };
                let mut entries = Vec::with_capacity(keys.len());
                for row in 0..keys.len() {
                    if keys.is_null(row) || values.is_null(row) {
                        entries.push(None);
                        continue;
                    }
                    let (own, others) = (
                        range(keys.value_offsets(), row),
                        range(values.value_offsets(), row),
                    );
                    if own.len() != others.len() {
                        return exec_err!(
                            "there are {} keys for {} values",
                            own.len(),
                            others.len()
                        );
                    }
                    entries.push(Some(own.zip(others).collect()));
                }
                maps(keys.values(), values.values(), &entries, result)
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// `MAP_UNION(map, map, …)`; of a key that several have the last one counts.
pub fn map_union() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        function(
            "MAP_UNION",
            |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            |arguments, result| {
                let parts: Vec<&MapArray> = arguments.iter().map(AsArray::as_map).collect();
                let all = |column: fn(&MapArray) -> &ArrayRef| {
                    let columns: Vec<&dyn Array> =
                        parts.iter().map(|part| column(part).as_ref()).collect();
                    arrow::compute::concat(&columns)
                };
                let (keys, values) = (all(MapArray::keys)?, all(MapArray::values)?);
                let rows = parts.first().map_or(0, |part| Array::len(*part));
                let of_row = |row: usize| {
                    let mut entries = Vec::new();
                    let mut base = 0;
                    for part in &parts {
                        let ends = part.value_offsets();
                        let bound = |place: usize| usize::try_from(ends[place]).unwrap_or(0) + base;
                        let places = part.is_valid(row).then(|| bound(row)..bound(row + 1))?;
                        entries.extend(places.map(|place| (place, place)));
                        base += part.keys().len();
                    }
                    Some(entries)
                };
                maps(
                    &keys,
                    &values,
                    &(0..rows).map(of_row).collect::<Vec<_>>(),
                    result,
                )
            },
        )
    });
    Arc::clone(&FUNCTION)
}

/// Where the entries of rows stand among keys and values; `None` is a null map.
type Entries = [Option<Vec<(usize, usize)>>];

/// Maps of these entries, in which the last of equal keys counts at the place of the first.
fn maps(
    keys: &ArrayRef,
    values: &ArrayRef,
    entries: &Entries,
    result: &DataType,
) -> Result<ArrayRef> {
    let DataType::Map(field, _) = result else {
        return internal_err!("a map is planned as {result}");
    };
    let known = Elements::of(&[keys], &[false])?;
    let (mut key_places, mut value_places, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for row in entries {
        let start = key_places.len();
        let mut places = std::collections::HashMap::new();
        for (key, value) in row.iter().flatten() {
            if keys.is_null(*key) {
                return exec_err!("the key of a map is null");
            }
            let number = |place: usize| u32::try_from(place).map_err(too_many);
            match places.entry(known.key(*key)) {
                std::collections::hash_map::Entry::Occupied(place) => {
                    value_places[*place.get()] = number(*value)?;
                }
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(value_places.len());
                    key_places.push(number(*key)?);
                    value_places.push(number(*value)?);
                }
            }
        }
        lengths.push(key_places.len() - start);
    }
    let keys = take(keys, &UInt32Array::from(key_places), None)?;
    let values = take(values, &UInt32Array::from(value_places), None)?;
    let DataType::Struct(fields) = field.data_type() else {
        return internal_err!("the entries of a map are rows");
    };
    let rows = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
    let nulls: NullBuffer = entries.iter().map(Option::is_some).collect();
    let ends = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(MapArray::try_new(
        Arc::clone(field),
        ends,
        rows,
        Some(nulls),
        false,
    )?))
}

fn too_many(_: std::num::TryFromIntError) -> DataFusionError {
    DataFusionError::Execution("the maps of a batch have too many entries".to_owned())
}

/// The type of a map of these keys and values.
fn map_of(types: (DataType, DataType)) -> DataType {
    let entries = DataType::Struct(entry_fields(types, false));
    DataType::Map(Arc::new(Field::new("entries", entries, false)), false)
}

fn entry_fields((key, value): (DataType, DataType), nullable_key: bool) -> Fields {
    let key: FieldRef = Arc::new(Field::new("key", key, nullable_key));
    Fields::from(vec![key, Arc::new(Field::new("value", value, true))])
}

/// The types of the keys and values of a map.
fn entry_types(map: Option<&DataType>) -> (DataType, DataType) {
    match map {
        Some(DataType::Map(entries, _)) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                (fields[0].data_type().clone(), fields[1].data_type().clone())
            }
            _ => (DataType::Null, DataType::Null),
        },
        _ => (DataType::Null, DataType::Null),
    }
}

fn first_map(arguments: &[ArrayRef]) -> Result<&MapArray> {
    let map = arguments.first().and_then(|map| map.as_map_opt());
    let missing = || DataFusionError::Internal("a map is planned".to_owned());
    map.ok_or_else(missing)
}

/// An array of what each entry of a map has.
fn as_list(map: &MapArray, values: &ArrayRef, list: &DataType) -> Result<ArrayRef> {
    let DataType::List(field) = list else {
        return internal_err!("the entries of a map are planned as {list}");
    };
    let nulls = map.nulls().cloned();
    let ends = map.offsets().clone();
    let values = Arc::clone(values);
    let list = arrow::array::ListArray::try_new(Arc::clone(field), ends, values, nulls)?;
    Ok(Arc::new(list))
}
