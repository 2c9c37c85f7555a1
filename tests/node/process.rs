//! Runs the real binary in a directory of its own and sees what it says.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

/// A directory in which the binary is run.
pub struct Workspace {
    directory: TempDir,
}

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Workspace {
    /// An empty directory.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory }
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(path, text).expect("a written file");
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with_input(arguments, "")
    }

    /// Runs the binary to its end with `input` on standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = self.command(arguments).spawn().expect("a started binary");
        let mut stdin = child.stdin.take().expect("a piped input");
        // One that does not read its input closes it.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Ended::from(child.wait_with_output().expect("an ended binary"))
    }

    /// Runs the binary to its end with these variables in its environment.
    pub fn run_with_variables(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        Ended::from(command.output().expect("an ended binary"))
    }

    /// Runs the binary to its end with its standard output in a file.
    pub fn run_to_file(&self, arguments: &[&str], file: &str) -> Ended {
        let file = File::options().write(true).open(file).expect("a file");
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(file);
        Ended::from(command.output().expect("an ended binary"))
    }

    /// The lines of all files of a folder that are not being written any more; none if there
    /// is no folder yet.
    pub fn lines(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("an entry of a folder").path())
            .filter(|path| {
                let name = path.file_name().expect("a name");
                !name.as_encoded_bytes().starts_with(b".")
            })
            .collect();
        paths.sort();
        let texts = paths
            .iter()
            .map(|path| std::fs::read_to_string(path).expect("a text"));
        let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.collect()
    }

    /// Starts `thalweg run` on a free port and waits until it listens.
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_with_variables(arguments, &[])
    }

    /// The same with these variables in its environment.
    pub fn start_with_variables(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        let arguments = [&["run", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut command = self.command(&arguments);
        command.envs(variables.iter().copied());
        let mut child = command.spawn().expect("a started binary");
        let log = lines_of(child.stderr.take().expect("a piped output"));
        let mut said = String::new();
        let address = loop {
            let Ok(line) = log.recv() else {
                panic!("it ended before it listened: {said}");
            };
            said.push_str(&line);
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let end = rest.find('"').unwrap_or(rest.len());
                break rest[..end].trim().to_owned();
            }
        };
        Running {
            child,
            log,
            said: String::new(),
            address,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Waits until something that another process does has come true.
pub fn wait_until(what: &str, is_true: impl Fn() -> bool) {
    wait_for(Duration::from_secs(30), what, is_true);
}

/// The same of what may take longer.
pub fn wait_for(patience: Duration, what: &str, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_true() {
        assert!(
            Instant::now() < deadline,
            "in {patience:?} it did not happen that {what}"
        );
        // Another process cannot wake this one.
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    /// Lines of the log that were not looked at yet. A thread takes them, for a log that is
    /// not read would hold the process up.
    log: Receiver<String>,
    /// Those that were.
    said: String,
    address: String,
}

/// The lines of a log as they come.
fn lines_of(log: ChildStderr) -> Receiver<String> {
    let (lines, heard) = channel();
    thread::spawn(move || {
        let mut log = BufReader::new(log);
        let mut line = String::new();
        while log.read_line(&mut line).expect("a line of the log") > 0 {
            // Nobody may want to know any more.
            let _ = lines.send(std::mem::take(&mut line));
        }
    });
    heard
}

impl Running {
    /// Status and body of the answer to `GET path`.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).expect("a listener")
    }

    /// The same; `None` if nobody listens any more.
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .expect("a sent request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Some((status.expect("a status"), body.to_owned()))
    }

    /// Waits until the job can work. It asks rather than sleeps; each question
    /// takes a connection, so this does not spin.
    pub fn wait_until_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.get("/readyz").0 != 200 {
            assert!(Instant::now() < deadline, "not ready in 30 s");
        }
    }

    /// Waits until a line of the log holds these words, behind the one that was waited for
    /// before.
    pub fn wait_until_said(&mut self, words: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else {
                panic!("it did not say {words:?}");
            };
            self.said.push_str(&line);
            if line.contains(words) {
                return;
            }
        }
    }

    /// Reads one line of standard output, closes it, and waits for the end.
    pub fn read_one_line(mut self) -> Ended {
        let stdout = self.child.stdout.take().expect("a piped output");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let mut ended = self.end();
        ended.stdout = line;
        ended
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(self.id(), signal).expect("a sent signal");
    }

    /// The number of its process.
    pub fn id(&self) -> nix::unistd::Pid {
        let id = i32::try_from(self.child.id()).expect("a process id");
        nix::unistd::Pid::from_raw(id)
    }

    /// Whether nobody listens any more.
    pub fn has_ended(&self) -> bool {
        TcpStream::connect(&self.address).is_err()
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("a sent signal");
        self.end()
    }

    /// Waits until it ends by itself.
    pub fn wait(self) -> Ended {
        self.end()
    }

    fn end(mut self) -> Ended {
        let mut stdout = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut stdout).expect("a text");
        }
        let status = self.child.wait().expect("an ended binary");
        self.said.extend(self.log.iter());
        Ended {
            status: status.code().unwrap_or(-1),
            stdout,
            stderr: std::mem::take(&mut self.said),
        }
    }
}

/// A test that fails leaves no process behind, and tells what it has said.
impl Drop for Running {
    #[expect(
        clippy::print_stdout,
        reason = "it is for whoever asks why a test failed"
    )]
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.child.kill();
            self.said.extend(self.log.iter());
            println!("{}", self.said);
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
