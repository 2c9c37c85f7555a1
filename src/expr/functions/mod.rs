//! Scalar functions whose meaning in Flink is not that of the query library's.

mod choice;
mod clock;
mod kernel;
mod length;
mod nested;
mod numeric;
mod regular;
mod temporal;
mod text;
mod zone;

pub use choice::{greatest, least};
pub use clock::{PROCTIME, proctime};
pub use length::{pad_to, trim_to};
pub use nested::{cardinality, field, item};
pub use numeric::{decimal_divide, decimal_multiply, narrow};
pub use regular::{check_regex, regexp_extract, regexp_replace};
pub use temporal::{check_date_pattern, date_format, extract, is_extract_field};
pub use text::{concat, split_index, substring, to_text, whole_part};
pub use zone::{instant, local_time};
