//! Which partitions of a table a dataflow wants no row of, so that its source need not look at
//! them.
//!
//! The conditions stay where they are, and the plan knows nothing of it: what a source leaves out
//! would not have got past them. A condition counts as far as it looks at columns of `PARTITIONED
//! BY` alone and says the same each time; one that fails keeps the partition, so that its rows
//! fail where they did.

use std::fmt;
use std::sync::Arc;

use crate::expr::Expression;
use crate::plan::{Dataflow, Node, NodeKind};
use crate::runtime::PartitionFilter;

/// What is asked of the columns by which the table of a source is partitioned: a condition over
/// these columns.
#[derive(Clone, Debug)]
pub(super) struct WantedPartitions(Expression);

impl WantedPartitions {
    /// What is asked of the partitions of the source at `node`, if anything is.
    pub(super) fn of(dataflow: &Dataflow, node: &Node) -> Option<Self> {
        let NodeKind::Source {
            table,
            decoded,
            columns,
            ..
        } = &node.kind
        else {
            return None;
        };
        let place_of = |name: &String| table.partition_keys.iter().position(|key| key == name);
        let places = decoded.fields().iter().map(|field| place_of(field.name()));
        let places: Vec<_> = places.collect();
        let moved: Vec<_> = places.iter().map(|place| place.unwrap_or(0)).collect();
        let of_partitions = |conditions: Vec<Expression>| {
            let own = conditions.into_iter().filter(|condition| {
                let mut columns = condition.columns().into_iter();
                columns.all(|column| places[column].is_some()) && !condition.is_volatile()
            });
            Expression::all_of(own.map(|condition| condition.rebased(&moved)))
        };
        if table.partition_keys.is_empty() {
            return None;
        }
        let mut readers = Vec::new();
        find(dataflow, node, columns, &mut readers)?;
        let asked: Option<Vec<_>> = readers.into_iter().map(of_partitions).collect();
        Expression::any_of(asked?).map(Self)
    }

    /// Whether a partition may have rows that are wanted, given a row of its columns.
    pub(super) fn filter(self) -> PartitionFilter {
        Arc::new(move |row| {
            let holds = self.0.evaluate_condition(row);
            holds.map_or(true, |holds| holds.iter().any(|holds| holds == Some(true)))
        })
    }
}

/// The conditions of everyone who reads the rows of `node`, whose columns are computed as
/// `columns` says; `None` if somebody has none.
fn find(
    dataflow: &Dataflow,
    node: &Node,
    columns: &[Expression],
    found: &mut Vec<Vec<Expression>>,
) -> Option<()> {
    let readers = dataflow.nodes.iter();
    for reader in readers.filter(|reader| reader.inputs.contains(&node.id)) {
        match &reader.kind {
            NodeKind::Filter { predicate } => {
                let parts = predicate.conjunction().into_iter();
                found.push(parts.map(|part| part.composed(columns)).collect());
            }
            NodeKind::Project { columns: own } => {
                let own: Vec<_> = own.iter().map(|column| column.composed(columns)).collect();
                find(dataflow, reader, &own, found)?;
            }
            _ => return None,
        }
    }
    Some(())
}

impl fmt::Display for WantedPartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};

    use crate::plan::shared;
    use crate::sql::{SourceFile, compile};

    use super::*;

    const TABLES: &str = "CREATE TABLE t (v INT, day STRING, h INT, late AS h + 1) PARTITIONED BY (day, h) WITH ('connector' = 'x');
        CREATE TABLE s (v INT) WITH ('connector' = 'x');";

    /// What is asked of the partitions of the first source.
    fn of(text: &str) -> Option<WantedPartitions> {
        let file = SourceFile {
            name: "partitions.sql".to_owned(),
            text: format!("{TABLES} {text};"),
        };
        let dataflow = shared(&compile(&[file], &|_| None).unwrap().dataflow);
        WantedPartitions::of(&dataflow, &dataflow.nodes[0])
    }

    #[test]
    fn a_partition_is_wanted_unless_its_rows_would_be_refused() {
        let row = |hour: Option<i32>| {
            let day: ArrayRef = Arc::new(StringArray::from(vec![Some("x")]));
            let hour: ArrayRef = Arc::new(Int32Array::from(vec![hour]));
            RecordBatch::try_from_iter_with_nullable([("day", day, true), ("h", hour, true)])
                .unwrap()
        };
        let text = "SELECT v FROM t WHERE 10 / h > 1";
        let wanted = of(text).unwrap().filter();
        let hours = [Some(5), Some(10), None, Some(0)];
        // A division by zero is an error of the partition's rows, which somebody has to see.
        assert_eq!(
            hours.map(|hour| wanted(&row(hour))),
            [true, false, false, true]
        );
    }

    #[test]
    fn conditions_on_partitions_are_found() {
        for (text, expected) in [
            ("SELECT v FROM t", None),
            ("SELECT v FROM t WHERE v > 1", None),
            ("SELECT v FROM t WHERE day = 'x' OR v > 1", None),
            ("SELECT v FROM t WHERE day = 'x'", Some("day@0 = 'x'")),
            (
                "SELECT v FROM t WHERE v > 1 AND day = 'x' AND h + 1 > 2",
                Some("day@0 = 'x' AND h@1 + 1 > 2"),
            ),
            // A computed column is what it is computed of.
            ("SELECT v FROM t WHERE late > 2", Some("h@1 + 1 > 2")),
            (
                "SELECT v FROM t WHERE (h = 1 OR h = 2) AND day > 'x'",
                Some("(h@1 = 1 OR h@1 = 2) AND day@0 > 'x'"),
            ),
            (
                "SELECT v FROM (SELECT v, h * 2 AS d FROM t) WHERE d IS NULL",
                Some("h@1 * 2 IS NULL"),
            ),
            // What may come out different the next time says nothing of a file for ever.
            (
                "SELECT v FROM t WHERE day < DATE_FORMAT(NOW(), 'yyyy-MM-dd')",
                None,
            ),
            ("SELECT v FROM t WHERE RAND_INTEGER(h) = 1", None),
            // Of two readers either may want a row.
            (
                "INSERT INTO s SELECT v FROM t WHERE day = 'x'; INSERT INTO s SELECT v FROM t WHERE h = 1 AND day = 'y'",
                Some("day@0 = 'x' OR h@1 = 1 AND day@0 = 'y'"),
            ),
            (
                "INSERT INTO s SELECT v FROM t WHERE day = 'x'; INSERT INTO s SELECT v FROM t",
                None,
            ),
            (
                "INSERT INTO s SELECT v FROM t WHERE day = 'x'; INSERT INTO s SELECT v FROM t WHERE v = 1",
                None,
            ),
        ] {
            let found = of(text).map(|wanted| wanted.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
