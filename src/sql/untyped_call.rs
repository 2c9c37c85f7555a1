//! A call of a function before the types of its arguments are known.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::access;
use super::functions::CAST;
use super::time_zone::TimeZone;

/// A call before its arguments are typed; `typing` replaces it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct UntypedCall {
    name: &'static str,
    zone: TimeZone,
    signature: Signature,
}

impl UntypedCall {
    /// A function of this name, as the library takes it, in a program of this time zone.
    pub(super) fn function(name: &'static str, zone: TimeZone) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::from(Self {
            name,
            zone,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    /// The call, if this is such a function.
    pub(super) fn of(function: &ScalarUDF) -> Option<&Self> {
        function.inner().downcast_ref::<Self>()
    }

    /// The time zone of the program.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl ScalarUDFImpl for UntypedCall {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Access to parts, and a cast, are shown as SQL writes them.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let texts = arguments.iter().map(|argument| match argument {
            Expr::Literal(value, _) if [access::FIELD, CAST].contains(&self.name) => {
                value.to_string()
            }
            other => other.schema_name().to_string(),
        });
        let texts: Vec<String> = texts.collect();
        Ok(match (self.name, texts.as_slice()) {
            (access::FIELD, _) => texts.join("."),
            (access::ITEM, [collection, key]) => format!("{collection}[{key}]"),
            (CAST, [value, data_type]) => format!("CAST({value} AS {data_type})"),
            (name, _) => format!("{name}({})", texts.join(",")),
        })
    }

    /// Fits everywhere, so that nothing is refused before the types are known.
    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Null)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        datafusion_common::internal_err!("an untyped call is never run")
    }
}
