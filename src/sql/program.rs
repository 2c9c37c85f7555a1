//! Statements to a program.

use std::collections::BTreeMap;

use super::statement::ParsedStatement;
use crate::plan::{Dataflow, Diagnostic, Program};

/// The program of these statements.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn plan(_statements: Vec<ParsedStatement>) -> Result<Program, Vec<Diagnostic>> {
    Ok(Program {
        settings: BTreeMap::new(),
        dataflow: Dataflow::default(),
        explains: Vec::new(),
    })
}
