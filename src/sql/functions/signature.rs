//! The arguments that a function takes: a letter each.
//!
//! `s` text, `w` text or a number as text, `p` what `PRINTF` prints, `b` bytes, `o` truth value, `i` integer as `BIGINT`, `n` number, `d` number as
//! `DOUBLE`, `t` date or time as the clocks of its zone show it, `T` the same as it is, `l` array, `m` map, `c` array or map, `a` anything but a row, an
//! array or a map, `x` anything, and `*` any number of the one before.

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, Result};
use datafusion_expr::{Expr, ExprSchemable};

use crate::plan::type_name;
use crate::sql::conversion::{as_local, cast_to, explicit_cast};
use crate::sql::diagnose::refusal;
use crate::sql::typing::place_of;

/// The arguments, cast to what the first pattern wants that they fit.
///
/// # Errors
/// If they fit none.
pub(super) fn fitted(
    name: &str,
    patterns: &[&str],
    arguments: Vec<Expr>,
    schema: &DFSchema,
) -> Result<Vec<Expr>> {
    let count = arguments.len();
    let types = arguments.iter().map(|argument| argument.get_type(schema));
    let types = types.collect::<Result<Vec<DataType>>>()?;
    let of_count = || {
        patterns
            .iter()
            .filter_map(|pattern| expanded(pattern, count))
    };
    let misfit_of = |letters: &[char]| {
        let mut places = types.iter().zip(letters);
        places.position(|(own, letter)| !fits(own, *letter))
    };
    if let Some(letters) = of_count().find(|letters| misfit_of(letters).is_none()) {
        let fitted = arguments.into_iter().zip(letters);
        return fitted
            .map(|(argument, letter)| as_letter(argument, letter, schema))
            .collect();
    }
    // The form that fits furthest is the one that is meant.
    let furthest = of_count().filter_map(|letters| misfit_of(&letters)).max();
    let (message, parts) = if let Some(place) = furthest {
        let message = format!("{name} does not take {} here", type_name(&types[place]));
        (message, vec![&arguments[place]])
    } else {
        let message = format!("{name} does not take {count} arguments");
        (message, arguments.iter().collect())
    };
    Err(refusal(message, place_of(&parts), forms(name, patterns)))
}

/// The forms of a function in words; an operator has none.
fn forms(name: &str, patterns: &[&str]) -> Option<String> {
    if !name.starts_with(char::is_alphabetic) {
        return None;
    }
    let form = |pattern: &&str| {
        let (fixed, more) = match pattern.strip_suffix('*') {
            Some(fixed) => (fixed, ", …"),
            None => (*pattern, ""),
        };
        let arguments: Vec<&str> = fixed.chars().map(in_words).collect();
        format!("{name}({}{more})", arguments.join(", "))
    };
    let forms: Vec<String> = patterns.iter().map(form).collect();
    Some(format!("write {}", forms.join(" or ")))
}

fn in_words(letter: char) -> &'static str {
    match letter {
        's' | 'w' => "STRING",
        'b' => "BYTES",
        'o' => "BOOLEAN",
        'i' => "INT",
        'n' | 'd' => "number",
        't' | 'T' => "time",
        'l' => "ARRAY",
        'm' => "MAP",
        'c' => "ARRAY or MAP",
        _ => "value",
    }
}

fn fits(own: &DataType, letter: char) -> bool {
    *own == DataType::Null
        || match letter {
            's' => *own == DataType::Utf8,
            'w' => *own == DataType::Utf8 || own.is_numeric(),
            'b' => *own == DataType::Binary,
            'o' => *own == DataType::Boolean,
            'i' => own.is_integer(),
            'd' | 'n' => own.is_numeric(),
            't' | 'T' => own.is_temporal(),
            'l' => matches!(own, DataType::List(_)),
            'm' => matches!(own, DataType::Map(..)),
            'c' => matches!(own, DataType::List(_) | DataType::Map(..)),
            'a' | 'p' => !own.is_nested(),
            _ => true,
        }
}

/// An argument as a pattern wants it.
fn as_letter(argument: Expr, letter: char, schema: &DFSchema) -> Result<Expr> {
    let wanted = match letter {
        's' => DataType::Utf8,
        'b' => DataType::Binary,
        'o' => DataType::Boolean,
        'i' => DataType::Int64,
        'd' => DataType::Float64,
        // Its parts are those that the clock of its zone shows.
        't' => return as_local(argument, schema),
        'w' => return explicit_cast(argument, &DataType::Utf8, schema),
        // Numbers as they are, and all else as text.
        'p' => match argument.get_type(schema)? {
            integer if integer.is_integer() => DataType::Int64,
            float if float.is_floating() => DataType::Float64,
            DataType::Boolean | DataType::Null => return Ok(argument),
            _ => return explicit_cast(argument, &DataType::Utf8, schema),
        },
        _ => return Ok(argument),
    };
    cast_to(argument, &wanted, schema)
}

/// The letters of a pattern for `count` arguments, if it takes as many.
fn expanded(pattern: &str, count: usize) -> Option<Vec<char>> {
    let Some(fixed) = pattern.strip_suffix('*') else {
        return (pattern.len() == count).then(|| pattern.chars().collect());
    };
    let last = fixed.chars().last()?;
    let letters = fixed.chars().chain(std::iter::repeat(last));
    (count >= fixed.len()).then(|| letters.take(count).collect())
}
