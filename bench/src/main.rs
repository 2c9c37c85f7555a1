//! What Thalweg costs, measured: one sub-command a benchmark, one line a figure.

mod bids;
mod broker;
mod checkpoint_stall;
mod cost;
mod ends;
mod flink;
mod generator;
mod hot_paths;
mod job;
mod json_codec;
mod kafka;
mod kafka_latency;
mod keyed_state;
mod latency;
mod machine;
mod pipelines;
mod record_codec;
mod recorder;
mod state_bounds;
mod state_commit;
mod state_recovery;
mod state_space;
mod throughput;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use recorder::Recorder;

/// The allocator of the node.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Thalweg; each figure is printed and appended to a file of results.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The folder of the results; a benchmark appends to NAME.jsonl in it.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"))]
    results: PathBuf,
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    StateCommit(state_commit::Arguments),
    StateRecovery(state_recovery::Arguments),
    StateSpace(state_space::Arguments),
    StateBounds(state_bounds::Arguments),
    CheckpointStall(checkpoint_stall::Arguments),
    Latency(latency::Arguments),
    Throughput(throughput::Arguments),
    Kafka(kafka::Arguments),
    KafkaLatency(kafka_latency::Arguments),
    HotPath(hot_paths::Arguments),
    JsonDecode(json_codec::DecodeArguments),
    JsonEncode(json_codec::EncodeArguments),
    /// Events per CPU-second of reading single bids of JSON, Avro and Protobuf
    RecordDecode(json_codec::DecodeArguments),
    /// Events per CPU-second of writing bids as JSON, Avro and Protobuf
    RecordEncode(json_codec::EncodeArguments),
}

fn main() -> Result<()> {
    let Arguments { results, benchmark } = Arguments::parse();
    let recorder = |name: &str| Recorder::new(name, &results);
    match &benchmark {
        Benchmark::StateCommit(arguments) => {
            state_commit::run(arguments, &mut recorder("state-commit")?)
        }
        Benchmark::StateRecovery(arguments) => {
            state_recovery::run(arguments, &mut recorder("state-recovery")?)
        }
        Benchmark::StateSpace(arguments) => {
            state_space::run(arguments, &mut recorder("state-space")?)
        }
        Benchmark::StateBounds(arguments) => {
            state_bounds::run(arguments, &mut recorder("state-bounds")?)
        }
        Benchmark::CheckpointStall(arguments) => {
            checkpoint_stall::run(arguments, &mut recorder("checkpoint-stall")?)
        }
        Benchmark::Latency(arguments) => latency::run(arguments, &mut recorder("latency")?),
        Benchmark::Throughput(arguments) => {
            throughput::run(arguments, &mut recorder("throughput")?)
        }
        Benchmark::Kafka(arguments) => kafka::run(arguments, &mut recorder("kafka")?),
        Benchmark::KafkaLatency(arguments) => {
            kafka_latency::run(arguments, &mut recorder("kafka-latency")?)
        }
        Benchmark::HotPath(arguments) => hot_paths::run(arguments),
        Benchmark::JsonDecode(arguments) => {
            json_codec::decode(arguments, &mut recorder("json-decode")?)
        }
        Benchmark::JsonEncode(arguments) => {
            json_codec::encode(arguments, &mut recorder("json-encode")?)
        }
        Benchmark::RecordDecode(arguments) => {
            record_codec::decode(arguments, &mut recorder("record-decode")?)
        }
        Benchmark::RecordEncode(arguments) => {
            record_codec::encode(arguments, &mut recorder("record-encode")?)
        }
    }
}
