//! Aggregates of groups.

use crate::expression::{Expressions, Type, one_of};

/// An aggregate and its type.
pub struct Aggregate {
    pub text: String,
    pub data_type: Type,
}

impl Expressions<'_> {
    /// An aggregate. If rows come `in_order` it may be one that goes by their order.
    pub fn aggregate(&mut self, in_order: bool) -> Aggregate {
        let data_type = match self.some_type() {
            Type::Array => Type::Text,
            other => other,
        };
        let (call, result) = match self.random.u8(..if in_order { 10 } else { 7 }) {
            0 => ("COUNT(*)".to_owned(), Type::Bigint),
            1 => (format!("COUNT({})", self.argument(data_type)), Type::Bigint),
            2 | 3 => self.of_numbers(),
            4 | 5 => {
                let function = one_of(self.random, &["MIN", "MAX"]);
                (format!("{function}({})", self.of(data_type, 1)), data_type)
            }
            6 => (
                format!("COUNT(DISTINCT {})", self.of(data_type, 1)),
                Type::Bigint,
            ),
            7 => {
                let function = one_of(self.random, &["FIRST_VALUE", "LAST_VALUE"]);
                (format!("{function}({})", self.of(data_type, 1)), data_type)
            }
            8 => (
                format!("LISTAGG({}, '+')", self.of(Type::Text, 1)),
                Type::Text,
            ),
            _ => (
                format!("ARRAY_AGG({})", self.of(Type::Text, 1)),
                Type::Array,
            ),
        };
        let filter = if self.random.u8(..4) == 0 {
            format!(" FILTER (WHERE {})", self.boolean(1))
        } else {
            String::new()
        };
        let text = if call.contains("STDDEV") | call.contains("VAR_") {
            // The last digits of these depend on the way that they are computed.
            format!("CAST({call}{filter} AS {})", result.sql())
        } else {
            format!("{call}{filter}")
        };
        Aggregate {
            text,
            data_type: result,
        }
    }

    /// What an aggregate that knows `DISTINCT` is called with.
    fn argument(&mut self, data_type: Type) -> String {
        let distinct = if self.random.u8(..5) == 0 {
            "DISTINCT "
        } else {
            ""
        };
        format!("{distinct}{}", self.of(data_type, 1))
    }

    fn of_numbers(&mut self) -> (String, Type) {
        let types = [Type::Int, Type::Bigint, Type::Decimal(10, 2), Type::Double];
        let data_type = types[self.random.usize(..types.len())];
        let argument = self.argument(data_type);
        match (self.random.u8(..3), data_type) {
            (0, Type::Decimal(..)) => (format!("AVG({argument})"), Type::Decimal(38, 6)),
            (0, _) => (format!("AVG({argument})"), data_type),
            (1, Type::Double) => {
                let functions = ["STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP"];
                let function = one_of(self.random, &functions);
                (format!("{function}({argument})"), Type::Decimal(20, 3))
            }
            (_, Type::Decimal(..)) => (format!("SUM({argument})"), Type::Decimal(38, 2)),
            (_, _) => (format!("SUM({argument})"), data_type),
        }
    }
}
