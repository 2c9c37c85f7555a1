//! The options of the format, and where messages are declared.

use arrow::datatypes::{DataType, Field, Schema};
use indexmap::IndexMap;

use super::*;
use crate::formats::OptionError;

fn made(options: &[(&str, &str)]) -> Result<FormatRef, Vec<OptionError>> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let format = [("format", "protobuf")];
    let values: IndexMap<_, _> = format.iter().chain(options).map(owned).collect();
    let columns = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let mut options = Options::new(&values);
    let format = crate::formats::format(&mut options, &columns);
    options.finish()?;
    Ok(format.unwrap())
}

#[test]
fn wrong_options_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order.proto").display().to_string();
    std::fs::write(
        &path,
        "syntax = \"proto3\"; package shop; message Order { string id = 1; }",
    )
    .unwrap();
    let broken = folder.path().join("broken.proto").display().to_string();
    std::fs::write(&broken, "message").unwrap();
    let (name, file) = (
        ("protobuf.message-name", "shop.Order"),
        ("protobuf.proto-file", path.as_str()),
    );
    let gone = "/no/such/file";
    for (options, expected) in [
        (&[file][..], "option 'protobuf.message-name' is required".to_owned()),
        (&[name], "option 'protobuf.proto-file' or 'protobuf.descriptor-file' is required".to_owned()),
        (
            &[name, file, ("protobuf.descriptor-file", gone)],
            "option 'protobuf.descriptor-file': cannot be given together with 'protobuf.proto-file'".to_owned(),
        ),
        (
            &[name, ("protobuf.proto-file", gone)],
            format!("option 'protobuf.proto-file': '{gone}' cannot be used: cannot read it: No such file or directory (os error 2)"),
        ),
        (
            &[name, ("protobuf.proto-file", &broken)],
            format!("option 'protobuf.proto-file': '{broken}' cannot be used: expected an identifier, but reached end of file"),
        ),
        (
            &[name, ("protobuf.descriptor-file", &path)],
            format!("option 'protobuf.descriptor-file': '{path}' cannot be used: "),
        ),
        (
            &[("protobuf.message-name", "Order"), file],
            "option 'protobuf.message-name': there is no message 'Order'; there are 'shop.Order'".to_owned(),
        ),
        (&[name, file], "column 'id': the message has string for BIGINT".to_owned()),
        (
            &[("protobuf.message-class-name", "com.example.Order"), file],
            "option 'protobuf.message-class-name': there are no classes of Java here; ".to_owned(),
        ),
        (
            &[name, file, ("protobuf.ignore-parse-errors", "true")],
            "option 'protobuf.ignore-parse-errors': leave it out: ".to_owned(),
        ),
    ] {
        let errors = made(options).err().unwrap();
        let first = errors.first().unwrap();
        assert!(first.message.starts_with(&expected), "{expected}: {errors:?}");
    }
}

#[test]
fn messages_are_found_where_they_are_declared() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let importing =
        br#"syntax = "proto3"; import "base/id.proto"; import "google/protobuf/timestamp.proto";
        message Order { base.Id whole = 1; int64 id = 2; google.protobuf.Timestamp at = 3; }"#;
    write(
        "base/id.proto",
        b"syntax = \"proto3\"; package base; message Id { int64 n = 1; }",
    );
    let beside = write("order.proto", importing);
    let below = write("deep/order.proto", importing);
    let root = folder.path().display().to_string();
    let compiled = descriptors::of_file(Path::new(&beside), None).unwrap();
    let set = write("order.set", &compiled.parent_pool().encode_to_vec());
    let name = ("protobuf.message-name", "Order");
    for options in [
        &[name, ("protobuf.proto-file", beside.as_str())][..],
        &[
            name,
            ("protobuf.proto-file", &below),
            ("protobuf.proto-path", &root),
        ],
        &[name, ("protobuf.descriptor-file", &set)],
    ] {
        let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        let made = made(options).unwrap_or_else(|errors| panic!("{options:?}: {errors:?}"));
        let mut decoder = made.decoder(&schema, &schema);
        decoder.push(&[0x10, 7]).unwrap();
        assert_eq!(decoder.finish().num_rows(), 1);
    }
}
