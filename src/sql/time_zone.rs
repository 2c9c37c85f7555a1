//! The time zone of a program: in which instants are shown, and local times are meant.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};

use super::statement::{ParsedStatement, Statement};
use crate::formats::is_time_zone;
use crate::plan::{Diagnostic, Span};

/// The setting, with Flink's name.
pub const KEY: &str = "table.local-time-zone";

/// A time zone that exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeZone(Arc<str>);

impl Default for TimeZone {
    fn default() -> Self {
        Self("UTC".into())
    }
}

impl TimeZone {
    /// The zone that is `given`, or else that the statements set, the last one for all of them.
    ///
    /// # Errors
    /// If there is no such zone.
    pub(super) fn of(
        given: Option<&str>,
        statements: &[ParsedStatement],
    ) -> Result<Self, Diagnostic> {
        if let Some(name) = given {
            return Self::named(name, Span::default());
        }
        let settings = statements.iter().rev();
        let mut zones = settings.filter_map(|parsed| match &parsed.statement {
            Statement::Set { key, value } if key == KEY => Some((value, parsed.span)),
            _ => None,
        });
        zones
            .next()
            .map_or(Ok(Self::default()), |(name, span)| Self::named(name, span))
    }

    /// `default` is UTC, wherever the program runs.
    fn named(name: &str, span: Span) -> Result<Self, Diagnostic> {
        let offset = ["GMT", "UTC"]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix));
        let name = match offset {
            _ if name == "default" => "UTC",
            Some("") | None => name,
            Some(offset) => offset,
        };
        if !is_time_zone(name) {
            let message = format!("there is no time zone {name}");
            return Err(Diagnostic::new(span, message)
                .with_hint("write a name such as 'Europe/Berlin', or an offset such as '+02:00'"));
        }
        Ok(Self(if name == "Z" { "UTC" } else { name }.into()))
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// The type of instants that are shown in this zone.
    pub(super) fn instants(&self, unit: TimeUnit) -> DataType {
        DataType::Timestamp(unit, Some(Arc::clone(&self.0)))
    }
}
