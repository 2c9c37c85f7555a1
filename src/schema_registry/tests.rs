//! What a registry's answers mean, and what is asked again.

use super::*;
use crate::http::testing::{answer, fine, stub};
use crate::secret::Reference;

const INT: &str = r#"{"schema":"\"int\""}"#;

fn settings(base: http::Base) -> Settings {
    Settings {
        addresses: vec![base],
        ..Settings::default()
    }
}

fn int() -> Registered {
    Registered {
        language: Language::Avro,
        text: "\"int\"".to_owned(),
        references: Vec::new(),
    }
}

fn error(status: u16, code: u32, message: &str) -> String {
    answer(
        status,
        &format!(r#"{{"error_code":{code},"message":"{message}"}}"#),
    )
}

fn path(request: &str) -> &str {
    request.split(' ').nth(1).unwrap()
}

#[tokio::test]
async fn an_id_is_asked_for_once() {
    let (base, asked) = stub(vec![fine(INT), error(404, 40403, "Schema not found")]).await;
    let registry = Registry::new(settings(base));
    assert!(
        registry.known(7).is_none(),
        "nothing is known before it was asked for"
    );
    let (first, second) = tokio::join!(registry.learn(7), registry.learn(7));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert!(matches!(registry.known(7), Some(Known::Schema(schema)) if *schema == int()));
    for _ in 0..2 {
        registry.learn(8).await.unwrap();
    }
    let unknown = registry.known(8);
    assert!(
        matches!(&unknown, Some(Known::Unknown(why)) if &**why == "the registry has no schema with id 8"),
        "{unknown:?}"
    );
    let asked = asked.await.unwrap();
    assert_eq!(
        asked.iter().map(|asked| path(asked)).collect::<Vec<_>>(),
        ["/schemas/ids/7", "/schemas/ids/8"]
    );
}

#[tokio::test]
async fn references_come_behind_those_that_they_refer_to() {
    let schema = |name: &str, references: &[&str]| {
        let reference =
            |name: &&str| format!(r#"{{"name":"{name}","subject":"s/{name}","version":3}}"#);
        let references: Vec<_> = references.iter().map(reference).collect();
        let references = references.join(",");
        fine(&format!(
            r#"{{"schema":"{name}","schemaType":"PROTOBUF","references":[{references}]}}"#
        ))
    };
    let answers = vec![
        schema("root", &["a", "b"]),
        schema("a", &["c"]),
        schema("c", &[]),
        // One that was fetched already, and a circle, which no registry has.
        schema("b", &["c", "a"]),
    ];
    let (base, asked) = stub(answers).await;
    let registry = Registry::new(settings(base));
    registry.learn(1).await.unwrap();
    let Some(Known::Schema(schema)) = registry.known(1) else {
        panic!("the schema was there");
    };
    let names: Vec<_> = schema
        .references
        .iter()
        .map(|other| (other.name.as_str(), other.text.as_str()))
        .collect();
    assert_eq!(names, [("c", "c"), ("a", "a"), ("b", "b")]);
    assert_eq!(path(&asked.await.unwrap()[1]), "/subjects/s%2Fa/versions/3");
}

#[tokio::test]
async fn what_may_go_right_later_is_asked_again() {
    let answers = vec![
        answer(503, "<html>"),
        error(500, 50001, "Error in the backend data store"),
        answer(429, ""),
        fine(INT),
        // Behind a proxy nobody is there for a moment.
        answer(404, "<html>no such backend</html>"),
        fine("<html>in maintenance</html>"),
        fine(INT),
    ];
    let (base, asked) = stub(answers).await;
    let registry = Registry::new(settings(base));
    registry.learn(1).await.unwrap();
    registry.learn(2).await.unwrap();
    assert!(matches!(registry.known(2), Some(Known::Schema(_))));
    assert_eq!(asked.await.unwrap().len(), 7);
}

#[tokio::test]
async fn what_a_person_must_change_is_told() {
    for (answered, expected) in [
        (
            error(401, 401, "Unauthorized"),
            "BASE answers with status 401: Unauthorized; check 'basic-auth.user-info' or \
             'bearer-auth.token' and what the user may do",
        ),
        (
            answer(404, "nginx"),
            "BASE answers with status 404; it is not a schema registry, or its address needs a \
             path such as '/apis/ccompat/v7'",
        ),
        (
            fine("<html>"),
            "the answer of BASE is not a schema registry's: expected value at line 1 column 1",
        ),
        (
            error(422, 42201, "Invalid schema"),
            "BASE answers with status 422: Invalid schema",
        ),
    ] {
        let (base, _) = stub(vec![answered]).await;
        let expected = expected.replace("BASE", &base.to_string());
        let registry = Registry::new(settings(base));
        let error = registry.id_of("t", &int(), true).await.unwrap_err();
        let expected = format!("cannot register the schema of subject 't': {expected}");
        assert_eq!(error, Error::Refused(expected));
    }
}

#[tokio::test]
async fn a_schema_gets_its_id() {
    let id = fine(r#"{"id":42}"#);
    let answers = vec![id.clone(), id, error(404, 40403, "Schema not found")];
    let (base, asked) = stub(answers).await;
    let registry = Registry::new(settings(base));
    assert_eq!(registry.id_of("t-value", &int(), true).await, Ok(42));
    assert_eq!(registry.id_of("t-value", &int(), false).await, Ok(42));
    assert_eq!(
        registry
            .id_of("t-value", &int(), false)
            .await
            .unwrap_err()
            .to_string(),
        "cannot register the schema of subject 't-value': subject 't-value' has no such schema, \
         and 'auto.register.schemas' is 'false': \"int\""
    );
    let asked = asked.await.unwrap();
    let paths: Vec<_> = asked.iter().map(|asked| path(asked)).collect();
    assert_eq!(
        paths,
        [
            "/subjects/t-value/versions",
            "/subjects/t-value",
            "/subjects/t-value"
        ]
    );
    let body = r#"{"schema":"\"int\"","schemaType":"AVRO"}"#;
    assert!(asked[0].ends_with(body), "{}", asked[0]);
}

#[tokio::test]
async fn of_several_addresses_one_suffices() {
    let (gone, server) = stub(Vec::new()).await;
    server.await.unwrap();
    let (base, asked) = stub(vec![fine(INT), fine(INT)]).await;
    let registry = Registry::new(Settings {
        addresses: vec![gone, base],
        ..Settings::default()
    });
    for id in [1, 2] {
        registry.learn(id).await.unwrap();
    }
    assert_eq!(asked.await.unwrap().len(), 2);
}

#[tokio::test]
async fn secrets_are_resolved_when_the_registry_is_asked() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "canary\n").unwrap();
    let path = secret.path().display().to_string();
    let by_file = Reference::File(path);
    let (base, asked) = stub(vec![fine(INT)]).await;
    let registry = Registry::new(Settings {
        authentication: Authentication::Bearer(by_file),
        ..settings(base.clone())
    });
    registry.learn(1).await.unwrap();
    let asked = asked.await.unwrap().remove(0);
    assert!(
        asked.contains("\r\nauthorization: Bearer canary\r\n"),
        "{asked}"
    );
    let registry = Registry::new(Settings {
        authentication: Authentication::Basic(Reference::Variable("NO_SUCH_NAME".to_owned())),
        ..settings(base)
    });
    let error = registry.learn(1).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot resolve 'basic-auth.user-info': NO_SUCH_NAME is not set"
    );
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_read_again() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "old").unwrap();
    let refused = || error(401, 401, "Unauthorized");
    let (base, asked) = stub(vec![fine(INT), refused(), fine(INT), refused()]).await;
    let reference = Reference::File(secret.path().display().to_string());
    let registry = Registry::new(Settings {
        authentication: Authentication::Bearer(reference),
        ..settings(base)
    });
    registry.learn(1).await.unwrap();
    std::fs::write(secret.path(), "new").unwrap();
    registry.learn(2).await.unwrap();
    // What was not replaced is wrong.
    assert!(matches!(registry.learn(3).await, Err(Error::Refused(_))));
    let asked = asked.await.unwrap();
    let token = |asked: &String| {
        let line = asked.lines().find(|line| line.starts_with("authorization"));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    let tokens: Vec<_> = asked.iter().map(token).collect();
    assert_eq!(tokens, ["old", "old", "new", "new"]);
}
