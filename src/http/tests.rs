//! Clients and a server of the tests that says what it was asked.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::testing::{fine, serve, stub};
use super::*;

#[test]
fn addresses() {
    for (text, path, expected) in [
        (
            "http://localhost:1",
            &["subjects", "t/x y-value"][..],
            Ok("http://localhost:1/subjects/t%2Fx%20y-value"),
        ),
        (
            "https://localhost/apis/v7/",
            &["x"],
            Ok("https://localhost/apis/v7/x"),
        ),
        (
            "ftp://a",
            &[],
            Err("'ftp://a' begins with neither http:// nor https://"),
        ),
        (
            "a:8081",
            &[],
            Err("'a:8081' begins with neither http:// nor https://"),
        ),
        (
            concat!("http", "://me:canary@localhost"),
            &[],
            Err("an address must not hold a user or a password"),
        ),
    ] {
        let found = Base::parse(text).map(|base| base.with(path, &[]).to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_used_is_told_without_secrets() {
    let pem = |authorities: Option<&str>, identity: Option<&str>| Tls {
        authorities: authorities.map(str::to_owned),
        identity: identity.map(|pem| Secret::new(pem.to_owned())),
    };
    let nobody = Credentials::None;
    let key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
    for (tls, credentials, expected) in [
        (
            pem(Some("no pem"), None),
            &nobody,
            "the trusted certificates",
        ),
        (
            pem(None, Some(key)),
            &nobody,
            "the client's certificate and key",
        ),
        (
            pem(None, None),
            &Credentials::Bearer(Secret::new("canary\n".to_owned())),
            "the credentials",
        ),
    ] {
        let error = Client::new(&tls, credentials).err().unwrap().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(
            !error.contains("canary") && !error.contains("Y2FuYXJ5"),
            "{error}"
        );
    }
}

fn request(base: &Base) -> Request<'_> {
    Request {
        base,
        path: &["a b"],
        query: &[("k", "v&w")],
        body: None,
        media_type: "text/x",
    }
}

#[tokio::test]
async fn a_request_has_all_that_was_said() {
    for (credentials, header) in [
        (Credentials::None, None),
        (
            Credentials::Basic(Secret::new("me:secret".to_owned())),
            Some("authorization: Basic bWU6c2VjcmV0"),
        ),
        (
            Credentials::Bearer(Secret::new("token".to_owned())),
            Some("authorization: Bearer token"),
        ),
    ] {
        let client = Client::new(&Tls::default(), &credentials).unwrap();
        let (base, asked) = stub(vec![fine("ok")]).await;
        let mut request = request(&base);
        request.body = Some("{}");
        let answer = client.send(request).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
        let asked = asked.await.unwrap().remove(0);
        assert!(
            asked.starts_with("POST /a%20b?k=v%26w HTTP/1.1\r\n"),
            "{asked}"
        );
        for line in ["content-type: text/x", "accept: text/x"]
            .into_iter()
            .chain(header)
        {
            assert!(asked.lines().any(|asked| asked == line), "{line}: {asked}");
        }
        assert!(
            header.is_some() || !asked.contains("authorization"),
            "{asked}"
        );
        assert!(asked.ends_with("\r\n\r\n{}"), "{asked}");
    }
}

#[test]
fn what_holds_secrets_cannot_be_shown() {
    use crate::secret::assert_is_never_shown;
    assert_is_never_shown!(Credentials);
    assert_is_never_shown!(Tls);
    assert_is_never_shown!(Client);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let client = Client::new(&Tls::default(), &Credentials::None).unwrap();
    let (base, _asked) = stub(vec![moved.to_owned()]).await;
    assert_eq!(client.send(request(&base)).await.unwrap().status, 302);
}

#[tokio::test]
async fn answers_without_end_are_refused() {
    let client = Client::new(&Tls::default(), &Credentials::None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        serve(&mut stream, "HTTP/1.1 200 OK\r\n\r\n").await;
        let endless = " ".repeat(1 << 20);
        // Until the client hangs up.
        while stream.write_all(endless.as_bytes()).await.is_ok() {}
    });
    let refused = client.send(request(&base)).await;
    assert!(
        matches!(&refused, Err(Error::Wrong(why)) if why.contains("more than")),
        "{refused:?}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let (base, server) = stub(Vec::new()).await;
    server.await.unwrap();
    let client = Client::new(&Tls::default(), &Credentials::None).unwrap();
    let error = client.send(request(&base)).await.unwrap_err();
    let is_told = error.to_string().contains("Connection refused");
    assert!(matches!(error, Error::Unreachable(_)) && is_told, "{error}");
}

/// An authority with certificates of it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

/// A server of one request that wants to see a certificate of `authority`, with one of
/// its own for `name`.
async fn secured(authority: &Authority, name: &str) -> (Base, JoinHandle<()>) {
    let (certificate, key) = authority.issue(name);
    let mut roots = RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let base = Base::parse(&format!("https://localhost:{port}")).unwrap();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            serve(stream, &fine("ok")).await;
        }
    });
    (base, served)
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.issue("client");
        let pem = format!("{}\n{}", certificate.pem(), key.serialize_pem());
        Some(Secret::new(pem))
    };
    let trust = |authority: &Authority| Some(authority.0.pem());
    for (server_name, authorities, identity, expected) in [
        ("localhost", trust(&ours), identity(&ours), None),
        ("localhost", None, identity(&ours), Some("UnknownIssuer")),
        (
            "localhost",
            trust(&theirs),
            identity(&ours),
            Some("UnknownIssuer"),
        ),
        (
            "elsewhere",
            trust(&ours),
            identity(&ours),
            Some("not valid for name \"localhost\""),
        ),
        ("localhost", trust(&ours), None, Some("CertificateRequired")),
        (
            "localhost",
            trust(&ours),
            identity(&theirs),
            Some("UnknownCA"),
        ),
    ] {
        let (base, served) = secured(&ours, server_name).await;
        let tls = Tls {
            authorities,
            identity,
        };
        let client = Client::new(&tls, &Credentials::None).unwrap();
        let answered = client.send(request(&base)).await;
        match (answered, expected) {
            (Ok(answer), None) => {
                assert_eq!(answer.status, 200);
                served.await.unwrap();
            }
            (Err(Error::Unreachable(why)), Some(expected)) => {
                assert!(why.contains(expected), "{expected}: {why}");
            }
            other => panic!("{server_name}: {other:?}"),
        }
    }
}
