//! Flink SQL text to a checked plan.

mod program;
mod statement;

/// One file of a program.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The name that messages give it.
    pub name: String,
    /// Its text.
    pub text: String,
}
