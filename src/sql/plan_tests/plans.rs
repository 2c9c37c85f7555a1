//! Programs to dataflows.

use super::{check_goldens, compile_text};

#[test]
fn dataflows() {
    check_goldens(
        "plans.txt",
        include_str!("plans.txt"),
        25,
        |program| match compile_text(program) {
            Ok(program) => {
                let explained = program.explains.iter().map(ToString::to_string);
                program.dataflow.to_string() + &explained.collect::<String>()
            }
            Err(errors) => format!("{errors:#?}"),
        },
    );
}
