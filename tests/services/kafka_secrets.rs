//! Secrets that are planted in a job, and everything that comes out of it: they are nowhere.

use std::fs;
use std::path::Path;

use crate::process::{Workspace, wait_until};
use crate::secured::{End, bearer, broker, copying, rows};

/// What came out of a job, by where it came out.
#[derive(Default)]
struct Outlets(Vec<(String, Vec<u8>)>);

impl Outlets {
    fn add(&mut self, place: &str, what: impl Into<Vec<u8>>) {
        self.0.push((place.to_owned(), what.into()));
    }

    /// All files below a folder.
    fn add_files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                self.add_files(&path);
            } else {
                let bytes = fs::read(&path).expect("a file");
                self.add(&path.display().to_string(), bytes);
            }
        }
    }

    /// Where a secret, or a good part of it, has come out.
    fn holding(&self, secret: &str) -> Vec<&str> {
        let part = &secret.as_bytes()[2..secret.len().min(18)];
        let holds = |bytes: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let holding = self.0.iter().filter(|(_, bytes)| holds(bytes));
        holding.map(|(place, _)| place.as_str()).collect()
    }
}

/// A job's login, the variables that it needs, and the secrets among them.
struct Login {
    listener: &'static str,
    options: String,
    variables: Vec<(&'static str, String)>,
    secrets: Vec<String>,
}

/// Each way to log in with a secret.
fn logins(files: &Workspace) -> Vec<Login> {
    let broker = broker();
    let password = broker.password();
    let file = |name: &str| format!("${{file:{}}}", files.path(name).display());
    let sasl = |mechanism: &str, more: &str| {
        let ca = broker.reference("ca.pem");
        format!(
            ", 'properties.security.protocol' = 'SASL_SSL', 'properties.ssl.ca.pem' = '{ca}', \
             'properties.sasl.mechanism' = '{mechanism}', {more}"
        )
    };
    let jaas = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\" \
         password=\"{password}\";"
    );
    files.write("jaas", &jaas);
    let token = broker.token("alice", 600);
    files.write("token", &token);
    let claims = token.split('.').nth(1).expect("claims").to_owned();
    let signature = token.split('.').nth(2).expect("a signature").to_owned();
    let key = fs::read_to_string(broker.credential("client.key.encrypted")).expect("a key");
    let key_line = key.lines().nth(1).expect("a line of the key").to_owned();
    vec![
        Login {
            listener: "SASL_SSL",
            options: sasl(
                "SCRAM-SHA-512",
                "'properties.sasl.username' = 'alice', 'properties.sasl.password' = '${env:SECRET}'",
            ),
            variables: vec![("SECRET", password.clone())],
            secrets: vec![password.clone()],
        },
        Login {
            listener: "SASL_SSL",
            options: sasl(
                "PLAIN",
                &format!("'properties.sasl.jaas.config' = '{}'", file("jaas")),
            ),
            variables: Vec::new(),
            secrets: vec![password.clone()],
        },
        Login {
            listener: "MTLS",
            options: format!(
                "{}, 'properties.ssl.keystore.certificate.chain' = '{}', \
                 'properties.ssl.keystore.key' = '${{env:KEY}}', \
                 'properties.ssl.key.password' = '${{env:SECRET}}'",
                broker.tls(),
                broker.reference("client.pem")
            ),
            variables: vec![("KEY", key), ("SECRET", password.clone())],
            secrets: vec![key_line, password],
        },
        Login {
            listener: "SASL_PLAINTEXT",
            options: bearer(&file("token")),
            variables: Vec::new(),
            secrets: vec![claims, signature],
        },
    ]
}

/// Everything is logged that can be, ours and the library's.
const LOUD: [&str; 2] = ["--log", "trace"];

fn variables(login: &Login) -> Vec<(&str, &str)> {
    let own = login.variables.iter();
    let mut variables: Vec<_> = own.map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([
        ("RUST_LOG", "trace,rdkafka=trace,librdkafka=trace"),
        ("RUST_BACKTRACE", "full"),
    ]);
    variables
}

#[test]
fn a_running_job_shows_no_secret_anywhere() {
    let broker = broker();
    let files = Workspace::new();
    for login in logins(&files) {
        let (input, output) = (broker.brokers.topic(1), broker.brokers.topic(1));
        broker.brokers.write(&input, 0, rows());
        let end = |topic| End {
            topic,
            listener: login.listener,
            options: &login.options,
        };
        let program = copying(end(&input), end(&output));
        let workspace = Workspace::new();
        let follow = program.replace("'scan.bounded.mode' = 'latest-offset',", "");
        workspace.write("job.sql", &(follow + "\nEXPLAIN SELECT n FROM numbers;"));
        let variables = variables(&login);
        let mut outlets = Outlets::default();
        for command in ["check", "explain"] {
            let ended = workspace.run_with_variables(&[command, "job.sql"], &variables);
            assert_eq!(ended.status, 0, "{}", ended.stderr);
            outlets.add(command, ended.stdout + &ended.stderr);
        }
        let arguments = [&LOUD[..], &["--data-dir", "data", "job.sql"]].concat();
        let running = workspace.start_with_variables(&arguments, &variables);
        wait_until("all rows are copied", || {
            broker.brokers.committed(&output).len() == rows().count()
        });
        outlets.add("REST", running.get("/jobs/overview").1);
        let jobs: serde_json::Value =
            serde_json::from_str(&running.get("/jobs/overview").1).expect("JSON");
        let job = jobs["jobs"][0]["jid"].as_str().expect("a job");
        for path in [
            "/overview",
            "/healthz",
            "/readyz",
            "/metrics",
            "/config",
            "/jobs",
        ] {
            outlets.add(path, running.get(path).1);
        }
        outlets.add("REST of the job", running.get(&format!("/jobs/{job}")).1);
        let process = Path::new("/proc").join(running.id().to_string());
        let read = |name: &str| fs::read(process.join(name)).expect("a file of the process");
        outlets.add("the command line", read("cmdline"));
        let environment = read("environ");
        let ended = running.terminate();
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        outlets.add("output", ended.stdout);
        outlets.add("log", ended.stderr);
        outlets.add_files(&workspace.path("data"));
        // The state is among them: it holds the program with its references.
        assert!(!outlets.holding("#0 'topic'").is_empty());
        for secret in &login.secrets {
            assert_eq!(outlets.holding(secret), [] as [&str; 0]);
        }
        // The search finds what is there.
        outlets.add("the environment", environment);
        for (_, value) in &login.variables {
            let line = value.lines().nth(1).unwrap_or(value);
            assert_eq!(outlets.holding(line), ["the environment"]);
        }
    }
}

/// A panic while the secrets are in memory.
#[test]
#[cfg(feature = "failpoints")]
fn a_job_that_panics_shows_no_secret() {
    let files = Workspace::new();
    for login in logins(&files) {
        let topic = broker().brokers.topic(1);
        let end = End {
            topic: &topic,
            listener: login.listener,
            options: &login.options,
        };
        let workspace = Workspace::new();
        workspace.write("job.sql", &copying(end, end));
        let mut variables = variables(&login);
        variables.push(("THALWEG_FAILPOINT", "BeforeFence:panic:1"));
        let arguments = [&["run", "--listen", "127.0.0.1:0"], &LOUD[..], &["job.sql"]].concat();
        let ended = workspace.run_with_variables(&arguments, &variables);
        assert_eq!(ended.status, 1);
        let panicked = "the test wants step BeforeFence to panic";
        assert!(ended.stderr.contains(panicked), "{}", ended.stderr);
        let mut outlets = Outlets::default();
        outlets.add("output", ended.stdout + &ended.stderr);
        for secret in &login.secrets {
            assert_eq!(outlets.holding(secret), [] as [&str; 0]);
        }
    }
}

const CANARY: &str = "c4n4ry-c4n4ry-c4n4ry";

/// Logins in which the canary is where it is of no use, as listener and options.
fn mistakes() -> Vec<(&'static str, String)> {
    let broker = broker();
    let tls = broker.tls();
    let certificate = format!(
        "{tls}, 'properties.ssl.keystore.certificate.chain' = '{}'",
        broker.reference("client.pem")
    );
    let key = broker.reference("client.key.encrypted");
    let sasl = |more: &str| {
        format!(
            ", 'properties.security.protocol' = 'SASL_PLAINTEXT', 'properties.sasl.mechanism' = \
             'PLAIN', 'properties.sasl.username' = 'alice', {more}"
        )
    };
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    vec![
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.password' = '${env:CANARY}'"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.password' = '${CANARY}'"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.password' '${CANARY}'"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.password' = ${CANARY}"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.pasword' = '${CANARY}'"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl(&format!(
                "'properties.sasl.jaas.config' = '{module} required username=\"a\" password=\"${{CANARY}}\";'"
            )),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.sasl.jaas.config' = '${env:CANARY}'")
                .replace("'properties.sasl.username' = 'alice', ", ""),
        ),
        ("SASL_PLAINTEXT", sasl("'properties.debug' = '${CANARY}'")),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.plugin.library.paths' = '${env:CANARY}'"),
        ),
        (
            "SASL_PLAINTEXT",
            sasl("'properties.linger.ms' = '${env:CANARY}'"),
        ),
        (
            "MTLS",
            format!("{certificate}, 'properties.ssl.keystore.key' = '${{env:CANARY}}'"),
        ),
        (
            "MTLS",
            format!("{certificate}, 'properties.ssl.keystore.key' = '${{env:PEM}}'"),
        ),
        (
            "MTLS",
            format!(
                "{certificate}, 'properties.ssl.keystore.key' = '{key}', 'properties.ssl.key.password' = '${{env:CANARY}}'"
            ),
        ),
        (
            "SSL",
            tls.replace(&broker.reference("ca.pem"), "${env:CANARY}"),
        ),
        ("SASL_PLAINTEXT", bearer("${env:CANARY}")),
        ("SASL_PLAINTEXT", bearer("${env:NO_TOKEN}")),
        ("SASL_PLAINTEXT", bearer("${CANARY}")),
    ]
}

/// What is wrong with a secret is said without it.
#[test]
fn no_error_shows_a_secret() {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----");
    let no_token = format!("{CANARY} {CANARY}\u{1}");
    for (listener, options) in mistakes() {
        let end = End {
            topic: "t",
            listener,
            options: &options,
        };
        let workspace = Workspace::new();
        workspace.write("job.sql", &copying(end, end));
        let variables = [
            ("CANARY", CANARY),
            ("PEM", &pem),
            ("NO_TOKEN", &no_token),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
        ];
        let arguments = [&["run", "--listen", "127.0.0.1:0"], &LOUD[..], &["job.sql"]].concat();
        let ended = workspace.run_with_variables(&arguments, &variables);
        assert!(matches!(ended.status, 1 | 2), "{options}: {ended:?}");
        assert!(ended.stderr.contains("error: "), "{options}: {ended:?}");
        let mut outlets = Outlets::default();
        outlets.add("output", ended.stdout + &ended.stderr);
        let data = workspace.path("thalweg-data");
        if data.exists() {
            outlets.add_files(&data);
        }
        assert_eq!(outlets.holding(CANARY), [] as [&str; 0], "{options}");
    }
}
