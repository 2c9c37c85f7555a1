//! The types of SQL columns in Arrow, as Flink means them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion_common::Result;
use datafusion_expr::planner::TypePlanner;
use datafusion_sql::sqlparser::ast::{
    BinaryLength, CharacterLength, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};

use super::diagnose::refusal;
use super::parser::is_instant;
use super::statement::{ColumnType, ElementType};
use super::time_zone::TimeZone;

/// The most digits a decimal can have.
pub(super) const MAX_PRECISION: u8 = 38;

/// Gives `CAST(x AS type)` in a query the meaning that `type` has in a table.
#[derive(Debug)]
pub(super) struct FlinkTypes {
    /// In which instants are shown.
    pub zone: TimeZone,
}

impl TypePlanner for FlinkTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let data_type = castable(sql_type)
            .and_then(|()| plain(sql_type, &self.zone))
            .map_err(|message| refusal(message, None, None))?;
        let field = Field::new("", data_type, true);
        let metadata = length_of(sql_type).map(Length::to_metadata);
        let field = field.with_metadata(metadata.unwrap_or_default());
        Ok(Some(Arc::new(field)))
    }
}

/// How long the values of a type are that `CAST` makes. Columns do not keep it: neither
/// here nor in Flink is what they hold made to fit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    /// How many characters or bytes there are at most.
    pub most: i32,
    /// Whether shorter values are filled up.
    pub is_padded: bool,
}

const MOST: &str = "length";
const IS_PADDED: &str = "padded";

impl Length {
    fn to_metadata(self) -> HashMap<String, String> {
        let mut metadata = HashMap::from([(MOST.to_owned(), self.most.to_string())]);
        if self.is_padded {
            metadata.insert(IS_PADDED.to_owned(), String::new());
        }
        metadata
    }

    /// The length that [`FlinkTypes`] has noted in the target of a cast.
    pub(super) fn of(target: &Field) -> Option<Self> {
        let metadata = target.metadata();
        Some(Self {
            most: metadata.get(MOST)?.parse().ok()?,
            is_padded: metadata.contains_key(IS_PADDED),
        })
    }
}

fn length_of(sql_type: &SqlType) -> Option<Length> {
    let (most, is_padded) = declared_length(sql_type)?;
    let most = i32::try_from(most).ok()?;
    // The longest is no bound.
    (most < i32::MAX).then_some(Length { most, is_padded })
}

/// The length of a type that has one, and whether shorter values are filled up to it.
fn declared_length(sql_type: &SqlType) -> Option<(u64, bool)> {
    let of_text = |length: Option<CharacterLength>| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => length,
        Some(CharacterLength::Max) => LENGTH_MAX,
        None => 1,
    };
    Some(match sql_type {
        SqlType::Char(length) | SqlType::Character(length) => (of_text(*length), true),
        SqlType::Varchar(Some(length)) | SqlType::CharacterVarying(Some(length)) => {
            (of_text(Some(*length)), false)
        }
        SqlType::Binary(length) => (length.unwrap_or(1), true),
        SqlType::Varbinary(Some(BinaryLength::IntegerLength { length })) => (*length, false),
        _ => return None,
    })
}

/// The longest text or bytes that a type can have, and the longest that `CAST` fills up:
/// each value takes as much memory.
const LENGTH_MAX: u64 = 2_147_483_647;
const PADDED_LENGTH_MAX: u64 = 65_536;

/// Values keep the precision of their unit, so that a cast to one in between is refused
/// rather than done by half.
fn castable(sql_type: &SqlType) -> Result<(), String> {
    if let Some((length, is_padded)) = declared_length(sql_type) {
        let most = if is_padded {
            PADDED_LENGTH_MAX
        } else {
            LENGTH_MAX
        };
        if !(1..=most).contains(&length) {
            return Err(format!(
                "a cast to {sql_type} is not supported: use a length from 1 to {most}"
            ));
        }
    }
    let instead = match sql_type {
        SqlType::Timestamp(Some(precision), _) if ![3, 6, 9].contains(precision) => {
            "TIMESTAMP(3), TIMESTAMP(6) or TIMESTAMP(9)"
        }
        SqlType::Custom(name, precision) if is_instant(&name.to_string()) => {
            match precision.first().map_or("6", String::as_str) {
                "3" | "6" | "9" => return Ok(()),
                _ => "TIMESTAMP_LTZ(3), TIMESTAMP_LTZ(6) or TIMESTAMP_LTZ(9)",
            }
        }
        SqlType::Time(Some(precision), _) if ![0, 3, 6, 9].contains(precision) => {
            "TIME(0), TIME(3), TIME(6) or TIME(9)"
        }
        _ => return Ok(()),
    };
    Err(format!(
        "a cast to {sql_type} is not supported: use {instead}"
    ))
}

/// The Arrow type of a column that is declared so, or why there is none.
pub(super) fn to_arrow(declared: &ColumnType, zone: &TimeZone) -> Result<DataType, String> {
    let field = |name: &str, element: &ElementType| {
        let data_type = to_arrow(&element.data_type, zone)?;
        Ok::<_, String>(Arc::new(Field::new(name, data_type, !element.not_null)))
    };
    match declared {
        ColumnType::Plain(sql_type) => plain(sql_type, zone),
        ColumnType::Row(fields) => {
            let fields = fields.iter().map(|(name, of)| field(&name.value, of));
            Ok(DataType::Struct(fields.collect::<Result<Fields, _>>()?))
        }
        ColumnType::Array(element) => Ok(DataType::List(field("element", element)?)),
        ColumnType::Map(types) => {
            let [key, value] = types.as_ref();
            // Arrow has no null keys, whether they are declared so or not.
            let key = field("key", key)?.as_ref().clone().with_nullable(false);
            let entry = Fields::from(vec![Arc::new(key), field("value", value)?]);
            let entries = Field::new("entries", DataType::Struct(entry), false);
            Ok(DataType::Map(Arc::new(entries), false))
        }
    }
}

/// The Arrow type of what is not made of other types, or why there is none.
fn plain(sql_type: &SqlType, zone: &TimeZone) -> Result<DataType, String> {
    Ok(match sql_type {
        SqlType::Boolean => DataType::Boolean,
        SqlType::TinyInt(None) => DataType::Int8,
        SqlType::SmallInt(None) => DataType::Int16,
        SqlType::Int(None) | SqlType::Integer(None) => DataType::Int32,
        SqlType::BigInt(None) => DataType::Int64,
        SqlType::Float(ExactNumberInfo::None) => DataType::Float32,
        SqlType::Double(ExactNumberInfo::None) | SqlType::DoublePrecision => DataType::Float64,
        SqlType::Decimal(digits) | SqlType::Numeric(digits) | SqlType::Dec(digits) => {
            decimal(*digits)?
        }
        SqlType::Char(_)
        | SqlType::Character(_)
        | SqlType::Varchar(_)
        | SqlType::CharacterVarying(_)
        | SqlType::String(None) => DataType::Utf8,
        SqlType::Binary(_) | SqlType::Varbinary(_) | SqlType::Bytes(None) => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            time(precision.unwrap_or(0))?
        }
        SqlType::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(timestamp_unit(precision.unwrap_or(6), "TIMESTAMP")?, None)
        }
        SqlType::Custom(name, precision) if is_instant(&name.to_string()) => {
            let precision = precision.first().map_or("6", String::as_str);
            // What is no number is no precision either.
            let precision = precision.parse().unwrap_or(u64::MAX);
            zone.instants(timestamp_unit(precision, "TIMESTAMP_LTZ")?)
        }
        SqlType::Custom(name, _) => custom(&name.to_string())?,
        other => return Err(unsupported(&other.to_string())),
    })
}

fn custom(name: &str) -> Result<DataType, String> {
    match name.to_uppercase().as_str() {
        "STRING" => Ok(DataType::Utf8),
        "BYTES" => Ok(DataType::Binary),
        _ => Err(unsupported(name)),
    }
}

fn unsupported(name: &str) -> String {
    format!("the type {name} is not supported yet")
}

fn decimal(digits: ExactNumberInfo) -> Result<DataType, String> {
    let (precision, scale) = match digits {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let precision = u8::try_from(precision)
        .ok()
        .filter(|precision| (1..=MAX_PRECISION).contains(precision));
    let Some(precision) = precision else {
        return Err("a DECIMAL has 1 to 38 digits".to_owned());
    };
    match i8::try_from(scale) {
        Ok(scale) if (0..=precision.cast_signed()).contains(&scale) => {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => Err(format!(
            "the scale of DECIMAL({precision}, {scale}) must be from 0 to {precision}"
        )),
    }
}

fn time(precision: u64) -> Result<DataType, String> {
    Ok(match precision {
        0 => DataType::Time32(TimeUnit::Second),
        1..=3 => DataType::Time32(TimeUnit::Millisecond),
        4..=6 => DataType::Time64(TimeUnit::Microsecond),
        7..=9 => DataType::Time64(TimeUnit::Nanosecond),
        _ => return Err("the precision of TIME must be from 0 to 9".to_owned()),
    })
}

fn timestamp_unit(precision: u64, name: &str) -> Result<TimeUnit, String> {
    Ok(match precision {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        7..=9 => TimeUnit::Nanosecond,
        _ => return Err(format!("the precision of {name} must be from 0 to 9")),
    })
}

#[cfg(test)]
mod tests {
    use datafusion_sql::sqlparser::dialect::GenericDialect;
    use datafusion_sql::sqlparser::parser::Parser;

    use super::*;
    use crate::plan::type_name;

    #[test]
    fn types_are_flinks() {
        for (declared, expected) in [
            ("BOOLEAN", "BOOLEAN"),
            ("TINYINT", "TINYINT"),
            ("SMALLINT", "SMALLINT"),
            ("INTEGER", "INT"),
            ("BIGINT", "BIGINT"),
            ("FLOAT", "FLOAT"),
            ("DOUBLE PRECISION", "DOUBLE"),
            ("DECIMAL", "DECIMAL(10, 0)"),
            ("NUMERIC(5)", "DECIMAL(5, 0)"),
            ("DEC(38, 38)", "DECIMAL(38, 38)"),
            ("CHAR(3)", "STRING"),
            ("VARCHAR(3)", "STRING"),
            ("STRING", "STRING"),
            ("VARBINARY(3)", "BYTES"),
            ("BYTES", "BYTES"),
            ("DATE", "DATE"),
            ("TIME", "TIME(0)"),
            ("TIME(2)", "TIME(3)"),
            ("TIME(9)", "TIME(9)"),
            ("TIMESTAMP", "TIMESTAMP(6)"),
            ("TIMESTAMP(0)", "TIMESTAMP(3)"),
            ("TIMESTAMP(3) WITHOUT TIME ZONE", "TIMESTAMP(3)"),
            ("TIMESTAMP(9)", "TIMESTAMP(9)"),
            ("TIMESTAMP_LTZ", "TIMESTAMP_LTZ(6)"),
            ("timestamp_ltz(0)", "TIMESTAMP_LTZ(3)"),
            ("TIMESTAMP_LTZ(9)", "TIMESTAMP_LTZ(9)"),
            (
                "TIMESTAMP_LTZ(10)",
                "the precision of TIMESTAMP_LTZ must be from 0 to 9",
            ),
            (
                "TIMESTAMP(10)",
                "the precision of TIMESTAMP must be from 0 to 9",
            ),
            ("DECIMAL(0)", "a DECIMAL has 1 to 38 digits"),
            ("DECIMAL(39, 2)", "a DECIMAL has 1 to 38 digits"),
            (
                "DECIMAL(3, 4)",
                "the scale of DECIMAL(3, 4) must be from 0 to 3",
            ),
            ("FLOAT(3)", "the type FLOAT(3) is not supported yet"),
            ("MONEY", "the type MONEY is not supported yet"),
        ] {
            let mut parser = Parser::new(&GenericDialect {})
                .try_with_sql(declared)
                .unwrap();
            let parsed = parser.parse_data_type().unwrap();
            let found = plain(&parsed, &TimeZone::default())
                .map_or_else(|message| message, |found| type_name(&found));
            assert_eq!(found, expected, "{declared}");
        }
    }
}
