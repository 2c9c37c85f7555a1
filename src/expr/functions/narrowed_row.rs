//! A row with some of its fields: what one reader of a shared source wants of its rows.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::{DataType, Fields};
use datafusion_common::{Result, internal_err};
use datafusion_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// `ROW<fields>(row)`. Nothing is copied.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct NarrowedRow {
    /// With the fields that are left, so that two of them are not taken for one.
    name: String,
    from: DataType,
    to: DataType,
    signature: Signature,
}

impl NarrowedRow {
    /// The function from rows of type `from` to rows that have of its fields those of `to`.
    pub fn function(from: &DataType, to: &DataType) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self {
            name: format!("ROW{}", names(to)),
            from: from.clone(),
            to: to.clone(),
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    /// What `function` does, if it is one of these.
    pub fn of(function: &ScalarUDF) -> Option<&Self> {
        let function: &dyn Any = function.inner().as_ref();
        function.downcast_ref()
    }

    /// Whether this field is left as it is.
    pub fn keeps(&self, field: &str) -> bool {
        type_of(&self.to, field).is_some_and(|kept| type_of(&self.from, field) == Some(kept))
    }
}

impl ScalarUDFImpl for NarrowedRow {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [row] = arguments.args.as_slice() else {
            return internal_err!("a row is narrowed alone");
        };
        let row = row.to_array(arguments.number_rows)?;
        Ok(ColumnarValue::Array(narrowed(&row, &self.to)?))
    }
}

fn narrowed(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let DataType::Struct(wanted) = to else {
        return Ok(Arc::clone(values));
    };
    let row = values.as_struct();
    let mut columns = Vec::with_capacity(wanted.len());
    for field in wanted {
        let Some(column) = row.column_by_name(field.name()) else {
            return internal_err!("a row is narrowed to fields that it has");
        };
        columns.push(narrowed(column, field.data_type())?);
    }
    let (wanted, nulls) = (wanted.clone(), row.nulls().cloned());
    let narrowed = StructArray::try_new_with_length(wanted, columns, nulls, row.len())?;
    Ok(Arc::new(narrowed))
}

fn fields(row: &DataType) -> Option<&Fields> {
    match row {
        DataType::Struct(fields) => Some(fields),
        _ => None,
    }
}

fn type_of<'a>(row: &'a DataType, field: &str) -> Option<&'a DataType> {
    let (_, field) = fields(row)?.find(field)?;
    Some(field.data_type())
}

/// The names of the fields between `<` and `>`, and of theirs.
fn names(row: &DataType) -> String {
    let Some(fields) = fields(row) else {
        return String::new();
    };
    let names = fields
        .iter()
        .map(|field| format!("{}{}", field.name(), names(field.data_type())));
    format!("<{}>", names.collect::<Vec<_>>().join(", "))
}
