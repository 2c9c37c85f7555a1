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
                let explained = program
                    .explains
                    .iter()
                    .map(|explained| explained.dataflow.to_string());
                program.dataflow.to_string() + &explained.collect::<String>()
            }
            Err(errors) => format!("{errors:#?}"),
        },
    );
}

/// The text of a view is typed once where it is created and once more where it
/// is read: the second time must change nothing.
#[test]
fn a_view_computes_what_its_query_does() {
    let cases = include_str!("expressions.txt").split("\n\n");
    let mut compared = 0;
    for case in cases {
        let Some((expression, answer)) = case.trim().split_once("\n----\n") else {
            continue;
        };
        if answer.starts_with("error") {
            continue;
        }
        let direct = format!("SELECT {expression} AS c, auction FROM bid");
        let viewed = format!("CREATE VIEW v AS {direct}; SELECT c, auction FROM v");
        let explained = |text: &str| compile_text(text).unwrap().dataflow.to_string();
        assert_eq!(explained(&viewed), explained(&direct), "{expression}");
        compared += 1;
    }
    assert!(compared > 60, "only {compared} expressions were compared");
}

#[test]
fn the_last_setting_counts() {
    let program = compile_text(
        "SET 'parallelism.default' = '2'; SET 'pipeline.name' = 'x';\n\
         SET 'parallelism.default' = '3'; SELECT a FROM plain",
    );
    let settings = program.unwrap().settings;
    let values: Vec<(&str, &str, String)> = settings
        .iter()
        .map(|(key, (value, span))| (key.as_str(), value.as_str(), span.to_string()))
        .collect();
    assert_eq!(
        values,
        [
            ("parallelism.default", "3", "2:1".to_owned()),
            ("pipeline.name", "x", "1:34".to_owned()),
        ]
    );
}

#[test]
fn options_of_hints_go_over_those_of_the_table_where_it_is_used() {
    let program = compile_text(
        "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'seed' = '1', 'splits' = '2');\n\
         SELECT a FROM t /*+ OPTIONS('seed' = '3') */ UNION ALL SELECT a FROM t",
    );
    let dataflow = program.unwrap().dataflow;
    let options = dataflow.sources().map(|node| match &node.kind {
        crate::plan::NodeKind::Source { table, .. } => ["seed", "splits"].map(|key| {
            let option = table.options.get(key).unwrap();
            format!("{} {}", option.value, option.span)
        }),
        other => panic!("{other:?}"),
    });
    let options: Vec<_> = options.collect();
    assert_eq!(
        options,
        [["3 2:29", "2 1:69"], ["1 1:55", "2 1:69"]].map(|pair| pair.map(str::to_owned))
    );
}

#[test]
fn sources_and_sinks() {
    let program = compile_text("INSERT INTO sink SELECT auction, channel FROM bid").unwrap();
    let ids = |nodes: Vec<&crate::plan::Node>| -> Vec<u32> {
        nodes.iter().map(|node| node.id.0).collect()
    };
    assert_eq!(ids(program.dataflow.sources().collect()), [0]);
    assert_eq!(ids(program.dataflow.sinks().collect()), [2]);
}
