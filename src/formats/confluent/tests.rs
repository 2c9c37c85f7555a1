//! What the formats with a registry have in common, with a registry of the tests.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;

use super::*;
use crate::formats::{EncodedRecords, OptionError};
use crate::http::testing::{answer, fine, stub};

fn made(options: &[(&str, &str)]) -> Result<FormatRef, Vec<OptionError>> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let values: IndexMap<_, _> = options.iter().map(owned).collect();
    let mut options = Options::new(&values);
    let format = crate::formats::format(&mut options, &numbers());
    options.finish()?;
    Ok(format.unwrap())
}

fn numbers() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

/// Rows of a decoder, as they came.
fn rows(decoder: &mut dyn Decoder) -> Vec<i64> {
    let records = decoder.finish();
    let column = records.column(0).as_any().downcast_ref::<Int64Array>();
    column.unwrap().values().to_vec()
}

#[test]
fn wrong_options_are_named() {
    let url = ("avro-confluent.url", "http://localhost:8081");
    for (options, expected) in [
        (&[][..], "option 'avro-confluent.url' is required"),
        (
            &[("avro-confluent.url", "localhost:8081")],
            "option 'avro-confluent.url': 'localhost:8081' begins with neither http:// nor https://",
        ),
        (
            &[(
                "avro-confluent.url",
                concat!("http", "://me:canary@localhost"),
            )],
            "option 'avro-confluent.url': an address must not hold a user or a password",
        ),
        (
            &[url, ("avro-confluent.basic-auth.user-info", "me:canary")],
            "option 'avro-confluent.basic-auth.user-info': is a secret; give a reference such as \
             '${env:NAME}' or '${file:PATH}'",
        ),
        (
            &[url, ("avro-confluent.bearer-auth.token", "canary")],
            "option 'avro-confluent.bearer-auth.token': is a secret; give a reference such as \
             '${env:NAME}' or '${file:PATH}'",
        ),
        (
            &[url, ("avro-confluent.basic-auth.credentials-source", "URL")],
            "option 'avro-confluent.basic-auth.credentials-source': only 'USER_INFO' is supported",
        ),
        (
            &[
                url,
                (
                    "avro-confluent.bearer-auth.credentials-source",
                    "STATIC_TOKEN",
                ),
            ],
            "option 'avro-confluent.bearer-auth.credentials-source': needs \
             'avro-confluent.bearer-auth.token'",
        ),
        (
            &[
                url,
                ("avro-confluent.basic-auth.user-info", "${env:A}"),
                ("avro-confluent.bearer-auth.token", "${env:B}"),
            ],
            "option 'avro-confluent.bearer-auth.token': cannot be given together with \
             'avro-confluent.basic-auth.user-info'",
        ),
        (
            &[
                url,
                ("avro-confluent.ssl.truststore.certificates", "/etc/ca.pem"),
            ],
            "option 'avro-confluent.ssl.truststore.certificates': is no certificate in PEM form, nor \
             a reference to one such as '${file:PATH}'",
        ),
        (
            &[url, ("avro-confluent.ssl.keystore.key", "${env:A}")],
            "'avro-confluent.ssl.keystore.certificate.chain' and 'avro-confluent.ssl.keystore.key' \
             are given together or not at all",
        ),
        (
            &[
                url,
                ("avro-confluent.ssl.truststore.location", "/etc/t.jks"),
            ],
            "option 'avro-confluent.ssl.truststore.location': trust stores of Java are not read; \
             give PEM text in 'ssl.truststore.certificates', as in '${file:/etc/ca.pem}'",
        ),
        (
            &[url, ("avro-confluent.properties.max.schemas", "9")],
            "option 'avro-confluent.properties.max.schemas': properties of the Java client are not \
             taken; set the option of the format that means the same",
        ),
        (
            &[url, ("avro-confluent.schema", "{\"type\":\"int\"}")],
            "option 'avro-confluent.schema': int is no record",
        ),
        (
            &[url, ("avro-confluent.schema", "{")],
            "option 'avro-confluent.schema': the schema is not JSON: EOF while parsing an object at \
             line 1 column 1",
        ),
    ] {
        let options = [&[("format", "avro-confluent")], options].concat();
        let errors = made(&options).err().unwrap();
        let messages: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(messages, [expected], "{options:?}");
    }
    // The names that Flink had first.
    let old = [
        ("format", "avro-confluent"),
        ("avro-confluent.schema-registry.url", "http://localhost"),
        ("avro-confluent.schema-registry.subject", "s"),
    ];
    assert!(made(&old).is_ok());
}

#[tokio::test]
async fn a_decoder_gets_the_schemas_that_it_lacks() {
    let schema = |of: &str| {
        let text =
            format!(r#"{{"type":"record","name":"r","fields":[{{"name":"n","type":"{of}"}}]}}"#);
        fine(&serde_json::json!({ "schema": text }).to_string())
    };
    let unknown = answer(404, r#"{"error_code":40403,"message":"Schema not found"}"#);
    let (base, asked) = stub(vec![schema("int"), unknown, schema("string")]).await;
    let url = base.to_string();
    let options = [
        ("format", "avro-confluent"),
        ("avro-confluent.url", url.as_str()),
    ];
    let schema = numbers();
    let mut decoder = made(&options).unwrap().decoder(&schema, &schema);
    let record = |id: u8, body: &[u8]| [&[0, 0, 0, 0, id][..], body].concat();

    // It is pushed until it is taken or refused for good.
    for (record, expected) in [
        (record(1, &[2]), Ok(())),
        (record(1, &[4]), Ok(())),
        (record(2, &[2]), Err("the registry has no schema with id 2")),
        (record(2, &[2]), Err("the registry has no schema with id 2")),
        (
            record(3, &[2, b'x']),
            Err(
                "the schema with id 3 cannot be read by: column 'n': the writer has string for BIGINT",
            ),
        ),
        (record(1, &[6]), Ok(())),
        (
            vec![1, 0, 0, 0, 1, 2],
            Err(
                "has no schema id: it begins with [01, 00, 00, 00, 01] instead of a zero byte and four of an id",
            ),
        ),
        (
            vec![0, 0, 0],
            Err(
                "has no schema id: it begins with [00, 00, 00] instead of a zero byte and four of an id",
            ),
        ),
    ] {
        let pushed = loop {
            let pushed = decoder.push(&record);
            match decoder.missing() {
                Some(missing) => {
                    assert!(pushed.is_err(), "nothing is missing for a row");
                    missing.await.unwrap();
                }
                None => break pushed,
            }
        };
        let found = pushed.map_err(|error| error.0);
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|why| *why),
            "{record:?}"
        );
    }
    assert_eq!(rows(decoder.as_mut()), [1, 2, 3]);
    assert_eq!(asked.await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_encoder_registers_its_schema_before_it_writes() {
    let schema = numbers();
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(vec![1, 2]))]);
    let batch = batch.unwrap();
    for (name, body) in [
        ("avro-confluent", [&[2][..], &[4]]),
        ("protobuf-confluent", [&[0, 8, 1], &[0, 8, 2]]),
        ("json-registry", [b"{\"n\":1}", b"{\"n\":2}"]),
    ] {
        let (base, asked) = stub(vec![fine(r#"{"id":258}"#)]).await;
        let (url, subject) = (format!("{name}.url"), format!("{name}.subject"));
        let address = base.to_string();
        let options = [
            ("format", name),
            (&url, address.as_str()),
            (&subject, "t-value"),
        ];
        let format = made(&options).unwrap();
        let mut encoder = format.encoder(&schema);
        let mut out = EncodedRecords::default();
        assert!(
            encoder.encode(&batch, &mut out).is_err(),
            "there is no id yet"
        );
        encoder.missing().unwrap().await.unwrap();
        assert!(encoder.missing().is_none());
        encoder.encode(&batch, &mut out).unwrap();
        let expected = body.map(|body| [&[0, 0, 0, 1, 2][..], body].concat());
        assert!(
            out.iter().eq(expected.iter().map(Vec::as_slice)),
            "{name}: {:?}",
            out.bytes()
        );
        // The encoders of a table share what they have registered.
        assert!(format.encoder(&schema).missing().is_none());
        let asked = asked.await.unwrap();
        assert!(
            asked[0].starts_with("POST /subjects/t-value/versions "),
            "{}",
            asked[0]
        );
    }
}

#[tokio::test]
async fn a_schema_of_another_language_is_refused() {
    let (base, _asked) = stub(vec![fine(r#"{"schema":"\"int\""}"#)]).await;
    let url = base.to_string();
    let options = [
        ("format", "json-registry"),
        ("json-registry.url", url.as_str()),
    ];
    let schema = numbers();
    let mut decoder = made(&options).unwrap().decoder(&schema, &schema);
    let record = b"\0\0\0\0\x01{\"n\":1}";
    decoder.push(record).unwrap_err();
    decoder.missing().unwrap().await.unwrap();
    let error = decoder.push(record).unwrap_err();
    assert_eq!(error.0, "the schema with id 1 is AVRO, not JSON");
}

#[tokio::test]
async fn json_of_kafka_connect_has_numbers_for_times() {
    use arrow::datatypes::TimeUnit::{Microsecond, Millisecond};
    let answers = vec![fine(r#"{"schema":"{}","schemaType":"JSON"}"#)];
    let (base, _asked) = stub(answers).await;
    let url = base.to_string();
    let values: IndexMap<_, _> = [
        ("format", "json-registry"),
        ("json-registry.url", url.as_str()),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let column = |name: &str, of: DataType| Field::new(name, of, true);
    let schema = Arc::new(Schema::new(vec![
        column("day", DataType::Date32),
        column("t", DataType::Time32(Millisecond)),
        column("at", DataType::Timestamp(Microsecond, None)),
    ]));
    let format = crate::formats::format(&mut Options::new(&values), &schema).unwrap();
    let mut decoder = format.decoder(&schema, &schema);
    let record = |text: &str| [b"\0\0\0\0\x01", text.as_bytes()].concat();
    let numbers = record(r#"{"day":1,"t":1500,"at":-1}"#);
    decoder.push(&numbers).unwrap_err();
    decoder.missing().unwrap().await.unwrap();
    decoder.push(&numbers).unwrap();
    decoder
        .push(&record(
            r#"{"day":"1970-01-02","t":"00:00:01.5","at":"1969-12-31 23:59:59.999"}"#,
        ))
        .unwrap();
    let records = decoder.finish();
    let row = |row| String::from_utf8(crate::formats::row_to_json(&records, row)).unwrap();
    assert_eq!(
        row(0),
        r#"{"day":"1970-01-02","t":"00:00:01.5","at":"1969-12-31 23:59:59.999"}"#
    );
    assert_eq!(row(0), row(1));
    for (text, expected) in [
        (
            r#"{"t":86400000}"#,
            "column 't': '86400000' is not a value of TIME(3)",
        ),
        (
            r#"{"day":1.5}"#,
            "column 'day': '1.5' is not a value of DATE",
        ),
    ] {
        assert_eq!(decoder.push(&record(text)).unwrap_err().0, expected);
    }
}
