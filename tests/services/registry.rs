//! A real schema registry for the tests, and a client that has nothing to do with the
//! program's.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A registry that runs as long as the tests do.
pub struct Registry {
    #[expect(dead_code, reason = "it is kept as long as the registry runs")]
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
        let started = Command::new(script())
            .arg("start")
            .arg(directory.path())
            .output();
        let started = started.expect("scripts/schema-registry");
        assert!(started.status.success(), "no registry: {started:?}");
        let address = String::from_utf8(started.stdout).expect("text");
        Self {
            address: address.trim().to_owned(),
            directory,
        }
    }

    /// A way to it that somebody else opens.
    pub fn gate(&self) -> Gate {
        let (host, path) = self.place();
        let (host, listener) = (host.to_owned(), TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a listener");
        let address = listener.local_addr().expect("its address");
        let is_open = Arc::new(AtomicBool::new(false));
        let (tell, refused) = channel();
        let opened = Arc::clone(&is_open);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if opened.load(Ordering::Acquire) {
                    pass(stream, &host);
                } else if tell.send(()).is_err() {
                    // The test has ended.
                    return;
                }
            }
        });
        Gate {
            address: format!("http://{address}{path}"),
            is_open,
            refused,
        }
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
        let (host, base) = self.place();
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

    /// Host and port, and the path below which its interface is.
    fn place(&self) -> (&str, &str) {
        let rest = self.address.strip_prefix("http://").expect("an address");
        rest.split_at(rest.find('/').unwrap_or(rest.len()))
    }
}

/// A way to a registry at whose end nobody is there before it is opened.
pub struct Gate {
    /// Where it begins.
    pub address: String,
    is_open: Arc<AtomicBool>,
    refused: Receiver<()>,
}

impl Gate {
    /// Waits until somebody has come to the closed gate.
    pub fn wait_for_a_refusal(&self) {
        let patience = Duration::from_mins(1);
        self.refused.recv_timeout(patience).expect("a question");
    }

    /// Lets everybody through who comes from now on.
    pub fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }
}

/// Carries bytes both ways.
fn pass(near: TcpStream, host: &str) {
    let far = TcpStream::connect(host).expect("a registry");
    let ways = [(&near, &far), (&far, &near)];
    let ways = ways.map(|(from, to)| (from.try_clone(), to.try_clone()));
    for (from, to) in ways {
        let (mut from, mut to) = (from.expect("a stream"), to.expect("a stream"));
        std::thread::spawn(move || {
            // Whoever hangs up ends it.
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/schema-registry")
}
