//! The `thalweg` binary: hands its arguments to the library's command line.

use std::process::ExitCode;

/// It also takes the place of C's `malloc`: a Kafka client makes each record on one thread
/// and frees it on another, and a job between topics takes a sixth less CPU with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    thalweg::cli::main(std::env::args_os())
}
