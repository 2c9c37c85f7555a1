//! `NUMBERED(array)`: what `UNNEST … WITH ORDINALITY` takes apart.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use arrow::datatypes::{ArrowNativeType, DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::ScalarUDF;

use super::elements::{element_type, list_of};
use super::kernel::Kernel;

/// Flink's names of an element that is no row, and of its number.
pub const ELEMENT: &str = "EXPR$0";
const ORDINALITY: &str = "ORDINALITY";

/// The elements of an array, or their columns if they are rows, each with its place behind it;
/// the first is 1. A null among rows stays one, and has its place.
pub fn numbered() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "NUMBERED",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| match arguments {
                [list @ DataType::List(_)] => {
                    list_of(DataType::Struct(numbered_fields(&element_type(list))))
                }
                _ => DataType::Null,
            },
            evaluate: |arguments, result| {
                let ([lists], DataType::List(element)) = (arguments, result) else {
                    return internal_err!("NUMBERED is planned with an array");
                };
                with_numbers(lists.as_list(), element)
            },
        }
        .function()
    });
    Arc::clone(&FUNCTION)
}

fn numbered_fields(element: &DataType) -> Fields {
    let mut fields: Vec<FieldRef> = match element {
        DataType::Struct(fields) => fields.iter().cloned().collect(),
        other => vec![Arc::new(Field::new(ELEMENT, other.clone(), true))],
    };
    fields.push(Arc::new(Field::new(ORDINALITY, DataType::Int32, true)));
    fields.into()
}

fn with_numbers(lists: &ListArray, element: &FieldRef) -> Result<ArrayRef> {
    let DataType::Struct(fields) = element.data_type() else {
        return internal_err!("what is numbered becomes rows");
    };
    let values = lists.values();
    let mut numbers = vec![0; values.len()];
    for ends in lists.value_offsets().windows(2) {
        let own = &mut numbers[ends[0].as_usize()..ends[1].as_usize()];
        for (place, number) in own.iter_mut().enumerate() {
            let Ok(place) = i32::try_from(place + 1) else {
                return exec_err!("an array has more than 2^31 elements");
            };
            *number = place;
        }
    }
    let (mut columns, nulls) = match values.as_struct_opt() {
        Some(rows) => (rows.columns().to_vec(), rows.nulls().cloned()),
        None => (vec![Arc::clone(values)], None),
    };
    columns.push(Arc::new(Int32Array::from(numbers)));
    let rows = StructArray::try_new(fields.clone(), columns, nulls)?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        lists.offsets().clone(),
        Arc::new(rows),
        lists.nulls().cloned(),
    )?))
}
