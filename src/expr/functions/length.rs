//! Texts and bytes brought to the length of a type.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, BinaryArray, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion_common::{Result, internal_err};
use datafusion_expr::ScalarUDF;

use super::kernel::Kernel;

/// `TRIM_TO(value, length)`: the first characters of a text, or bytes.
pub fn trim_to() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "TRIM_TO",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, _| of_length(arguments, false),
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

/// `PAD_TO(value, length)`: the same, with blanks behind a shorter text, and zeros behind
/// fewer bytes.
pub fn pad_to() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Kernel {
            name: "PAD_TO",
            accept: |arguments| Ok(arguments.to_vec()),
            result: |arguments| arguments.first().cloned().unwrap_or(DataType::Null),
            evaluate: |arguments, _| of_length(arguments, true),
        }
        .strict_function()
    });
    Arc::clone(&FUNCTION)
}

fn of_length(arguments: &[ArrayRef], is_padded: bool) -> Result<ArrayRef> {
    let [values, lengths] = arguments else {
        return internal_err!("a length is planned with a value and a number");
    };
    let lengths = lengths.as_primitive::<Int32Type>().iter();
    let lengths = lengths.map(|length| usize::try_from(length.unwrap_or(0)).unwrap_or(0));
    if let Some(bytes) = values.as_binary_opt::<i32>() {
        let of_length: BinaryArray = bytes
            .iter()
            .zip(lengths)
            .map(|(bytes, length)| bytes.map(|bytes| bytes_of_length(bytes, length, is_padded)))
            .collect();
        return Ok(Arc::new(of_length));
    }
    let texts = values.as_string::<i32>().iter().zip(lengths);
    let of_length: StringArray = texts
        .map(|(text, length)| text.map(|text| text_of_length(text, length, is_padded)))
        .collect();
    Ok(Arc::new(of_length))
}

fn bytes_of_length(bytes: &[u8], length: usize, is_padded: bool) -> Vec<u8> {
    let mut of_length = bytes.get(..length).unwrap_or(bytes).to_vec();
    if is_padded {
        of_length.resize(length, 0);
    }
    of_length
}

fn text_of_length(text: &str, length: usize, is_padded: bool) -> String {
    let mut characters = text.char_indices();
    if let Some((end, _)) = characters.nth(length) {
        return text[..end].to_owned();
    }
    let missing = length - text.chars().count();
    let blanks = if is_padded { missing } else { 0 };
    format!("{text}{}", " ".repeat(blanks))
}
