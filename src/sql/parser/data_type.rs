//! The types of columns and casts: which ones there are, and what to say of the others.

use datafusion_sql::sqlparser::ast::{DataType, ExactNumberInfo, Ident, TimezoneInfo};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Failure, Result};
use crate::sql::limits::TYPE_DEPTH_MAX;
use crate::sql::statement::{ColumnType, ElementType};

/// Types of Flink that the parser below does not know or knows otherwise.
const NOT_YET: &[&str] = &["INTERVAL", "MULTISET", "NULL", "RAW", "STRUCT", "VARIANT"];

/// Reads the type of a column.
pub(super) fn data_type(cursor: &mut Cursor) -> Result<ColumnType> {
    let mut reader = TypeReader { cursor, closed: 0 };
    let data_type = reader.data_type(0)?;
    let closed = reader.closed;
    if closed > 0 {
        let message = "there is a > too many before this";
        return Err(Failure::new(cursor.location(), message));
    }
    Ok(data_type)
}

/// Reads types that may be nested.
struct TypeReader<'c, 'a> {
    cursor: &'c mut Cursor<'a>,
    /// How many types have been closed by the second half of a `>>`, which is one token.
    closed: usize,
}

impl TypeReader<'_, '_> {
    fn data_type(&mut self, depth: usize) -> Result<ColumnType> {
        let location = self.cursor.location();
        let too_deep = || Failure::new(location, TOO_DEEP).with_hint(FLATTER);
        if depth >= TYPE_DEPTH_MAX {
            return Err(too_deep());
        }
        let mut data_type = match self.cursor.word().as_deref() {
            Some("ROW") => self.row(depth)?,
            Some("ARRAY") => {
                let [element] = self.elements("ARRAY", depth)?;
                ColumnType::Array(Box::new(element))
            }
            Some("MAP") => self.map(depth)?,
            _ => ColumnType::Plain(plain(self.cursor)?),
        };
        let mut depth = depth;
        while self.closed == 0 && self.cursor.is_at(&["ARRAY"]) {
            depth += 1;
            if depth >= TYPE_DEPTH_MAX {
                return Err(too_deep());
            }
            self.cursor.expect(&["ARRAY"])?;
            data_type = ColumnType::Array(Box::new(ElementType {
                data_type,
                not_null: false,
            }));
        }
        if self.closed == 0 && self.cursor.is_at(&["MULTISET"]) {
            return Err(not_yet(self.cursor, "MULTISET"));
        }
        Ok(data_type)
    }

    /// `ROW<name type, …>` or `ROW(name type, …)`.
    fn row(&mut self, depth: usize) -> Result<ColumnType> {
        self.cursor.expect(&["ROW"])?;
        let in_parentheses = self.cursor.eat_symbol(&Token::LParen);
        if !in_parentheses {
            self.cursor.expect_symbol(&Token::Lt)?;
        }
        let mut fields: Vec<(Ident, ElementType)> = Vec::new();
        loop {
            let name = self.cursor.name("the name of a field")?;
            if fields.iter().any(|(known, _)| known.value == name.value) {
                let message = format!("the row has already a field {}", name.value);
                return Err(Failure::new(name.span.start, message));
            }
            let element = self.element(depth)?;
            if self.closed == 0 && self.cursor.is_string() {
                self.cursor.string("the comment")?;
            }
            fields.push((name, element));
            if !self.eat_comma() {
                break;
            }
        }
        if !in_parentheses {
            self.close()?;
        } else if self.closed > 0 || !self.cursor.eat_symbol(&Token::RParen) {
            return self.cursor.unexpected(", or )");
        }
        Ok(ColumnType::Row(fields))
    }

    fn map(&mut self, depth: usize) -> Result<ColumnType> {
        let location = self.cursor.location();
        let [key, value] = self.elements("MAP", depth)?;
        if !matches!(key.data_type, ColumnType::Plain(_)) {
            let message = "the keys of a MAP cannot be rows, arrays or maps";
            return Err(Failure::new(location, message));
        }
        Ok(ColumnType::Map(Box::new([key, value])))
    }

    /// `ARRAY<type>` and `MAP<type, type>`.
    fn elements<const N: usize>(&mut self, word: &str, depth: usize) -> Result<[ElementType; N]> {
        self.cursor.expect(&[word])?;
        self.cursor.expect_symbol(&Token::Lt)?;
        let mut elements = vec![self.element(depth)?];
        while elements.len() < N {
            if !self.eat_comma() {
                return self.cursor.unexpected("a comma and the type of the values");
            }
            elements.push(self.element(depth)?);
        }
        self.close()?;
        let elements = elements.try_into();
        Ok(elements.expect("as many elements were read as there are"))
    }

    fn element(&mut self, depth: usize) -> Result<ElementType> {
        let data_type = self.data_type(depth + 1)?;
        let not_null = self.closed == 0 && self.cursor.eat(&["NOT", "NULL"]);
        if !not_null && self.closed == 0 {
            self.cursor.eat(&["NULL"]);
        }
        Ok(ElementType {
            data_type,
            not_null,
        })
    }

    fn eat_comma(&mut self) -> bool {
        self.closed == 0 && self.cursor.eat_symbol(&Token::Comma)
    }

    /// The `>` of a type; two of them without a space between are one token.
    fn close(&mut self) -> Result<()> {
        if let Some(left) = self.closed.checked_sub(1) {
            self.closed = left;
        } else if self.cursor.eat_symbol(&Token::ShiftRight) {
            self.closed = 1;
        } else if !self.cursor.eat_symbol(&Token::Gt) {
            return self.cursor.unexpected(", or >");
        }
        Ok(())
    }
}

const TOO_DEEP: &str = "types are nested more than 32 deep";
const FLATTER: &str = "declare the inner part as STRING";

/// Reads a type that is not made of others.
fn plain(cursor: &mut Cursor) -> Result<DataType> {
    let location = cursor.location();
    let Some(word) = cursor.word() else {
        return cursor.unexpected("a type");
    };
    if NOT_YET.contains(&word.as_str()) {
        return Err(not_yet(cursor, &word));
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

fn not_yet(cursor: &Cursor, word: &str) -> Failure {
    let message = format!("the type {word} is not supported yet");
    let failure = Failure::new(cursor.location(), message);
    match word {
        "MULTISET" => failure.with_hint("use MAP<…, INT> or ARRAY<…>"),
        "STRUCT" => failure.with_hint("Flink's word is ROW"),
        _ => failure,
    }
}

/// `TIMESTAMP(3) WITH TIME ZONE`: Flink has no such columns either.
fn refuse_time_zone(cursor: &mut Cursor, word: &str) -> Result<()> {
    let location = cursor.location();
    let parser = cursor.parser();
    let has_precision = parser.peek_nth_token_ref(1).token == Token::LParen;
    let behind = parser.peek_nth_token_ref(if has_precision { 4 } else { 1 });
    if super::is_word(&behind.token, "WITH") {
        let message = format!("the type {word} WITH TIME ZONE is not supported");
        let instead = "TIMESTAMP_LTZ(3) is an instant, shown in the time zone of the program";
        return Err(Failure::new(location, message).with_hint(instead));
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
            Some("types with a time zone are not supported: use TIMESTAMP_LTZ(3)".into())
        }
        T::Custom(name, precision) if is_instant(&name.to_string()) && precision.len() <= 1 => None,
        T::Array(_) | T::Map(..) | T::Interval { .. } => {
            Some(format!("the type {data_type} is not supported yet"))
        }
        other => Some(format!("{other} is not a type of Flink SQL")),
    }
}

/// Whether a type is `TIMESTAMP_LTZ`.
pub(in crate::sql) fn is_instant(name: &str) -> bool {
    name.eq_ignore_ascii_case("TIMESTAMP_LTZ")
}
