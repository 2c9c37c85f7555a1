//! `LIKE other (INCLUDING …, EXCLUDING …, OVERWRITING …)`: how it is written.

use datafusion_sql::sqlparser::tokenizer::Token;

use super::cursor::{Cursor, Failure, Result};
use crate::sql::statement::{Like, LikePart, Merging};

/// The words for what is done, and for what it is done with.
const MERGINGS: &[(&str, Merging)] = &[
    ("INCLUDING", Merging::Including),
    ("EXCLUDING", Merging::Excluding),
    ("OVERWRITING", Merging::Overwriting),
];
const PARTS: &[(&str, LikePart)] = &[
    ("ALL", LikePart::All),
    ("CONSTRAINTS", LikePart::Constraints),
    ("DISTRIBUTION", LikePart::Distribution),
    ("GENERATED", LikePart::Generated),
    ("METADATA", LikePart::Metadata),
    ("OPTIONS", LikePart::Options),
    ("PARTITIONS", LikePart::Partitions),
    ("WATERMARKS", LikePart::Watermarks),
];

/// Reads the clause if it is there.
pub(super) fn like(cursor: &mut Cursor) -> Result<Option<Like>> {
    if !cursor.eat(&["LIKE"]) {
        return Ok(None);
    }
    let mut like = Like {
        table: cursor.table_name("the table that this one is like")?,
        parts: Vec::new(),
    };
    if !cursor.eat_symbol(&Token::LParen) {
        return Ok(Some(like));
    }
    while !cursor.eat_symbol(&Token::RParen) {
        let at = cursor.location();
        let merging = one_of(cursor, MERGINGS)?;
        let part = one_of(cursor, PARTS)?;
        if like.parts.iter().any(|(known, _)| *known == part) {
            return Err(Failure::new(at, "this part of the table is named twice")
                .with_hint("say once what is done with it"));
        }
        let is_whole = !matches!(
            part,
            LikePart::Generated | LikePart::Metadata | LikePart::Options | LikePart::Watermarks
        );
        if merging == Merging::Overwriting && is_whole {
            let message = "OVERWRITING goes with GENERATED, METADATA, OPTIONS and WATERMARKS only";
            return Err(Failure::new(at, message).with_hint("write INCLUDING or EXCLUDING"));
        }
        like.parts.push((part, merging));
    }
    Ok(Some(like))
}

fn one_of<T: Copy>(cursor: &mut Cursor, words: &[(&str, T)]) -> Result<T> {
    if let Some((_, value)) = words.iter().find(|(word, _)| cursor.eat(&[word])) {
        return Ok(*value);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    cursor.unexpected(&format!("one of {}", words.join(", ")))
}
