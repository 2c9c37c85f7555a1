//! Flink SQL text to a checked plan.

mod aggregates;
mod arithmetic;
mod catalog;
mod conversion;
mod data_type;
mod diagnose;
mod functions;
mod lower;
mod lower_aggregate;
#[cfg(test)]
mod plan_tests;
mod program;
mod query;
mod relation;
mod select_names;
mod statement;
mod typing;
mod window_arguments;
mod window_function;

pub(crate) use program::plan;
