//! The standard streams as the sinks that write to them share them.

use std::io::{self, ErrorKind, Write};

use crate::runtime::{Error, Result};

/// Where rows are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
}

/// Writes `bytes` whole, so that the rows of two sinks never mix within a batch.
/// A reader that is slow or stopped holds up the caller, not the engine's thread.
pub(super) async fn write(stream: Stream, bytes: Vec<u8>) -> Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let written = tokio::task::spawn_blocking(move || match stream {
        Stream::Output => write_to(&mut io::stdout().lock(), &bytes),
        Stream::Error => write_to(&mut io::stderr().lock(), &bytes),
    });
    written
        .await
        .map_err(|error| Error::Retryable(format!("cannot write to the terminal: {error}")))?
}

fn write_to(stream: &mut impl Write, bytes: &[u8]) -> Result<()> {
    stream
        .write_all(bytes)
        .and_then(|()| stream.flush())
        .map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Error::OutputClosed,
            _ => Error::Fatal(format!("cannot write to the terminal: {error}")),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_apart() {
        let closed = write_to(&mut Broken(ErrorKind::BrokenPipe), b"row\n");
        assert!(matches!(closed, Err(Error::OutputClosed)));
        let full = write_to(&mut Broken(ErrorKind::StorageFull), b"row\n");
        assert!(matches!(full, Err(Error::Fatal(_))));
        let mut taken = Vec::new();
        write_to(&mut taken, b"row\n").unwrap();
        assert_eq!(taken, b"row\n");
    }
}
