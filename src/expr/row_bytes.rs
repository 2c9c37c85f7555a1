//! Rows of some columns as bytes, which can be kept and looked up one by one.

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

/// Turns rows into bytes and back.
pub struct RowBytes {
    /// `None` without columns, of which the library keeps no rows.
    converter: Option<RowConverter>,
}

/// Rows as bytes.
pub struct EncodedRows(Option<Rows>);

impl RowBytes {
    /// For columns of these types.
    ///
    /// # Errors
    /// If one of them is a type whose values have no such form.
    pub fn new(fields: &Fields) -> Result<Self, ArrowError> {
        let columns = fields.iter();
        let columns = columns.map(|field| SortField::new(field.data_type().clone()));
        let converter = (!fields.is_empty()).then(|| RowConverter::new(columns.collect()));
        Ok(Self {
            converter: converter.transpose()?,
        })
    }

    /// The rows of these columns.
    ///
    /// # Errors
    /// If the columns are not of the types.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<EncodedRows, ArrowError> {
        let rows = self.converter.as_ref();
        let rows = rows.map(|converter| converter.convert_columns(columns));
        Ok(EncodedRows(rows.transpose()?))
    }

    /// The columns of rows that [`Self::encode`] made.
    ///
    /// # Errors
    /// If the bytes are not of its making.
    pub fn decode<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<ArrayRef>, ArrowError> {
        let Some(converter) = &self.converter else {
            return Ok(Vec::new());
        };
        let parser = converter.parser();
        let rows = rows.into_iter().map(|bytes| parser.parse(bytes));
        converter.convert_rows(rows)
    }
}

impl EncodedRows {
    /// The bytes of one row.
    pub fn row(&self, row: usize) -> &[u8] {
        match &self.0 {
            Some(rows) => rows.row(row).data(),
            None => &[],
        }
    }
}
