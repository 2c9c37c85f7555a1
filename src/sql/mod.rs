//! Flink SQL text to a checked plan.
