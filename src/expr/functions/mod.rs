//! Scalar functions whose meaning in Flink is not that of the query library's.

mod choice;
mod kernel;
mod numeric;
mod temporal;
mod text;

pub use choice::{greatest, least};
pub use numeric::{decimal_divide, narrow};
pub use temporal::{date_format, extract};
pub use text::{concat, regexp_extract, split_index, substring, to_text};
