//! A real schema registry for the tests, and a client that has nothing to do with the
//! program's.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A registry that runs as long as the tests do.
pub struct Registry {
    directory: TempDir,
    /// Where it listens, with the path below which its interface is.
    pub address: String,
}

/// One registry, shared by all tests of the process.
pub fn one() -> &'static Registry {
    static ONE: OnceLock<Registry> = OnceLock::new();
    ONE.get_or_init(Registry::start)
}

impl Registry {
    /// Starts one; it ends with this process.
    #[expect(clippy::zombie_processes, reason = "who watches outlives this process")]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // A static is never dropped: somebody else has to see the process end.
        let watch = format!(
            "while kill -0 {} 2>/dev/null; do sleep 0.2; done; '{}' stop '{directory}'; rm -rf '{directory}'",
            std::process::id(),
            script().display(),
            directory = directory.path().display(),
        );
        let watcher = Command::new("bash")
            .args(["-c", &watch])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        watcher.expect("bash");
        let address = started(directory.path(), None);
        Self { directory, address }
    }

    /// `kill -9`; what it knew is gone, and its place is taken.
    pub fn kill(&self) -> TcpListener {
        let stopped = Command::new(script())
            .arg("stop")
            .arg(self.directory.path())
            .status();
        assert!(stopped.expect("scripts/schema-registry").success());
        let (host, _) = self.place();
        loop {
            // The system may need a moment to let the port go.
            match TcpListener::bind(host) {
                Ok(listener) => return listener,
                Err(_) => std::thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Starts it again, empty, at the same address.
    pub fn start_again(&self) {
        let (_, port) = self.place();
        assert_eq!(started(self.directory.path(), Some(port)), self.address);
    }

    /// Registers a schema, with the types or files that it refers to; its id.
    pub fn register(&self, subject: &str, language: &str, schema: &str, references: &Value) -> u32 {
        let body = json!({ "schema": schema, "schemaType": language, "references": references });
        let path = format!("/subjects/{subject}/versions");
        let (status, answer) = self.ask("POST", &path, Some(&body));
        assert_eq!(status, 200, "{answer}");
        u32::try_from(answer["id"].as_u64().expect("an id")).expect("a small id")
    }

    /// The latest schema of a subject, as the registry keeps it.
    pub fn latest(&self, subject: &str) -> Value {
        let path = format!("/subjects/{subject}/versions/latest");
        let (status, answer) = self.ask("GET", &path, None);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Sends a request; status and body of the answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (host, _) = self.place();
        let base = self.address.split_once(host).map_or("", |(_, path)| path);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(host).expect("a registry");
        write!(
            stream,
            "{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("a sent request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        // It may come in chunks, whose lengths stand between.
        let (start, end) = (body.find(['{', '[']), body.rfind(['}', ']']));
        let json = start
            .zip(end)
            .map_or("null", |(start, end)| &body[start..=end]);
        let json = serde_json::from_str(json).unwrap_or_else(|_| panic!("JSON: {body}"));
        (status.expect("a status"), json)
    }

    /// Host and port, and the port alone.
    fn place(&self) -> (&str, &str) {
        let rest = self.address.strip_prefix("http://").expect("an address");
        let host = rest.split('/').next().unwrap_or(rest);
        (host, host.rsplit(':').next().unwrap_or(host))
    }
}

fn started(directory: &Path, port: Option<&str>) -> String {
    let mut command = Command::new(script());
    command.arg("start").arg(directory).args(port);
    let started = command.output().expect("scripts/schema-registry");
    assert!(started.status.success(), "no registry: {started:?}");
    let address = String::from_utf8(started.stdout).expect("text");
    address.trim().to_owned()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/schema-registry")
}
