//! A column while rows are appended to it: it takes values as text or straight
//! into its buffers, and can be cut back to an earlier length, so that a refused
//! record leaves no trace.

mod names;
mod strings;
mod text;
mod validity;
mod values;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};

pub(super) use names::{not_a, sql_name};
pub(super) use strings::Strings;
pub(super) use text::unit_of;
pub(super) use values::{Map, Values, map_fields};

use super::datetime::TimestampForm;
use validity::Validity;

/// One column of the batch that a decoder builds.
#[derive(Debug)]
pub(super) struct Column {
    /// What messages call it; a field of a `ROW` has the row's name before its own.
    name: String,
    pub data_type: DataType,
    nullable: bool,
    /// The values, for whoever can append to them without a text between.
    pub values: Values,
    validity: Validity,
}

/// Whether the formats have a form for values of this type.
pub(super) fn is_supported(data_type: &DataType) -> bool {
    Values::new(data_type, "").is_some()
}

/// Whether values of this type are made of others.
pub(super) fn is_nested(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Struct(_) | DataType::List(_) | DataType::Map(..)
    )
}

impl Column {
    /// An empty column for `field`, whose type was checked when its table was resolved.
    pub(super) fn new(field: &Field) -> Self {
        Self::named(field.name().clone(), field)
            .expect("the types of a table are checked when its format is made")
    }

    /// An empty column for `field` under a name of its own; `None` if the formats
    /// have no form for its type.
    fn named(name: String, field: &Field) -> Option<Self> {
        Some(Self {
            values: Values::new(field.data_type(), &name)?,
            name,
            data_type: field.data_type().clone(),
            nullable: field.is_nullable(),
            validity: Validity::default(),
        })
    }

    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// A reason that names this column.
    pub(super) fn reason(&self, why: &str) -> String {
        format!("column '{}': {why}", self.name)
    }

    /// Appends a null.
    pub(super) fn push_null(&mut self) -> Result<(), String> {
        if !self.nullable {
            return Err(self.reason("is NOT NULL but the record has no value for it"));
        }
        self.push_masked();
        Ok(())
    }

    /// Appends a null that nobody sees, because the row around it is null too.
    fn push_masked(&mut self) {
        self.validity.push_null(self.values.len());
        self.values.push_default();
    }

    /// Appends the value that `text` stands for; bytes stand as base64.
    pub(super) fn push_text(&mut self, text: &str, form: TimestampForm) -> Result<(), String> {
        self.values
            .push_text(text, &self.data_type, form)
            .map_err(|why| self.reason(&why))
    }

    /// Appends bytes as they are to a column of bytes or, if they are UTF-8, of text.
    pub(super) fn push_raw(&mut self, raw: &[u8]) -> Result<(), String> {
        let pushed = match &mut self.values {
            Values::Binary(strings) => strings.push(raw),
            Values::Text(strings) => match std::str::from_utf8(raw) {
                Ok(_) => strings.push(raw),
                Err(error) => Err(format!("is not UTF-8 from byte {}", error.valid_up_to())),
            },
            _ => Err("takes no raw bytes".to_owned()),
        };
        pushed.map_err(|why| self.reason(&why))
    }

    /// Cuts it back to its first `count` values.
    pub(super) fn truncate(&mut self, count: usize) {
        self.values.truncate(count);
        self.validity.truncate(count);
    }

    /// Takes the values as an array and leaves the column empty.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let nulls = self.validity.finish(self.values.len());
        self.values.finish(&self.data_type, nulls)
    }
}
