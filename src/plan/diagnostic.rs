//! One error in a program, for its author.

use super::Span;

/// One error in a program, for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub span: Span,
    /// What: lower case, no full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}
