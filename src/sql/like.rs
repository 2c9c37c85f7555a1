//! `LIKE`: a table's definition put together with the one that it is like.

use datafusion_sql::sqlparser::ast::Ident;

use super::diagnose::span_of;
use super::statement::{
    ColumnDefinition, ColumnDefinitionKind, CreateTable, Like, LikePart, Merging,
};
use crate::plan::{Diagnostic, Span};

/// The definition of `own`, which says `like`, with what it takes over from `base`.
///
/// # Errors
/// All parts that both tables have where only one may.
pub(super) fn merged(
    own: CreateTable,
    like: &Like,
    base: &CreateTable,
    statement: Span,
) -> Result<CreateTable, Vec<Diagnostic>> {
    let mut merge = Merge {
        like,
        statement,
        errors: Vec::new(),
    };
    let table = merge.tables(own, base);
    if merge.errors.is_empty() {
        Ok(table)
    } else {
        Err(merge.errors)
    }
}

struct Merge<'a> {
    like: &'a Like,
    statement: Span,
    errors: Vec<Diagnostic>,
}

impl Merge<'_> {
    fn tables(&mut self, mut own: CreateTable, base: &CreateTable) -> CreateTable {
        let mut columns: Vec<ColumnDefinition> = base
            .columns
            .iter()
            .filter(|column| part_of(&column.kind).is_none_or(|part| self.takes_over(part)))
            .cloned()
            .collect();
        for column in std::mem::take(&mut own.columns) {
            self.add(column, &mut columns);
        }
        own.columns = columns;
        if self.takes_over(LikePart::Constraints) && !base.primary_key.is_empty() {
            if let Some(own) = own.primary_key.first() {
                self.refuse(own, "a primary key", "CONSTRAINTS", false);
            } else {
                own.primary_key.clone_from(&base.primary_key);
            }
        }
        if self.takes_over(LikePart::Watermarks)
            && let Some(watermark) = &base.watermark
        {
            match &own.watermark {
                None => own.watermark = Some(watermark.clone()),
                Some(own) if self.merging(LikePart::Watermarks) != Merging::Overwriting => {
                    self.refuse(&own.column, "a watermark", "WATERMARKS", true);
                }
                Some(_) => {}
            }
        }
        if self.takes_over(LikePart::Distribution) && base.distribution.is_some() {
            if own.distribution.is_some() {
                let table = self.like.table.clone();
                self.refuse(&table, "a distribution", "DISTRIBUTION", false);
            } else {
                own.distribution.clone_from(&base.distribution);
            }
        }
        if self.takes_over(LikePart::Partitions) && !base.partition_keys.is_empty() {
            if let Some(own) = own.partition_keys.first() {
                self.refuse(own, "partitions", "PARTITIONS", false);
            } else {
                own.partition_keys.clone_from(&base.partition_keys);
            }
        }
        self.options(&mut own, base);
        own.like = None;
        own
    }

    /// What is done with a part: what is said of it, else of all, else Flink's default.
    fn merging(&self, part: LikePart) -> Merging {
        let said = |wanted: LikePart| {
            let mut parts = self.like.parts.iter();
            parts
                .find(|(part, _)| *part == wanted)
                .map(|(_, merging)| *merging)
        };
        said(part)
            .or_else(|| said(LikePart::All))
            .unwrap_or(match part {
                LikePart::Options => Merging::Overwriting,
                _ => Merging::Including,
            })
    }

    fn takes_over(&self, part: LikePart) -> bool {
        self.merging(part) != Merging::Excluding
    }

    /// A column behind those taken over, or in the place of one of them.
    fn add(&mut self, column: ColumnDefinition, columns: &mut Vec<ColumnDefinition>) {
        let known = columns
            .iter_mut()
            .find(|known| known.name.value == column.name.value);
        let Some(known) = known else {
            columns.push(column);
            return;
        };
        match (part_of(&column.kind), part_of(&known.kind)) {
            (Some(part), Some(other)) if part == other => {
                if self.merging(part) == Merging::Overwriting {
                    *known = column;
                } else {
                    let word = if part == LikePart::Generated {
                        "GENERATED"
                    } else {
                        "METADATA"
                    };
                    let what = format!("a column {}", column.name.value);
                    self.refuse(&column.name, &what, word, true);
                }
            }
            _ => {
                let message = format!(
                    "the table {} has a column {} already",
                    self.like.table.value, column.name.value
                );
                self.errors.push(
                    Diagnostic::new(span_of(&column.name, self.statement), message)
                        .with_hint("a column is taken over as it is: give this one another name"),
                );
            }
        }
    }

    /// The options of the other table before the table's own.
    fn options(&mut self, own: &mut CreateTable, base: &CreateTable) {
        if !self.takes_over(LikePart::Options) {
            return;
        }
        let overwrites = self.merging(LikePart::Options) == Merging::Overwriting;
        let mut options = base.options.clone();
        for (key, option) in std::mem::take(&mut own.options) {
            if !overwrites && options.contains_key(&key) {
                let message = format!(
                    "the table {} has an option '{key}' already",
                    self.like.table.value
                );
                self.errors
                    .push(Diagnostic::new(option.span, message).with_hint(
                    "write OVERWRITING OPTIONS to replace it, or EXCLUDING OPTIONS to start anew",
                ));
            }
            options.insert(key, option);
        }
        own.options = options;
    }

    fn refuse(&mut self, at: &Ident, what: &str, part: &str, may_overwrite: bool) {
        let message = format!("the table {} has {what} already", self.like.table.value);
        let hint = if may_overwrite {
            format!("write OVERWRITING {part} to replace it, or EXCLUDING {part} to leave it out")
        } else {
            format!("write EXCLUDING {part} to leave that one out")
        };
        self.errors
            .push(Diagnostic::new(span_of(at, self.statement), message).with_hint(hint));
    }
}

/// The part of a table that a column belongs to; `None` for one that is always taken over.
fn part_of(kind: &ColumnDefinitionKind) -> Option<LikePart> {
    match kind {
        ColumnDefinitionKind::Physical { .. } => None,
        ColumnDefinitionKind::Metadata { .. } => Some(LikePart::Metadata),
        ColumnDefinitionKind::Computed(_) => Some(LikePart::Generated),
    }
}
