//! Whether the metadata columns of a table are what its connector has.

use crate::connectors::{self, MetadataDoc};
use crate::plan::{Diagnostic, Table, type_name};

/// What is done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    Written,
}

/// Everything that is wrong with the metadata columns of `table`.
pub(super) fn check_metadata(table: &Table, used: Use) -> Vec<Diagnostic> {
    let connector = table.option("connector").unwrap_or_default();
    let Some(known) = connectors::metadata_of(connector) else {
        // That is said elsewhere.
        return Vec::new();
    };
    let usable: Vec<_> = known
        .iter()
        .filter(|doc| used == Use::Read || doc.is_writable)
        .collect();
    let mut errors = Vec::new();
    for (field, metadata) in table.metadata() {
        if used == Use::Written && metadata.is_virtual {
            continue;
        }
        let (name, key) = (field.name(), &metadata.key);
        let declared = type_name(field.data_type());
        let (message, hint) = match usable.iter().find(|doc| doc.key == key) {
            None => (
                format!("invalid metadata key '{key}' in column {name}"),
                list(&usable, connector, used),
            ),
            // An instant may be read as what a clock in UTC shows.
            Some(doc) if doc.data_type.replace("_LTZ", "") != declared.replace("_LTZ", "") => (
                format!(
                    "the metadata '{key}' in column {name} is of type {}, not {declared}",
                    doc.data_type
                ),
                "declare it so, and compute a column AS CAST(…) of it".to_owned(),
            ),
            Some(doc) if doc.is_nullable && !field.is_nullable() => (
                format!("the metadata '{key}' in column {name} may be NULL"),
                "leave NOT NULL out".to_owned(),
            ),
            Some(_) => continue,
        };
        errors.push(Diagnostic {
            span: metadata.span,
            message: format!("table {}: {message}", table.name),
            hint: Some(hint),
        });
    }
    errors
}

/// What there is instead.
fn list(docs: &[&MetadataDoc], connector: &str, used: Use) -> String {
    let (can_be, way_out) = match used {
        Use::Read => ("read", ""),
        Use::Written => (
            "written",
            "; a column that is only read is declared VIRTUAL",
        ),
    };
    if docs.is_empty() {
        return format!("connector '{connector}' has no metadata that can be {can_be}{way_out}");
    }
    let docs = docs
        .iter()
        .map(|doc| format!("'{}' {}", doc.key, doc.data_type));
    let docs = docs.collect::<Vec<_>>().join(", ");
    format!("connector '{connector}' has metadata that can be {can_be}: {docs}{way_out}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::pipeline::compile;
    use crate::sql::SourceFile;

    /// What is wrong with a table of a number and `columns` that is read, and written if
    /// `program` does so.
    fn errors(connector: &str, columns: &str, program: &str) -> Vec<String> {
        let text = format!(
            "CREATE TABLE t (n BIGINT,\n{columns}) WITH ({connector}, 'format' = 'json');\n{program}"
        );
        let file = SourceFile {
            name: "case.sql".to_owned(),
            text,
        };
        let compiled = compile(&[file], &BTreeMap::new());
        let errors = compiled.err().unwrap_or_default().into_iter();
        let lines = errors.map(|error| {
            let hint = error.hint.map(|hint| format!("; {hint}"));
            format!(
                "{}: {}{}",
                error.span,
                error.message,
                hint.unwrap_or_default()
            )
        });
        lines.collect()
    }

    const KAFKA: &str = "'connector' = 'kafka', 'topic' = 't', \
        'properties.bootstrap.servers' = 'localhost:9', 'properties.group.id' = 'g'";
    const ALL: &str = "topic STRING METADATA VIRTUAL, p INT METADATA FROM 'partition' VIRTUAL,
        `offset` BIGINT METADATA VIRTUAL, at TIMESTAMP(3) METADATA FROM 'timestamp',
        `timestamp-type` STRING METADATA VIRTUAL, e INT METADATA FROM 'leader-epoch' VIRTUAL,
        headers MAP<STRING, BYTES> METADATA";

    #[test]
    fn what_a_connector_has_can_be_declared() {
        let none = [] as [&str; 0];
        assert_eq!(errors(KAFKA, ALL, "SELECT * FROM t"), none);
        let copy = "INSERT INTO t SELECT n, at, headers FROM t";
        assert_eq!(errors(KAFKA, ALL, copy), none);
    }

    #[test]
    fn what_it_does_not_have_is_refused_at_its_column() {
        for (columns, expected) in [
            (
                "x INT METADATA",
                "2:1: table t: invalid metadata key 'x' in column x; connector 'kafka' has \
                 metadata that can be read: 'topic' STRING, 'partition' INT, 'offset' BIGINT, \
                 'timestamp' TIMESTAMP_LTZ(3), 'timestamp-type' STRING, 'leader-epoch' INT, 'key' BYTES, \
                 'headers' MAP<STRING, BYTES>",
            ),
            (
                "x INT METADATA FROM 'offset'",
                "2:1: table t: the metadata 'offset' in column x is of type BIGINT, not INT; \
                 declare it so, and compute a column AS CAST(…) of it",
            ),
            (
                "x INT NOT NULL METADATA FROM 'leader-epoch'",
                "2:1: table t: the metadata 'leader-epoch' in column x may be NULL; leave NOT \
                 NULL out",
            ),
        ] {
            assert_eq!(errors(KAFKA, columns, "SELECT n FROM t"), [expected]);
        }
    }

    #[test]
    fn what_cannot_be_written_must_be_virtual() {
        let column = "o BIGINT METADATA FROM 'offset'";
        let write = "CREATE TABLE s (n BIGINT) WITH ('connector' = 'datagen');
            INSERT INTO t SELECT n, n FROM s";
        assert_eq!(
            errors(KAFKA, column, write),
            [
                "2:1: table t: invalid metadata key 'offset' in column o; connector 'kafka' has \
                 metadata that can be written: 'timestamp' TIMESTAMP_LTZ(3), 'headers' MAP<STRING, \
                 BYTES>; a column that is only read is declared VIRTUAL"
            ]
        );
        assert_eq!(errors(KAFKA, column, "SELECT o FROM t"), [] as [&str; 0]);
    }

    #[test]
    fn other_connectors_have_none() {
        let column = "`offset` BIGINT METADATA";
        let print = "'connector' = 'print'";
        let write = "CREATE TABLE s (n BIGINT) WITH ('connector' = 'datagen');
            INSERT INTO t SELECT n, n FROM s";
        let found = errors(print, column, write);
        assert!(
            found.contains(
                &"2:1: table t: invalid metadata key 'offset' in column offset; connector \
                  'print' has no metadata that can be written; a column that is only read is \
                  declared VIRTUAL"
                    .to_owned()
            ),
            "{found:?}"
        );
        let found = errors("'connector' = 'nobodys'", column, "SELECT n FROM t");
        assert!(
            found.iter().all(|error| !error.contains("metadata")),
            "{found:?}"
        );
    }
}
