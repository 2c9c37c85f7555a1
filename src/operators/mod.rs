//! The relational operators: one a file, without any input or output of its own.

mod accumulator_pool;
mod by_range;
mod changelog_normalize;
mod clock_windows;
#[cfg(test)]
mod collected;
mod event_time;
mod expand;
mod filter;
mod group_aggregate;
mod late_rows;
#[cfg(test)]
mod model_rows;
mod not_null;
mod project;
mod retracting_window_aggregate;
#[cfg(test)]
mod retracting_window_model;
mod row_errors;
mod session_aggregate;
#[cfg(test)]
mod session_model;
mod sessions;
mod slice_rows;
mod unnest;
mod updating_window_aggregate;
#[cfg(test)]
mod updating_window_model;
mod updating_windows;
mod window;
mod window_aggregate;
mod window_assign;
mod window_firing;
#[cfg(test)]
mod window_model;
mod window_pre_aggregate;
mod window_state;
mod windows_of_row;

pub use by_range::ByRange;
pub use changelog_normalize::ChangelogNormalize;
pub use clock_windows::ClockWindows;
pub use event_time::EventTimes;
pub use expand::Expand;
pub use filter::Filter;
pub use group_aggregate::{GroupAggregate, MiniBatch, Spec as GroupAggregateSpec};
pub use late_rows::LateRows;
pub use not_null::NotNull;
pub use project::Project;
pub use retracting_window_aggregate::{
    RetractingWindowAggregate, Spec as RetractingWindowAggregateSpec,
};
pub use session_aggregate::{SessionAggregate, Spec as SessionAggregateSpec};
pub use unnest::Unnest;
pub use updating_window_aggregate::{
    Firing, Spec as UpdatingWindowAggregateSpec, UpdatingWindowAggregate,
};
pub use window::Slicing;
pub use window_aggregate::{Input, Spec as WindowAggregateSpec, WindowAggregate};
pub use window_assign::WindowAssign;
pub use window_pre_aggregate::WindowPreAggregate;
pub use window_state::WindowFold;
pub use windows_of_row::WindowsOfRow;
