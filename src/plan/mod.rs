//! The checked plan of a program: tables, and the dataflow between them.
//!
//! It knows expressions and types, not how anything is run; `sql/` makes it,
//! `pipeline/build` turns it into tasks.

mod dataflow;
mod diagnostic;
mod table;

pub use dataflow::{Dataflow, Node, NodeKind, Program, Window, WindowInput};
pub use diagnostic::Diagnostic;
pub use table::{Column, ColumnKind, Span, Table, TableOption, WatermarkSpec};
