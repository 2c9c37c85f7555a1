//! A scalar function of the query library made of three plain functions.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// A function that depends on its arguments alone.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Its name, which no other kernel has.
    pub name: &'static str,
    /// The types that its arguments are cast to; a sentence if they do not fit.
    pub accept: fn(&[DataType]) -> Result<Vec<DataType>, String>,
    /// The type of its result over accepted arguments.
    pub result: fn(&[DataType]) -> DataType,
    /// Its values: arrays of one length in, one array of that length out.
    pub evaluate: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
}

impl Kernel {
    /// The function as the library takes it.
    pub(super) fn function(self) -> Arc<ScalarUDF> {
        self.function_of(true)
    }

    /// The function whose result is null only if an argument is.
    pub(super) fn strict_function(self) -> Arc<ScalarUDF> {
        self.function_of(false)
    }

    fn function_of(self, makes_nulls: bool) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(KernelFunction {
            kernel: self,
            makes_nulls,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }
}

#[derive(Debug)]
struct KernelFunction {
    kernel: Kernel,
    makes_nulls: bool,
    signature: Signature,
}

impl PartialEq for KernelFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.name == other.kernel.name
    }
}

impl Eq for KernelFunction {}

impl Hash for KernelFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.name.hash(state);
    }
}

impl ScalarUDFImpl for KernelFunction {
    fn name(&self) -> &str {
        self.kernel.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok((self.kernel.result)(arguments))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        let fields = arguments.arg_fields;
        let types: Vec<DataType> = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let nullable = self.makes_nulls || fields.iter().any(|field| field.is_nullable());
        let data_type = self.return_type(&types)?;
        Ok(Arc::new(Field::new(self.name(), data_type, nullable)))
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        (self.kernel.accept)(arguments).map_err(DataFusionError::Plan)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = arguments
            .args
            .iter()
            .all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let arrays = arguments
            .args
            .iter()
            .map(|argument| argument.to_array(rows))
            .collect::<Result<Vec<_>>>()?;
        let result = (self.kernel.evaluate)(&arrays, arguments.return_field.data_type())?;
        if constant {
            let value = datafusion_common::ScalarValue::try_from_array(&result, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(result))
    }
}
