//! `PROCTIME()` and `CURRENT_TIMESTAMP`: the time of day at which rows pass.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::clock;

/// The name of the function.
pub const PROCTIME: &str = "PROCTIME";

/// `PROCTIME()` as a timestamp of this type, in milliseconds. The rows of one batch have one time.
pub fn proctime(data_type: DataType) -> Arc<ScalarUDF> {
    time_of_day(PROCTIME, data_type)
}

/// `CURRENT_TIMESTAMP`: the same time, as a value like others.
pub fn current_timestamp(data_type: DataType) -> Arc<ScalarUDF> {
    time_of_day("CURRENT_TIMESTAMP", data_type)
}

fn time_of_day(name: &'static str, data_type: DataType) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(ProcessingTime {
        name,
        data_type,
        signature: Signature::exact(Vec::new(), Volatility::Volatile),
    }))
}

#[derive(Debug, PartialEq, Eq)]
struct ProcessingTime {
    name: &'static str,
    data_type: DataType,
    signature: Signature,
}

impl Hash for ProcessingTime {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.data_type.hash(state);
    }
}

impl ScalarUDFImpl for ProcessingTime {
    fn name(&self) -> &'static str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(
            self.name,
            self.data_type.clone(),
            false,
        )))
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let millis = ScalarValue::Int64(Some(clock::now().millis()));
        Ok(ColumnarValue::Scalar(millis.cast_to(&self.data_type)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
    use arrow::datatypes::{Schema, TimeUnit, TimestampMillisecondType};
    use datafusion_common::DFSchema;

    use super::*;
    use crate::expr::Expression;

    #[test]
    fn rows_of_a_batch_pass_at_one_time_between_before_and_after() {
        let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let call = proctime(data_type.clone()).call(Vec::new());
        let expression = Expression::new(&call, &DFSchema::empty()).unwrap();
        assert!(expression.is_processing_time() && !expression.field().is_nullable());
        let options = RecordBatchOptions::new().with_row_count(Some(3));
        let schema = Arc::new(Schema::empty());
        let rows = RecordBatch::try_new_with_options(schema, Vec::new(), &options).unwrap();
        let before = clock::now().millis();
        let values = expression.evaluate(&rows).unwrap();
        let after = clock::now().millis();
        assert_eq!(*values.data_type(), data_type);
        let values = values.as_primitive::<TimestampMillisecondType>().values();
        assert!(values.iter().all(|value| *value == values[0]));
        assert!((before..=after).contains(&values[0]));
    }
}
