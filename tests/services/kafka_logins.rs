//! Logging in: what works, what ends a job with a sentence, and what is tried again.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

use crate::process::{Ended, Workspace};
use crate::secured::{End, bearer, broker, check_copied, copying, rows};

const RUN: [&str; 4] = ["run", "--listen", "127.0.0.1:0", "job.sql"];

/// A topic that all jobs read.
fn input() -> &'static str {
    static INPUT: OnceLock<String> = OnceLock::new();
    INPUT.get_or_init(|| {
        let brokers = &broker().brokers;
        let topic = brokers.topic(2);
        brokers.write(&topic, 1, rows());
        topic
    })
}

fn run(listener: &str, options: &str, output: &str, variables: &[(&str, &str)]) -> Ended {
    let end = |topic| End {
        topic,
        listener,
        options,
    };
    let workspace = Workspace::new();
    workspace.write("job.sql", &copying(end(input()), end(output)));
    workspace.run_with_variables(&RUN, variables)
}

/// Options of a table that logs in with a password.
fn sasl(protocol: &str, mechanism: &str, more: &str) -> String {
    format!(
        ", 'properties.security.protocol' = '{protocol}', 'properties.sasl.mechanism' = '{mechanism}' {more}"
    )
}

/// Options of a table that shows a certificate.
fn certificate(certificate: &str, key: &str) -> String {
    let broker = broker();
    format!(
        "{}, 'properties.ssl.keystore.certificate.chain' = '{}', 'properties.ssl.keystore.key' = '{}'",
        broker.tls(),
        broker.reference(certificate),
        broker.reference(key)
    )
}

const ALICE: &str =
    ", 'properties.sasl.username' = 'alice', 'properties.sasl.password' = '${env:PASSWORD}'";

/// Does it for all cases, some at a time, and tells of all that have failed.
fn for_all<T: Sync>(cases: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let failures: Vec<_> = cases
        .chunks(4)
        .flat_map(|some| {
            thread::scope(|scope| {
                let checks = some.iter().map(|case| scope.spawn(|| check(case)));
                let checks: Vec<_> = checks.collect();
                let ends = checks
                    .into_iter()
                    .map(|check| check.join().expect("a check"));
                ends.filter_map(Result::err).collect::<Vec<_>>()
            })
        })
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_job_reads_and_writes_exactly_once_with_every_login() {
    let broker = broker();
    let ca = broker.reference("ca.pem");
    let authority = format!(", 'properties.ssl.ca.pem' = '{ca}'");
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" password=\"{}\";",
        broker.password()
    );
    let files = Workspace::new();
    files.write("jaas", &jaas);
    files.write("token", &broker.token("alice", 600));
    let file = |name: &str| format!("${{file:{}}}", files.path(name).display());
    let cases = [
        ("SSL", broker.tls()),
        ("SSL", ", 'properties.security.protocol' = 'SSL'".to_owned()),
        ("MTLS", certificate("client.pem", "client.key")),
        (
            "MTLS",
            certificate("client.pem", "client.key.encrypted")
                + ", 'properties.ssl.key.password' = '${env:PASSWORD}'",
        ),
        ("SASL_SSL", sasl("SASL_SSL", "PLAIN", ALICE) + &authority),
        (
            "SASL_SSL",
            sasl("SASL_SSL", "SCRAM-SHA-256", ALICE) + &authority,
        ),
        (
            "SASL_SSL",
            sasl(
                "SASL_SSL",
                "SCRAM-SHA-512",
                ", 'properties.sasl.jaas.config' = \
                 'org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule \
                 required username=\"alice\" password=\"${env:PASSWORD}\";'",
            ) + &authority,
        ),
        (
            "SASL_PLAINTEXT",
            sasl(
                "SASL_PLAINTEXT",
                "PLAIN",
                &format!(", 'properties.sasl.jaas.config' = '{}'", file("jaas")),
            ),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("SASL_PLAINTEXT", "SCRAM-SHA-256", ALICE),
        ),
        ("SASL_PLAINTEXT", bearer(&file("token"))),
        (
            "SASL_SSL",
            sasl(
                "SASL_SSL",
                "OAUTHBEARER",
                ", 'properties.sasl.oauthbearer.token' = '${env:TOKEN}', 'properties.sasl.jaas.config' = \
                 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;'",
            ) + &authority,
        ),
    ];
    let (password, token) = (broker.password(), broker.token("alice", 600));
    let authorities = broker.credential("ca.pem");
    for_all(&cases, |(listener, options)| {
        let output = broker.brokers.topic(2);
        let variables = [
            ("PASSWORD", password.as_str()),
            ("TOKEN", &token),
            // Whom the system trusts.
            ("SSL_CERT_FILE", authorities.to_str().expect("a path")),
        ];
        let ended = run(listener, options, &output, &variables);
        if ended.status != 0 {
            return Err(format!("{listener} {options}: {}", ended.stderr));
        }
        check_copied(&output);
        Ok(())
    });
}

#[test]
fn what_cannot_come_right_ends_the_job_with_a_sentence() {
    let broker = broker();
    let foreign = format!(
        ", 'properties.security.protocol' = 'SSL', 'properties.ssl.ca.pem' = '{}'",
        broker.reference("foreign.pem")
    );
    let others_key = certificate("client.pem", "expired.key");
    let wrong_key_password = certificate("client.pem", "client.key.encrypted")
        + ", 'properties.ssl.key.password' = '${env:WRONG}'";
    let files = Workspace::new();
    let mut claims =
        serde_json::json!({ "iss": "tests", "aud": "kafka", "sub": "alice", "iat": 0 });
    claims["exp"] = 4_000_000_000_u64.into();
    claims["aud"] = "another".into();
    files.write("others", &broker.token_with(&claims));
    let file = |name: &str| format!("${{file:{}}}", files.path(name).display());
    let wrong = ALICE.replace("PASSWORD", "WRONG");
    let cases = [
        (
            "SASL_PLAINTEXT",
            sasl("SASL_PLAINTEXT", "PLAIN", &wrong),
            "the user name or the password is wrong; check 'properties.sasl.username'",
        ),
        (
            "SASL_PLAINTEXT",
            sasl("SASL_PLAINTEXT", "SCRAM-SHA-512", &wrong),
            "the user name or the password is wrong",
        ),
        (
            "SASL_PLAINTEXT",
            bearer(&file("others")),
            "the broker does not take the token '${file:",
        ),
        ("SASL_PLAINTEXT", bearer(&file("missing")), "No such file"),
        (
            "SASL_PLAINTEXT",
            bearer("${env:EXPIRED}"),
            "has expired and was not renewed; give it as '${file:PATH}', which is read again",
        ),
        (
            "SSL",
            foreign,
            "it must be signed by an authority in 'properties.ssl.truststore.certificates'",
        ),
        (
            "SSL",
            ", 'properties.security.protocol' = 'SSL'".to_owned(),
            "it must be signed by an authority that this system trusts",
        ),
        (
            "ELSEWHERE",
            broker.tls(),
            "is not to be trusted; it must be signed by",
        ),
        (
            "MTLS",
            broker.tls(),
            "the broker wants a certificate of the client; set",
        ),
        (
            "MTLS",
            certificate("expired.pem", "expired.key"),
            "the broker refuses the client's certificate",
        ),
        ("MTLS", others_key, "is the key of the certificate"),
        (
            "MTLS",
            wrong_key_password,
            "and 'properties.ssl.key.password' its password",
        ),
    ];
    let expired = broker.token("alice", -1);
    let variables = [("WRONG", "canary"), ("EXPIRED", &expired)];
    for_all(&cases, |(listener, options, expected)| {
        // A restart is allowed, and would not help.
        let ended = run(listener, options, input(), &variables);
        let error = ended.stderr.split_once("\nerror: ").unwrap_or_default().1;
        let is_right = ended.status == 1 && error.contains(expected);
        let is_restarted = ended.stderr.contains("restarting");
        if is_right && !is_restarted && !ended.stderr.contains("canary") {
            return Ok(());
        }
        let (status, said) = (ended.status, ended.stderr);
        Err(format!(
            "{listener} {options}: {status}, not {expected:?}: {said}"
        ))
    });
}

#[test]
fn what_may_come_right_is_tried_again() {
    let tls = broker().tls();
    let cases = [
        (
            "PLAINTEXT",
            tls.as_str(),
            "closes connections instead of speaking TLS",
        ),
        (
            "SSL",
            "",
            "its listener wants TLS, and 'properties.security.protocol' must be",
        ),
        ("SASL_PLAINTEXT", "", "its listener wants a login"),
    ];
    for_all(&cases, |(listener, options, expected)| {
        let end = End {
            topic: input(),
            listener,
            options,
        };
        let workspace = Workspace::new();
        workspace.write("job.sql", &copying(end, end));
        let mut running = workspace.start(&["job.sql"]);
        running.wait_until_said(expected);
        assert_eq!(running.kill().status, -1, "{listener} {options}");
        Ok(())
    });
}

/// A job that is started before its broker finds it later.
#[test]
fn a_broker_that_comes_late_is_waited_for() {
    let broker = broker();
    let output = broker.brokers.topic(1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let end = |topic| End {
        topic,
        listener: "PLAINTEXT",
        options: "",
    };
    let program = copying(end(input()), end(&output));
    let workspace = Workspace::new();
    let servers = broker.listener("PLAINTEXT");
    workspace.write("job.sql", &program.replace(servers, &address.to_string()));
    let mut running = workspace.start(&["job.sql"]);
    running.wait_until_said("Connection refused");
    let listener = TcpListener::bind(address).expect("the port");
    let servers = servers.to_owned();
    thread::spawn(move || {
        let streams = listener.incoming().flatten();
        streams.for_each(|stream| connect(&stream, &servers));
    });
    let ended = running.wait();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    check_copied(&output);
}

/// A password that is replaced while the job logs in with the one before: the job ends no
/// more than its life.
#[test]
fn a_password_that_was_replaced_is_read_again() {
    let broker = broker();
    let output = broker.brokers.topic(1);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let workspace = Workspace::new();
    workspace.write("password", "old");
    let password = workspace.path("password");
    let login = ALICE.replace(
        "${env:PASSWORD}",
        &format!("${{file:{}}}", password.display()),
    );
    let options = sasl("SASL_PLAINTEXT", "SCRAM-SHA-256", &login);
    let end = |topic| End {
        topic,
        listener: "SASL_PLAINTEXT",
        options: &options,
    };
    let servers = broker.listener("SASL_PLAINTEXT").to_owned();
    let program = copying(end(input()), end(&output)).replace(&servers, &address);
    workspace.write("job.sql", &program);
    let running = workspace.start(&["job.sql"]);
    let (first, _) = listener.accept().expect("a connection");
    std::fs::write(password, broker.password()).expect("a written file");
    connect(&first, &servers);
    thread::spawn(move || {
        let streams = listener.incoming().flatten();
        streams.for_each(|stream| connect(&stream, &servers));
    });
    let ended = running.wait();
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("password} was replaced"),
        "{}",
        ended.stderr
    );
    check_copied(&output);
}

/// Lets two sides talk to each other.
fn connect(stream: &TcpStream, servers: &str) {
    let there = TcpStream::connect(servers).expect("a broker");
    hand_on(stream, &there);
    hand_on(&there, stream);
}

/// Hands on what comes, until it ends.
fn hand_on(from: &TcpStream, to: &TcpStream) {
    let [mut from, mut to] = [from, to].map(|stream| stream.try_clone().expect("a stream"));
    thread::spawn(move || {
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
