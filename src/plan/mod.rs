//! The checked plan of a program: tables, and the dataflow between them.
//!
//! It knows expressions and types, not how anything is run; `sql/` makes it,
//! `pipeline/build` turns it into tasks.

mod dataflow;
mod diagnostic;
mod explain;
mod merged_windows;
mod scan;
mod sharing;
mod sql_type;
mod table;

pub use dataflow::{Dataflow, Explained, Node, NodeKind, Program, Window, WindowInput};
pub use diagnostic::Diagnostic;
pub use merged_windows::with_merged_windows;
pub use sharing::shared;
pub use sql_type::{column_type_name, type_name};
pub use table::{
    Column, ColumnKind, Distribution, DistributionKind, LATE_ROWS, Metadata, Span, Table,
    TableOption, WatermarkSpec,
};
