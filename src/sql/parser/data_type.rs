//! The types of columns and casts: which ones there are, and what to say of the others.

use datafusion_sql::sqlparser::ast::{DataType, ExactNumberInfo, TimezoneInfo};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Failure, Result};

/// Types of Flink that the parser below does not know or knows otherwise.
const NOT_YET: &[&str] = &[
    "ARRAY",
    "INTERVAL",
    "MAP",
    "MULTISET",
    "NULL",
    "RAW",
    "ROW",
    "STRUCT",
    "TIMESTAMP_LTZ",
    "VARIANT",
];

/// Reads a type.
pub(super) fn data_type(cursor: &mut Cursor) -> Result<DataType> {
    let location = cursor.location();
    let Some(word) = cursor.word() else {
        return cursor.unexpected("a type");
    };
    if NOT_YET.contains(&word.as_str()) {
        let message = format!("the type {word} is not supported yet");
        let failure = Failure::new(location, message);
        return Err(match word.as_str() {
            "TIMESTAMP_LTZ" => failure.with_hint("use TIMESTAMP(3), in UTC"),
            "ARRAY" | "MAP" | "MULTISET" | "ROW" => {
                failure.with_hint("declare its parts as columns of their own, or use STRING")
            }
            _ => failure,
        });
    }
    if let "TIMESTAMP" | "TIME" = word.as_str() {
        refuse_time_zone(cursor, &word)?;
    }
    let data_type = cursor.parser().parse_data_type()?;
    match unsupported(&data_type) {
        Some(message) => Err(Failure::new(location, message)),
        None => Ok(data_type),
    }
}

/// `TIMESTAMP(3) WITH LOCAL TIME ZONE`, of which the parser below knows a part.
fn refuse_time_zone(cursor: &mut Cursor, word: &str) -> Result<()> {
    let location = cursor.location();
    let parser = cursor.parser();
    let has_precision = parser.peek_nth_token_ref(1).token == Token::LParen;
    let behind = parser.peek_nth_token_ref(if has_precision { 4 } else { 1 });
    if super::is_word(&behind.token, "WITH") {
        let message = format!("the type {word} WITH TIME ZONE is not supported yet");
        return Err(Failure::new(location, message).with_hint(format!("use {word}(3), in UTC")));
    }
    Ok(())
}

/// What to say of a type that there is not (yet).
pub(in crate::sql) fn unsupported(data_type: &DataType) -> Option<String> {
    use DataType as T;
    match data_type {
        T::Boolean
        | T::TinyInt(None)
        | T::SmallInt(None)
        | T::Int(None)
        | T::Integer(None)
        | T::BigInt(None)
        | T::Float(ExactNumberInfo::None)
        | T::Double(ExactNumberInfo::None)
        | T::DoublePrecision
        | T::Decimal(_)
        | T::Dec(_)
        | T::Numeric(_)
        | T::Char(_)
        | T::Character(_)
        | T::Varchar(_)
        | T::CharVarying(_)
        | T::CharacterVarying(_)
        | T::String(None)
        | T::Binary(_)
        | T::Varbinary(_)
        | T::Bytes(None)
        | T::Date
        | T::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | T::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => None,
        T::TinyInt(_) | T::SmallInt(_) | T::Int(_) | T::Integer(_) | T::BigInt(_) => {
            Some("an integer type has no length".into())
        }
        T::Float(_) | T::Double(_) => Some("FLOAT and DOUBLE have no precision".into()),
        T::String(_) | T::Bytes(_) => {
            Some("STRING and BYTES have no length: use VARCHAR or VARBINARY".into())
        }
        T::Time(..) | T::Timestamp(..) => {
            Some("types with a time zone are not supported yet: use TIMESTAMP(3), in UTC".into())
        }
        T::Array(_) | T::Map(..) | T::Interval { .. } => {
            Some(format!("the type {data_type} is not supported yet"))
        }
        other => Some(format!("{other} is not a type of Flink SQL")),
    }
}
