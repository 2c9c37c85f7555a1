//! Access to what is inside rows, arrays and maps.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, ListArray, MapArray};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{nullif, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion_common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::kernel::Kernel;

/// `FIELD(row, 'name')`: what SQL writes as `row.name`. A field of a row that is
/// null is null.
pub fn field() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::from(RowField {
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    });
    Arc::clone(&FUNCTION)
}

/// `ITEM(array, place)` and `ITEM(map, key)`: what SQL writes as `array[1]` and
/// `map['key']`. What is not there is null.
pub fn item() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "ITEM",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.first().map_or(DataType::Null, item_type),
            evaluate: |arguments, _| {
                let [collection, key] = arguments else {
                    return internal_err!("ITEM is planned with two arguments");
                };
                item_of(collection, key)
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

/// `ENTRIES(map)`: the entries of a map as an array of rows of key and value.
pub fn entries() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "ENTRIES",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| match arguments {
                [DataType::Map(entries, _)] => DataType::List(Arc::clone(entries)),
                _ => DataType::Null,
            },
            evaluate: |arguments, _| {
                let [maps] = arguments else {
                    return internal_err!("ENTRIES is planned with one argument");
                };
                let maps = maps.as_map();
                let DataType::Map(entry, _) = maps.data_type() else {
                    return internal_err!("ENTRIES is planned with a map");
                };
                let (ends, nulls) = (maps.offsets().clone(), maps.nulls().cloned());
                let entries = Arc::new(maps.entries().clone());
                Ok(Arc::new(ListArray::try_new(
                    Arc::clone(entry),
                    ends,
                    entries,
                    nulls,
                )?))
            },
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

/// `CARDINALITY(array)` and `CARDINALITY(map)`: how many elements it has.
pub fn cardinality() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "CARDINALITY",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |_| DataType::Int32,
            evaluate: |arguments, _| {
                let [collection] = arguments else {
                    return internal_err!("CARDINALITY is planned with one argument");
                };
                let ends = offsets(collection)?.windows(2);
                let lengths = ends.map(|ends| ends[1] - ends[0]).collect();
                let nulls = collection.nulls().cloned();
                Ok(Arc::new(Int32Array::new(lengths, nulls)))
            },
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RowField {
    signature: Signature,
}

impl ScalarUDFImpl for RowField {
    fn name(&self) -> &'static str {
        "FIELD"
    }

    /// As SQL writes it, since messages show it.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [row, Expr::Literal(name, _)] = arguments else {
            return internal_err!("FIELD is planned with a row and a name");
        };
        Ok(format!("{}.{name}", row.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        internal_err!("the type of a field depends on its name")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let name = arguments.scalar_arguments.get(1).copied().flatten();
        let name = name.and_then(ScalarValue::try_as_str).flatten();
        let row = arguments.arg_fields.first();
        let (Some(name), Some(row)) = (name, row) else {
            return internal_err!("FIELD is planned with a row and a name");
        };
        let DataType::Struct(fields) = row.data_type() else {
            return internal_err!("FIELD is planned over a row");
        };
        let Some((_, field)) = fields.find(name) else {
            return Err(DataFusionError::Plan(format!("there is no field {name}")));
        };
        let nullable = row.is_nullable() || field.is_nullable();
        let data_type = field.data_type().clone();
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [row, ColumnarValue::Scalar(name)] = arguments.args.as_slice() else {
            return internal_err!("FIELD is planned with a row and a name");
        };
        let row = row.to_array(arguments.number_rows)?;
        let row = row.as_struct();
        let name = name.try_as_str().flatten().unwrap_or_default();
        let Some(values) = row.column_by_name(name) else {
            return internal_err!("a row has the fields of its type");
        };
        let values = match row.nulls() {
            // What a row holds that is null itself is of no meaning.
            Some(nulls) => nullif(values, &BooleanArray::new(!nulls.inner(), None))?,
            None => Arc::clone(values),
        };
        Ok(ColumnarValue::Array(values))
    }
}

/// The type of the elements of an array, or of the values of a map.
fn item_type(collection: &DataType) -> DataType {
    match collection {
        DataType::List(element) => element.data_type().clone(),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields
                .last()
                .map_or(DataType::Null, |value| value.data_type().clone()),
            _ => DataType::Null,
        },
        _ => DataType::Null,
    }
}

fn item_of(collection: &ArrayRef, key: &ArrayRef) -> Result<ArrayRef> {
    match collection.data_type() {
        DataType::List(_) => {
            let list = collection.as_list::<i32>();
            let places = key.as_primitive::<Int64Type>();
            let at = |row: usize| {
                places.is_valid(row).then_some(())?;
                element_at(list, row, places.value(row))
            };
            let taken: Int32Array = (0..list.len()).map(at).collect();
            Ok(take(list.values(), &taken, None)?)
        }
        DataType::Map(..) => {
            let map = collection.as_map();
            let taken = places_of_keys(map, key)?;
            Ok(take(map.values(), &taken, None)?)
        }
        other => internal_err!("ITEM is planned over an array or a map, not {other}"),
    }
}

/// Where the element stands among those of all rows; elements count from 1.
fn element_at(list: &ListArray, row: usize, place: i64) -> Option<i32> {
    let ends = list.value_offsets().get(row..=row + 1)?;
    let within = i32::try_from(place).ok()?.checked_sub(1)?;
    let length = ends[1] - ends[0];
    (list.is_valid(row) && (0..length).contains(&within)).then(|| ends[0] + within)
}

/// Where the value of each row's key stands among those of all rows.
fn places_of_keys(map: &MapArray, keys: &ArrayRef) -> Result<Int32Array> {
    let ends = map.value_offsets();
    let (first, last) = (ends[0], ends[ends.len() - 1]);
    let rows = ends.windows(2).zip(0_i32..);
    let rows: Int32Array = rows
        .flat_map(|(ends, row)| std::iter::repeat_n(row, count(ends[1] - ends[0])))
        .collect::<Vec<_>>()
        .into();
    let wanted = take(keys, &rows, None)?;
    let known = map.keys().slice(count(first), count(last - first));
    let equal = eq(&known, &wanted)?;
    let is_it = |entry: &i32| {
        let entry = count(entry - first);
        equal.is_valid(entry) && equal.value(entry)
    };
    let at = |(row, ends): (usize, &[i32])| {
        let mut entries = ends[0]..ends[1];
        map.is_valid(row).then(|| entries.find(is_it)).flatten()
    };
    Ok(ends.windows(2).enumerate().map(at).collect())
}

/// Where the elements of each row begin and end.
fn offsets(collection: &ArrayRef) -> Result<&[i32]> {
    match collection.data_type() {
        DataType::List(_) => Ok(collection.as_list::<i32>().value_offsets()),
        DataType::Map(..) => Ok(collection.as_map().value_offsets()),
        other => internal_err!("CARDINALITY is planned over an array or a map, not {other}"),
    }
}

fn count(offset: i32) -> usize {
    usize::try_from(offset).expect("offsets do not fall")
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray, StructArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::Fields;
    use datafusion_common::config::ConfigOptions;

    use super::*;

    fn entries(keys: StringArray, values: Int32Array) -> StructArray {
        let fields = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            Field::new("value", DataType::Int32, true),
        ]);
        StructArray::new(fields, vec![Arc::new(keys), Arc::new(values)], None)
    }

    /// Of five rows the fourth is null and holds elements all the same.
    fn ends() -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let nulls = NullBuffer::from(vec![true, true, true, false, true]);
        (
            OffsetBuffer::new(vec![0, 2, 2, 3, 5, 6].into()),
            Some(nulls),
        )
    }

    fn list() -> ArrayRef {
        let (ends, nulls) = ends();
        let element = Arc::new(Field::new("element", DataType::Int32, true));
        let values = Int32Array::from(vec![Some(10), None, Some(30), Some(40), Some(50), Some(60)]);
        Arc::new(ListArray::new(element, ends, Arc::new(values), nulls))
    }

    fn map() -> ArrayRef {
        let (ends, nulls) = ends();
        let keys = StringArray::from(vec!["a", "b", "a", "a", "b", "b"]);
        let values = Int32Array::from(vec![Some(10), None, Some(30), Some(40), Some(50), Some(60)]);
        let entries = entries(keys, values);
        let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        Arc::new(MapArray::new(field, ends, entries, nulls, false))
    }

    fn check(found: &ArrayRef, expected: &[Option<i32>]) {
        assert_eq!(found.as_ref(), &Int32Array::from(expected.to_vec()));
    }

    /// The same of a part of the rows, whose elements do not begin at the first.
    fn check_items(collection: &ArrayRef, keys: &ArrayRef, expected: &[Option<i32>]) {
        check(&item_of(collection, keys).unwrap(), expected);
        let (part, keys) = (collection.slice(1, 4), keys.slice(1, 4));
        check(&item_of(&part, &keys).unwrap(), &expected[1..]);
    }

    #[test]
    fn elements_count_from_one() {
        let same = |place: Option<i64>| Arc::new(Int64Array::from(vec![place; 5])) as ArrayRef;
        for (place, expected) in [
            (Some(1), [Some(10), None, Some(30), None, Some(60)]),
            (Some(2), [None; 5]),
            (Some(0), [None; 5]),
            (Some(-1), [None; 5]),
            (Some(i64::MAX), [None; 5]),
            (Some(i64::MIN), [None; 5]),
            (None, [None; 5]),
        ] {
            check_items(&list(), &same(place), &expected);
        }
    }

    #[test]
    fn a_key_finds_its_value() {
        let keys = |keys: [Option<&str>; 5]| Arc::new(StringArray::from(keys.to_vec())) as ArrayRef;
        let (a, b) = (Some("a"), Some("b"));
        let expected = [Some(10), None, Some(30), None, None];
        check_items(&map(), &keys([a; 5]), &expected);
        let expected = [None, None, Some(30), None, Some(60)];
        check_items(&map(), &keys([b, b, a, a, b]), &expected);
        check_items(&map(), &keys([None; 5]), &[None; 5]);
        check_items(&map(), &keys([Some("c"); 5]), &[None; 5]);
    }

    fn called(function: &ScalarUDF, arguments: Vec<ColumnarValue>, of: DataType) -> ArrayRef {
        let arguments = ScalarFunctionArgs {
            args: arguments,
            arg_fields: Vec::new(),
            number_rows: 5,
            return_field: Arc::new(Field::new("r", of, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let value = function.inner().invoke_with_args(arguments).unwrap();
        value.into_array(5).unwrap()
    }

    #[test]
    fn cardinality_counts_elements() {
        for collection in [list(), map()] {
            let arguments = vec![ColumnarValue::Array(collection)];
            let found = called(&cardinality(), arguments, DataType::Int32);
            check(&found, &[Some(2), Some(0), Some(1), None, Some(1)]);
        }
    }

    /// The library's own function hands on what such a row holds.
    #[test]
    fn a_field_of_a_null_row_is_null() {
        let fields = Fields::from(vec![Field::new("a", DataType::Int32, false)]);
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3, 4, 5]));
        let (_, nulls) = ends();
        let row = StructArray::new(fields, vec![values], nulls);
        let arguments = vec![
            ColumnarValue::Array(Arc::new(row)),
            ColumnarValue::Scalar(ScalarValue::from("a")),
        ];
        let found = called(&field(), arguments, DataType::Int32);
        check(&found, &[Some(1), Some(2), Some(3), None, Some(5)]);
    }
}
