//! Scalar functions that are computed row by row, from plain values to a plain value.

use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array, Int32Array,
    Int64Array, ListBuilder, MapBuilder, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::regular::LastRegexes;

/// The longest text that a function makes of short ones, in bytes; such a row is refused.
pub(super) const TEXT_BYTES_MAX: usize = 16 << 20;
/// The most text of one batch, in bytes. A batch with more fails, and is computed in parts.
const BATCH_BYTES_MAX: usize = 64 << 20;

/// The value for a row: `None` is null, and an error makes the row a dead letter.
pub(super) type Answer<T> = Result<Option<T>, String>;

/// A function of one row. Planned arguments are `STRING`, `BYTES`, `BIGINT`, `DOUBLE` or
/// `BOOLEAN`.
#[derive(Debug)]
pub(super) struct RowKernel {
    /// Its name, which no other kernel has.
    pub name: &'static str,
    /// Whether it sees rows that have a null argument; else they are null.
    pub sees_nulls: bool,
    pub compute: Compute,
}

/// Keys, which are different, and values.
pub(super) type TextEntries = Vec<(String, Option<String>)>;

/// How the value of a row is computed, by its type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Compute {
    Text(for<'a> fn(&Row<'a>) -> Answer<Cow<'a, str>>),
    Bytes(for<'a> fn(&Row<'a>) -> Answer<Cow<'a, [u8]>>),
    Boolean(fn(&Row) -> Answer<bool>),
    Int(fn(&Row) -> Answer<i32>),
    BigInt(fn(&Row) -> Answer<i64>),
    Double(fn(&Row) -> Answer<f64>),
    Texts(fn(&Row) -> Answer<Vec<Option<String>>>),
    TextMap(fn(&Row) -> Answer<TextEntries>),
}

impl RowKernel {
    /// A function that is null where an argument is.
    pub(super) const fn strict(name: &'static str, compute: Compute) -> Self {
        Self {
            name,
            sees_nulls: false,
            compute,
        }
    }

    /// A function that sees all rows.
    pub(super) const fn lenient(name: &'static str, compute: Compute) -> Self {
        Self {
            name,
            sees_nulls: true,
            compute,
        }
    }

    /// The function as the library takes it.
    pub(super) fn function(&'static self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(RowFunction {
            kernel: self,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }
}

/// One row of the arguments.
pub(super) struct Row<'a> {
    columns: &'a [Column<'a>],
    at: usize,
    pub(super) regexes: &'a RefCell<LastRegexes>,
}

enum Column<'a> {
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Integer(&'a Int64Array),
    Double(&'a Float64Array),
    Boolean(&'a BooleanArray),
    /// A null without a type.
    Nothing,
}

/// One argument of a row.
pub(super) enum Argument<'a> {
    Null,
    Text(&'a str),
    Bytes(&'a [u8]),
    Integer(i64),
    Double(f64),
    Boolean(bool),
}

impl<'a> Row<'a> {
    /// How many arguments there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn argument(&self, place: usize) -> Argument<'a> {
        let row = self.at;
        match self.columns.get(place) {
            Some(Column::Text(values)) if values.is_valid(row) => Argument::Text(values.value(row)),
            Some(Column::Bytes(values)) if values.is_valid(row) => {
                Argument::Bytes(values.value(row))
            }
            Some(Column::Integer(values)) if values.is_valid(row) => {
                Argument::Integer(values.value(row))
            }
            Some(Column::Double(values)) if values.is_valid(row) => {
                Argument::Double(values.value(row))
            }
            Some(Column::Boolean(values)) if values.is_valid(row) => {
                Argument::Boolean(values.value(row))
            }
            _ => Argument::Null,
        }
    }

    pub(super) fn is_null(&self, place: usize) -> bool {
        matches!(self.argument(place), Argument::Null)
    }

    /// An argument that is planned as a text and is not null.
    pub(super) fn text(&self, place: usize) -> &'a str {
        match self.argument(place) {
            Argument::Text(text) => text,
            _ => unreachable!("argument {place} is planned as a text"),
        }
    }

    /// An argument that is planned as bytes and is not null.
    pub(super) fn bytes(&self, place: usize) -> &'a [u8] {
        match self.argument(place) {
            Argument::Bytes(bytes) => bytes,
            Argument::Text(text) => text.as_bytes(),
            _ => unreachable!("argument {place} is planned as bytes"),
        }
    }

    /// An argument that is planned as an integer and is not null.
    pub(super) fn integer(&self, place: usize) -> i64 {
        match self.argument(place) {
            Argument::Integer(value) => value,
            _ => unreachable!("argument {place} is planned as an integer"),
        }
    }

    /// An argument that is planned as a `DOUBLE` and is not null.
    pub(super) fn double(&self, place: usize) -> f64 {
        match self.argument(place) {
            Argument::Double(value) => value,
            _ => unreachable!("argument {place} is planned as a DOUBLE"),
        }
    }
}

#[derive(Debug)]
struct RowFunction {
    kernel: &'static RowKernel,
    signature: Signature,
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.kernel.compute {
            Compute::Text(_) => DataType::Utf8,
            Compute::Bytes(_) => DataType::Binary,
            Compute::Boolean(_) => DataType::Boolean,
            Compute::Int(_) => DataType::Int32,
            Compute::BigInt(_) => DataType::Int64,
            Compute::Double(_) => DataType::Float64,
            Compute::Texts(_) => DataType::List(Arc::new(text_element())),
            Compute::TextMap(_) => text_map(),
        })
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
        let constant = arguments.args.iter().all(is_constant);
        let rows = if constant { 1 } else { arguments.number_rows };
        let arrays = arguments
            .args
            .iter()
            .map(|argument| argument.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let values = self.kernel.evaluate(&arrays, rows).map_err(|message| {
            DataFusionError::Execution(format!("{}: {message}", self.kernel.name))
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &values, 0,
            )?));
        }
        Ok(ColumnarValue::Array(values))
    }
}

/// An element of an array of texts.
pub(super) fn text_element() -> Field {
    Field::new("element", DataType::Utf8, true)
}

/// A map of texts, in the form that columns have.
fn text_map() -> DataType {
    let fields = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    let entries = Field::new("entries", DataType::Struct(fields), false);
    DataType::Map(Arc::new(entries), false)
}

impl RowKernel {
    pub(super) fn evaluate(&self, arrays: &[ArrayRef], rows: usize) -> Result<ArrayRef, String> {
        let columns = arrays.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let regexes = RefCell::default();
        let answers = Answers {
            columns: &columns,
            regexes: &regexes,
            rows,
            sees_nulls: self.sees_nulls,
        };
        Ok(match self.compute {
            Compute::Text(compute) => Arc::new(answers.texts(compute)?),
            Compute::Bytes(compute) => Arc::new(answers.bytes(compute)?),
            Compute::Boolean(compute) => Arc::new(answers.collect::<_, BooleanArray>(compute)?),
            Compute::Int(compute) => Arc::new(answers.collect::<_, Int32Array>(compute)?),
            Compute::BigInt(compute) => Arc::new(answers.collect::<_, Int64Array>(compute)?),
            Compute::Double(compute) => Arc::new(answers.collect::<_, Float64Array>(compute)?),
            Compute::Texts(compute) => answers.text_lists(compute)?,
            Compute::TextMap(compute) => answers.text_maps(compute)?,
        })
    }
}

fn column(array: &ArrayRef) -> Result<Column<'_>, String> {
    Ok(match array.data_type() {
        DataType::Utf8 => Column::Text(array.as_string()),
        DataType::Binary => Column::Bytes(array.as_binary()),
        DataType::Int64 => Column::Integer(array.as_primitive::<Int64Type>()),
        DataType::Float64 => Column::Double(array.as_primitive::<Float64Type>()),
        DataType::Boolean => Column::Boolean(array.as_boolean()),
        DataType::Null => Column::Nothing,
        other => return Err(format!("it is not planned over {other}")),
    })
}

/// The rows of one batch, to be answered.
struct Answers<'a> {
    columns: &'a [Column<'a>],
    regexes: &'a RefCell<LastRegexes>,
    rows: usize,
    sees_nulls: bool,
}

impl<'a> Answers<'a> {
    fn answer<T>(&self, row: usize, compute: impl Fn(&Row<'a>) -> Answer<T>) -> Answer<T> {
        let row = Row {
            columns: self.columns,
            at: row,
            regexes: self.regexes,
        };
        if !self.sees_nulls && (0..row.len()).any(|place| row.is_null(place)) {
            return Ok(None);
        }
        compute(&row)
    }

    fn collect<T, A: FromIterator<Option<T>>>(
        &self,
        compute: fn(&Row) -> Answer<T>,
    ) -> Result<A, String> {
        (0..self.rows)
            .map(|row| self.answer(row, compute))
            .collect()
    }

    fn texts(&self, compute: fn(&Row<'a>) -> Answer<Cow<'a, str>>) -> Result<StringArray, String> {
        let mut texts = StringBuilder::new();
        for row in 0..self.rows {
            texts.append_option(self.answer(row, compute)?);
            check_size(texts.values_slice().len(), row)?;
        }
        Ok(texts.finish())
    }

    fn bytes(&self, compute: fn(&Row<'a>) -> Answer<Cow<'a, [u8]>>) -> Result<BinaryArray, String> {
        let mut bytes = BinaryBuilder::new();
        for row in 0..self.rows {
            bytes.append_option(self.answer(row, compute)?);
            check_size(bytes.values_slice().len(), row)?;
        }
        Ok(bytes.finish())
    }

    fn text_lists(
        &self,
        compute: fn(&Row) -> Answer<Vec<Option<String>>>,
    ) -> Result<ArrayRef, String> {
        let mut lists = ListBuilder::new(StringBuilder::new()).with_field(text_element());
        for row in 0..self.rows {
            match self.answer(row, compute)? {
                None => lists.append_null(),
                Some(texts) => {
                    for text in texts {
                        lists.values().append_option(text);
                    }
                    lists.append(true);
                }
            }
            check_size(lists.values().values_slice().len(), row)?;
        }
        Ok(Arc::new(lists.finish()))
    }

    fn text_maps(&self, compute: fn(&Row) -> Answer<TextEntries>) -> Result<ArrayRef, String> {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in 0..self.rows {
            let entries = self.answer(row, compute)?;
            let is_valid = entries.is_some();
            for (key, value) in entries.unwrap_or_default() {
                maps.keys().append_value(key);
                maps.values().append_option(value);
            }
            let ended = maps.append(is_valid);
            ended.map_err(|error| error.to_string())?;
        }
        let maps = maps.finish();
        let cast = arrow::compute::cast(&maps, &text_map());
        cast.map_err(|error| error.to_string())
    }
}

/// Fails if the values of so many rows are too many bytes for one batch. One row
/// alone is bounded by what makes it.
fn check_size(bytes: usize, row: usize) -> Result<(), String> {
    if bytes > BATCH_BYTES_MAX && row > 0 {
        return Err(format!(
            "the texts of a batch are longer than {BATCH_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

/// Refuses a text that would have so many bytes, if they are too many.
pub(super) fn check_text_bytes(bytes: usize) -> Result<(), String> {
    if bytes > TEXT_BYTES_MAX {
        return Err(format!(
            "a text of {bytes} bytes is too long: at most {TEXT_BYTES_MAX} are made"
        ));
    }
    Ok(())
}
