//! Programs to what is wrong with them.

use super::{check_goldens, compile_text};

#[test]
fn errors() {
    check_goldens("errors.txt", include_str!("errors.txt"), 40, |program| {
        let Err(errors) = compile_text(program) else {
            return "no error".to_owned();
        };
        let lines = errors.iter().map(|error| {
            let hint = error.hint.as_ref().map(|hint| format!("\n  hint: {hint}"));
            format!(
                "{}: {}{}",
                error.span,
                error.message,
                hint.unwrap_or_default()
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    });
}
