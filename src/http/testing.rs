//! A server for tests of clients: it gives answers that were written down before, and
//! tells what it was asked.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Base;

/// Gives each connection one of the answers, and then leaves; its address, and what it
/// was asked.
pub(crate) async fn stub(answers: Vec<String>) -> (Base, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asked = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().await.unwrap();
            asked.push(serve(stream, &answer).await);
        }
        asked
    });
    (base, asked)
}

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// The answer that all is well.
pub(crate) fn fine(body: &str) -> String {
    answer(200, body)
}

/// Reads one request and answers it.
pub(crate) async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &str) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 1_024];
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        (body.len() >= length).then_some(())
    };
    while is_whole(&request).is_none() {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the client has gone");
        request.extend_from_slice(&buffer[..read]);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    String::from_utf8(request).unwrap()
}
