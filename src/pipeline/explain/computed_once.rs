//! What `EXPLAIN` shows of expressions: which of their parts an operator computes once.

use std::fmt::{self, Write as _};

use crate::expr::{Expression, SharedParts};
use crate::plan::{Dataflow, Node, NodeKind};

/// What nodes compute once though they need it several times, if any does.
pub(super) fn write(dataflow: &Dataflow, text: &mut String) -> fmt::Result {
    let mut title = "\n== Computed once ==\n";
    for node in &dataflow.nodes {
        for part in shared_parts(dataflow, node) {
            let name = part.field().name();
            writeln!(
                text,
                "{}#{}: {name} = {part}",
                std::mem::take(&mut title),
                node.id
            )?;
        }
    }
    Ok(())
}

fn shared_parts(dataflow: &Dataflow, node: &Node) -> Vec<Expression> {
    let input = node.inputs.first();
    let input = input.map(|input| &dataflow.nodes[input.0 as usize].schema);
    let parts =
        |expressions: &[Expression], input| SharedParts::of(expressions, input).parts().to_vec();
    match (&node.kind, input) {
        (
            NodeKind::Source {
                columns, decoded, ..
            },
            _,
        ) => parts(columns, decoded),
        (NodeKind::Project { columns }, Some(input)) => parts(columns, input),
        (NodeKind::Filter { predicate }, Some(input)) => {
            parts(std::slice::from_ref(predicate), input)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{SourceFile, compile};

    use super::*;

    /// What is computed once of the columns of a query.
    fn shared(select: &str) -> Vec<String> {
        let file = SourceFile {
            name: "shared.sql".to_owned(),
            text: format!(
                "CREATE TABLE t (x STRING, a INT, b INT) WITH ('connector' = 'x'); SELECT {select} FROM t;"
            ),
        };
        let dataflow = compile(&[file], &|_| None).unwrap().dataflow;
        let nodes = dataflow.nodes.iter();
        let parts = nodes.flat_map(|node| shared_parts(&dataflow, node));
        parts.map(|part| part.to_string()).collect()
    }

    #[test]
    fn what_each_row_needs_several_times_is_computed_once() {
        for (select, expected) in [
            ("UPPER(x), LOWER(x)", &[][..]),
            ("UPPER(x) || 'a', UPPER(x) || 'b'", &["upper(x@0)"]),
            // The larger of two parts that hold each other, and the smaller if others need it.
            (
                "REVERSE(UPPER(x)) || 'a', REVERSE(UPPER(x)) || 'b'",
                &["reverse(upper(x@0))"],
            ),
            (
                "REVERSE(UPPER(x)) || 'a', REVERSE(UPPER(x)) || 'b', UPPER(x) || 'c'",
                &["upper(x@0)", "reverse($once0@1)"],
            ),
            // In one expression.
            ("UPPER(x) = 'A' OR UPPER(x) = 'B'", &["upper(x@0)"]),
            // A random number is another one each time, but what stands beside it is not.
            ("RAND() + 1, RAND() + 1", &[]),
            ("UUID() || UPPER(x), UUID() || UPPER(x)", &["upper(x@0)"]),
        ] {
            assert_eq!(shared(select), expected, "{select}");
        }
    }

    #[test]
    fn what_is_behind_a_condition_stays_there() {
        for (select, expected) in [
            (
                "CASE WHEN b <> 0 THEN a / b END, CASE WHEN b > 0 THEN a / b END",
                &[][..],
            ),
            ("CASE WHEN b <> 0 THEN a / b ELSE a / b + 1 END", &[]),
            ("b <> 0 AND a / b > 1, b > 0 AND a / b > 1", &[]),
            ("b = 0 OR a / b > 1, b < 1 OR a / b > 1", &[]),
            ("COALESCE(a, a / b), COALESCE(b, a / b)", &[]),
            ("IF(b = 0, 0, a / b), IF(b = 0, 1, a / b)", &["b@1 = 0"]),
            // One of them is there in any case, before or after the others.
            ("CASE WHEN b <> 0 THEN a / b END, a / b", &["a@0 / b@1"]),
            ("a / b, CASE WHEN b <> 0 THEN a / b END", &["a@0 / b@1"]),
            // The first condition is looked at for each row, the second is not.
            (
                "CASE WHEN a / b > 1 THEN 1 END, CASE WHEN a / b > 2 THEN 1 END",
                &["a@0 / b@1"],
            ),
            (
                "CASE WHEN a > 1 THEN 0 WHEN a / b > 1 THEN 1 END, CASE WHEN a > 2 THEN 0 WHEN a / b > 2 THEN 1 END",
                &[],
            ),
            ("a IN (b, a / b), a + 1 IN (b, a / b)", &[]),
        ] {
            assert_eq!(shared(select), expected, "{select}");
        }
    }
}
