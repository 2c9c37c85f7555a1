//! Expressions and Flink's answers, kept as data: what Flink came to must come out here.
//!
//! The form of the files is at the top of `tests/oracle/FunctionGolden.java`, which writes the
//! answers (`scripts/oracle write`). `THALWEG_GOLDEN=text` tries only files with this text in their
//! path.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use serde_json::Value;
use serde_json::value::RawValue;
use thalweg::formats::row_to_json;
use thalweg::plan::{NodeKind, type_name};
use thalweg::sql::{SourceFile, compile};

use crate::script_source::json_format;

/// One expression with what it comes to.
struct Case {
    line: usize,
    expression: String,
    flink: String,
    /// What Thalweg comes to instead, where that is known.
    ours: Option<String>,
    /// The table that it reads.
    table: usize,
}

/// A table of a file.
#[derive(Clone)]
struct Rows {
    /// The statements that set what is set.
    settings: String,
    columns: String,
    lines: Vec<String>,
}

/// One file.
struct Answers {
    name: String,
    tables: Vec<Rows>,
    cases: Vec<Case>,
}

impl Answers {
    fn parse(name: &str, text: &str) -> Self {
        let mut tables = vec![Rows {
            settings: String::new(),
            columns: "n INT".to_owned(),
            lines: vec!["{\"n\":1}".to_owned()],
        }];
        let mut cases: Vec<Case> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let place = || format!("{name}:{}", at + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let last = tables.last().expect("there is always one").clone();
            if let Some(setting) = line.strip_prefix("set ") {
                let setting = setting.split_once(" = ");
                let (key, value) =
                    setting.unwrap_or_else(|| panic!("{}: it sets nothing", place()));
                let settings = format!("{}SET '{key}' = '{value}'; ", last.settings);
                tables.push(Rows { settings, ..last });
            } else if let Some(columns) = line.strip_prefix("table ") {
                tables.push(Rows {
                    settings: last.settings,
                    columns: columns.to_owned(),
                    lines: Vec::new(),
                });
            } else if line.starts_with('{') {
                let table = tables.last_mut().expect("there is always one");
                table.lines.push(line.to_owned());
            } else if let Some(ours) = line.strip_prefix("  differs: ") {
                let (ours, why) = ours.split_once(" | ").unwrap_or((ours, ""));
                assert!(!why.is_empty(), "{}: it says not why", place());
                let case = cases.last_mut().expect("an expression stands above");
                assert!(!same(ours, &case.flink), "{}: it is the same", place());
                case.ours = Some(ours.to_owned());
            } else {
                let (expression, flink) = line
                    .split_once(" => ")
                    .unwrap_or_else(|| panic!("{}: there is no answer", place()));
                cases.push(Case {
                    line: at + 1,
                    expression: expression.to_owned(),
                    flink: flink.to_owned(),
                    ours: None,
                    table: tables.len() - 1,
                });
            }
        }
        Self {
            name: name.to_owned(),
            tables,
            cases,
        }
    }

    /// What is wrong in it.
    fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            let cases = self.cases.iter().filter(|case| case.table == number);
            let cases: Vec<&Case> = cases.collect();
            let refused = |case: &&&Case| case.ours.as_ref().unwrap_or(&case.flink) == "error";
            let sound: Vec<&Case> = cases
                .iter()
                .copied()
                .filter(|case| !refused(&case))
                .collect();
            let expressions: Vec<&str> =
                sound.iter().map(|case| case.expression.as_str()).collect();
            // Together they are planned once; only if that fails it is asked which one it was.
            let mut found = table.answers(&expressions).unwrap_or_else(|_| {
                let each = expressions.iter().map(|one| table.answer(one));
                each.collect()
            });
            let mut all = sound;
            for case in cases.iter().filter(refused) {
                all.push(case);
                found.push(table.answer(&case.expression));
            }
            for (case, found) in all.into_iter().zip(found) {
                let expected = case.ours.as_ref().unwrap_or(&case.flink);
                if !same(expected, &found) {
                    let (name, line) = (&self.name, case.line);
                    let expression = &case.expression;
                    wrong.push(format!(
                        "{name}:{line}: {expression}\n  expected {expected}\n  found    {found}"
                    ));
                }
            }
        }
        wrong
    }
}

impl Rows {
    /// What one expression comes to, or why there is no answer.
    fn answer(&self, expression: &str) -> String {
        match self.answers(&[expression]) {
            Ok(answers) => answers.into_iter().next().unwrap_or_default(),
            Err(error) => format!("error: {error}"),
        }
    }

    /// What expressions come to, planned and computed in one query.
    fn answers(&self, expressions: &[&str]) -> Result<Vec<String>, String> {
        if expressions.is_empty() {
            return Ok(Vec::new());
        }
        let mut text = format!(
            "{}CREATE TABLE t ({}) WITH ('connector' = 'x'); SELECT ",
            self.settings, self.columns
        );
        for (place, expression) in expressions.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            let _ = write!(text, "{separator}{expression} AS c{place}");
        }
        text.push_str(" FROM t;");
        let file = SourceFile {
            name: "expressions.sql".to_owned(),
            text,
        };
        let program = compile(&[file], &|_| None).map_err(|errors| errors[0].message.clone())?;
        let nodes = &program.dataflow.nodes;
        let [source, project, ..] = nodes.as_slice() else {
            return Err(format!("no such plan was expected: {}", program.dataflow));
        };
        let NodeKind::Source {
            table,
            decoded,
            columns,
            ..
        } = &source.kind
        else {
            return Err("the first node is no source".to_owned());
        };
        let evaluated = |columns: &[thalweg::expr::Expression], input: &RecordBatch| {
            let values = columns.iter().map(|column| column.evaluate(input));
            let values: Result<Vec<ArrayRef>, _> = values.collect();
            values.map_err(|error| error.to_string())
        };
        let json = json_format(decoded).expect("JSON takes all types");
        let mut decoder = json.decoder(&table.record_schema(), decoded);
        for row in &self.lines {
            let pushed = decoder.push(row.as_bytes());
            pushed.unwrap_or_else(|error| panic!("{row}: {error}"));
        }
        let read = evaluated(columns, &decoder.finish())?;
        let read = RecordBatch::try_new(Arc::clone(&source.schema), read)
            .map_err(|error| error.to_string())?;
        let values = match &project.kind {
            NodeKind::Project { columns } => evaluated(columns, &read)?,
            _ => read.columns().to_vec(),
        };
        Ok(values.iter().map(written).collect())
    }
}

/// The type of values and the values, as the files write them.
fn written(values: &ArrayRef) -> String {
    let data_type = type_name(values.data_type()).replace(" NOT NULL", "");
    let field = Field::new("v", values.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let records = RecordBatch::try_new(schema, vec![Arc::clone(values)]).expect("one column");
    let rows = (0..values.len()).map(|row| {
        let object = String::from_utf8(row_to_json(&records, row)).expect("JSON is text");
        let value = object
            .strip_prefix("{\"v\":")
            .and_then(|rest| rest.strip_suffix('}'));
        value.expect("an object of one field").to_owned()
    });
    format!("{data_type}: {}", rows.collect::<Vec<_>>().join(", "))
}

/// Whether two answers are the same; all errors are. The precision of times is kept as the
/// next of 3, 6 or 9 here.
fn same(expected: &str, found: &str) -> bool {
    let expected = &expected.replacen("TIMESTAMP(0)", "TIMESTAMP(3)", 1);
    let (Some((type_expected, expected)), Some((type_found, found))) =
        (expected.split_once(": "), found.split_once(": "))
    else {
        let is_error = |answer: &str| answer.split(':').next() == Some("error");
        return is_error(expected) && is_error(found);
    };
    let is_float = type_expected.contains("DOUBLE") || type_expected.contains("FLOAT");
    type_expected == type_found
        && same_values(&format!("[{expected}]"), &format!("[{found}]"), is_float)
}

/// Whether two JSON texts are the same value. Floating-point numbers may differ in the
/// last two bits: the mathematical functions of platforms do.
fn same_values(expected: &str, found: &str, is_float: bool) -> bool {
    type Elements = Vec<Box<RawValue>>;
    type Fields = BTreeMap<String, Box<RawValue>>;
    if let (Ok(expected), Ok(found)) = (expected.parse::<f64>(), found.parse::<f64>())
        && is_float
    {
        return (expected - found).abs() <= found.abs() * 4.5e-16;
    }
    let both = |left: &RawValue, right: &RawValue| same_values(left.get(), right.get(), is_float);
    if let (Ok(expected), Ok(found)) = (elements::<Elements>(expected), elements::<Elements>(found))
    {
        let mut pairs = expected.iter().zip(&found);
        return expected.len() == found.len() && pairs.all(|(left, right)| both(left, right));
    }
    if let (Ok(expected), Ok(found)) = (elements::<Fields>(expected), elements::<Fields>(found)) {
        let mut pairs = expected.iter().zip(&found);
        return expected.len() == found.len()
            && pairs.all(|((key, left), (other, right))| key == other && both(left, right));
    }
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    expected == found || parsed(expected).is_some() && parsed(expected) == parsed(found)
}

fn elements<'a, T: serde::Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    serde_json::from_str(text)
}

#[test]
fn functions_answer_as_flink_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql/functions");
    let wanted = std::env::var("THALWEG_GOLDEN").unwrap_or_default();
    let entries = std::fs::read_dir(&folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in files {
        let name = format!("functions/{}", file.file_name().unwrap().display());
        if name.contains(&wanted) {
            let text = std::fs::read_to_string(&file).unwrap();
            wrong.extend(Answers::parse(&name, &text).check());
        }
    }
    let count = wrong.len();
    assert!(count == 0, "{}\n{count} differ", wrong.join("\n"));
}

#[test]
fn answers_are_compared() {
    for (expected, found) in [
        ("INT: 1, null", "INT: 1, null"),
        ("DOUBLE: 1.0E10", "DOUBLE: 10000000000.0"),
        (
            "MAP<STRING, INT>: {\"a\":1,\"b\":2}",
            "MAP<STRING, INT>: {\"b\":2,\"a\":1}",
        ),
        ("error", "error: why"),
    ] {
        assert!(same(expected, found), "{expected} and {found}");
    }
    for (expected, found) in [
        ("INT: 1", "BIGINT: 1"),
        ("INT: 1", "INT: 2"),
        ("INT: 1", "INT: 1, 1"),
        ("STRING: \"1\"", "STRING: \"2\""),
        ("INT: 1", "error: why"),
        ("error", "INT: 1"),
    ] {
        assert!(!same(expected, found), "{expected} and {found}");
    }
    let text = "table a INT\n{\"a\":1}\na + 1 => INT: 3\n";
    assert_eq!(Answers::parse("planted", text).check().len(), 1);
}
