//! A broker with TLS, logins and ACLs, and what its clients show it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::{Brokers, launch};
use crate::process::wait_until;

/// The broker, whose plain listener lets everybody do everything.
pub struct Secured {
    pub brokers: Brokers,
    listeners: BTreeMap<String, String>,
}

/// What somebody may do with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    ReadTopic(&'a str),
    DescribeTopic(&'a str),
    WriteTopic(&'a str),
    /// Of all groups whose names begin so.
    ReadGroups(&'a str),
    DescribeGroups(&'a str),
    /// Of all transactional ids that begin so.
    WriteIds(&'a str),
}

/// The broker, shared by all tests of the process.
pub fn broker() -> &'static Secured {
    static SECURED: OnceLock<Secured> = OnceLock::new();
    SECURED.get_or_init(|| {
        let (directory, said) = launch("secure", &[]);
        let listeners = said.split(',').filter_map(|one| one.split_once("://"));
        let listeners = listeners.map(|(name, address)| (name.to_owned(), address.to_owned()));
        let listeners: BTreeMap<_, _> = listeners.collect();
        Secured {
            brokers: Brokers::of(directory, listeners["PLAINTEXT"].clone()),
            listeners,
        }
    })
}

impl Secured {
    /// The address of a listener.
    pub fn listener(&self, name: &str) -> &str {
        &self.listeners[name]
    }

    /// The path of what `scripts/services/kafka/credentials` has made.
    pub fn credential(&self, name: &str) -> PathBuf {
        self.brokers.directory().join("credentials").join(name)
    }

    /// A reference to it.
    pub fn reference(&self, name: &str) -> String {
        format!("${{file:{}}}", self.credential(name).display())
    }

    /// The password of `alice`.
    pub fn password(&self) -> String {
        std::fs::read_to_string(self.credential("password")).expect("a password")
    }

    /// Options of a table that trusts the broker's certificate.
    pub fn tls(&self) -> String {
        let ca = self.reference("ca.pem");
        format!(
            ", 'properties.security.protocol' = 'SSL', 'properties.ssl.truststore.certificates' = '{ca}'"
        )
    }

    /// A token that says that its bearer is `user`, for `seconds` from now.
    pub fn token(&self, user: &str, seconds: i64) -> String {
        self.token_with(&serde_json::json!({
            "iss": "tests", "aud": "kafka", "sub": user, "iat": now() - 60, "exp": now() + seconds,
        }))
    }

    /// A token that says this, signed so that the broker takes it.
    pub fn token_with(&self, claims: &serde_json::Value) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"test"}"#);
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{claims}");
        let mut openssl = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .arg(self.credential("token.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl");
        let mut input = openssl.stdin.take().expect("a piped input");
        input.write_all(signed.as_bytes()).expect("a sent text");
        drop(input);
        let signature = openssl.wait_with_output().expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.stdout))
    }

    /// Lets a user do this, and waits until the broker knows.
    pub fn grant(&self, user: &str, rights: &[Right<'_>]) {
        let principal = format!("User:{user}");
        let mut acls = Vec::new();
        acls.extend(
            i32::try_from(rights.len())
                .expect("few rights")
                .to_be_bytes(),
        );
        for right in rights {
            let (resource, name, pattern, operation) = right.codes();
            acls.push(resource);
            text(&mut acls, name);
            acls.push(pattern);
            text(&mut acls, &principal);
            text(&mut acls, "*");
            acls.extend([operation, ALLOW]);
        }
        let answer = self.ask(CREATE_ACLS, &acls);
        // Behind a time and a number: for each right no code, and no reason.
        let count = rights.len();
        assert_eq!(answer[8..], [0; 4].repeat(count), "{answer:?}");

        let mut filter = vec![ANY];
        filter.extend(NONE);
        filter.push(ANY);
        text(&mut filter, &principal);
        filter.extend(NONE);
        filter.extend([ANY, ANY]);
        wait_until("the broker knows what a user may do", || {
            let answer = self.ask(DESCRIBE_ACLS, &filter);
            // Behind a time, a code and a reason: how many there are.
            answer[8..12] != [0; 4] || count == 0
        });
    }

    /// The answer to a question in version 1 of its protocol, behind the number of the
    /// question.
    fn ask(&self, question: i16, body: &[u8]) -> Vec<u8> {
        let mut request = Vec::new();
        request.extend(question.to_be_bytes());
        request.extend([0, 1, 0, 0, 0, 7]);
        request.extend(NONE);
        request.extend(body);
        let mut stream = TcpStream::connect(self.listener("PLAINTEXT")).expect("a broker");
        let length = u32::try_from(request.len()).expect("a short request");
        stream
            .write_all(&length.to_be_bytes())
            .expect("a sent length");
        stream.write_all(&request).expect("a sent request");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("a length");
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a short answer");
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).expect("an answer");
        answer.split_off(4)
    }
}

const CREATE_ACLS: i16 = 30;
const DESCRIBE_ACLS: i16 = 29;
const ALLOW: u8 = 3;
const ANY: u8 = 1;
/// No text.
const NONE: [u8; 2] = [0xff, 0xff];

impl Right<'_> {
    /// In the protocol: the kind of thing, its name, how it is meant, and what is done.
    fn codes(&self) -> (u8, &str, u8, u8) {
        const TOPIC: u8 = 2;
        const GROUP: u8 = 3;
        const TRANSACTIONAL_ID: u8 = 5;
        const LITERAL: u8 = 3;
        const PREFIX: u8 = 4;
        const READ: u8 = 3;
        const WRITE: u8 = 4;
        const DESCRIBE: u8 = 8;
        match self {
            Self::ReadTopic(name) => (TOPIC, name, LITERAL, READ),
            Self::DescribeTopic(name) => (TOPIC, name, LITERAL, DESCRIBE),
            Self::WriteTopic(name) => (TOPIC, name, LITERAL, WRITE),
            Self::ReadGroups(prefix) => (GROUP, prefix, PREFIX, READ),
            Self::DescribeGroups(prefix) => (GROUP, prefix, PREFIX, DESCRIBE),
            Self::WriteIds(prefix) => (TRANSACTIONAL_ID, prefix, PREFIX, WRITE),
        }
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = i16::try_from(text.len()).expect("a short text");
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.as_bytes());
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens hold until a time of the wall clock"
)]
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("a time after 1970").as_secs()).expect("a near time")
}

/// Options of a table that logs in with a token.
pub fn bearer(reference: &str) -> String {
    format!(
        ", 'properties.security.protocol' = 'SASL_PLAINTEXT', \
         'properties.sasl.mechanism' = 'OAUTHBEARER', \
         'properties.sasl.oauthbearer.token' = '{reference}'"
    )
}

/// A topic as one table has it.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub topic: &'a str,
    /// The listener's name.
    pub listener: &'a str,
    /// More options of the table.
    pub options: &'a str,
}

/// A job that copies the rows that are in one topic now into another.
pub fn copying(from: End<'_>, to: End<'_>) -> String {
    let bounded = "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'";
    let [from, to] = [from, to].map(|end| {
        let servers = broker().listener(end.listener);
        format!(
            "(n BIGINT) WITH ('connector' = 'kafka', 'topic' = '{}', 'format' = 'json', {bounded}, \
             'properties.bootstrap.servers' = '{servers}' {});",
            end.topic, end.options
        )
    });
    format!(
        "SET 'restart-strategy.type' = 'fixed-delay';
         SET 'restart-strategy.fixed-delay.attempts' = '1';
         CREATE TABLE numbers {from} CREATE TABLE copies {to} INSERT INTO copies SELECT n FROM numbers;"
    )
}

/// The rows of a topic that is copied.
pub fn rows() -> impl Iterator<Item = String> {
    (0..1_000).map(|n| format!("{{\"n\":{n}}}"))
}

/// Compares what is committed with what was to be copied.
pub fn check_copied(topic: &str) {
    let mut seen: Vec<_> = broker()
        .brokers
        .committed(topic)
        .into_iter()
        .map(|one| one.value)
        .collect();
    let mut expected: Vec<_> = rows().collect();
    seen.sort();
    expected.sort();
    assert!(seen == expected, "{} rows are in {topic}", seen.len());
}
