//! The `thalweg` binary: hands its arguments to the library's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    thalweg::cli::main(std::env::args_os())
}
