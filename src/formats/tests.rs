//! What every format must do, as tables of records and rows.
