//! On which address the API listens, and what happens if it is taken.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::str::FromStr;

/// Flink's port, on loopback.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Where to listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// Nobody asked for an address: 127.0.0.1:8081, or a free port if that is taken.
    #[default]
    Default,
    /// Somebody asked for this loopback address; no other will do.
    Explicit(SocketAddr),
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no address.
    #[error("expected an address and a port such as 127.0.0.1:8081; port 0 takes a free one")]
    Malformed,
    /// The address can be reached from elsewhere.
    #[error(
        "{0} can be reached over the network and there is no authentication yet; set --listen \
         (THALWEG_LISTEN) to a loopback address such as 127.0.0.1:{port} and let a proxy that \
         authenticates forward to it", port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The port is taken or may not be used.
    #[error(
        "cannot listen on {address}: {source}; set --listen to another port, or to port 0 for a free one"
    )]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    address: SocketAddr,
}

impl Listen {
    /// Binds the address.
    ///
    /// # Errors
    /// If an address that was asked for is taken, or no port is free.
    pub fn bind(self) -> Result<Listener, Error> {
        match self {
            Self::Default => bind_or_free_port(DEFAULT),
            Self::Explicit(address) => bind(address),
        }
    }
}

impl Listener {
    /// The address with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Only the literal name: what a resolver answers may change.
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        let address: SocketAddr = numeric.parse().map_err(|_| Error::Malformed)?;
        if address.ip().to_canonical().is_loopback() {
            Ok(Self::Explicit(address))
        } else {
            Err(Error::NotLoopback(address))
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => DEFAULT.fmt(f),
            Self::Explicit(address) => address.fmt(f),
        }
    }
}

fn bind_or_free_port(address: SocketAddr) -> Result<Listener, Error> {
    match bind(address) {
        Err(Error::Bind { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
            bind(SocketAddr::new(address.ip(), 0))
        }
        bound => bound,
    }
}

fn bind(address: SocketAddr) -> Result<Listener, Error> {
    let bound = TcpListener::bind(address).and_then(|socket| {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address })
    });
    bound.map_err(|source| Error::Bind { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_accepted() {
        let check = |text: &str, expected: &str| {
            let said = match text.parse::<Listen>() {
                Ok(listen) => listen.to_string(),
                Err(error) => error.to_string(),
            };
            assert!(said.starts_with(expected), "{text}: {said}");
        };
        check("127.0.0.1:9000", "127.0.0.1:9000");
        check("127.8.8.8:9000", "127.8.8.8:9000");
        check("localhost:0", "127.0.0.1:0");
        check("[::1]:8081", "[::1]:8081");
        check(
            "0.0.0.0:8081",
            "0.0.0.0:8081 can be reached over the network",
        );
        check("[::]:8081", "[::]:8081 can be reached over the network");
        check("10.1.2.3:80", "10.1.2.3:80 can be reached over the network");
        check(
            "[::ffff:10.1.2.3]:80",
            "[::ffff:10.1.2.3]:80 can be reached",
        );
        check("8081", "expected an address");
        check("localhost:http", "expected an address");
        check("localhost.example.org:80", "expected an address");
    }

    #[test]
    fn a_taken_default_gives_way_but_a_taken_wish_is_an_error() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let given = bind_or_free_port(taken.address()).unwrap();
        assert_ne!(given.address().port(), taken.address().port());

        let error = Listen::Explicit(taken.address()).bind().unwrap_err();
        assert!(matches!(error, Error::Bind { .. }), "{error}");
        assert!(
            error.to_string().contains(&taken.address().to_string()),
            "{error}"
        );
    }

    #[test]
    fn port_0_takes_a_free_port_and_tells_which() {
        let listener = "127.0.0.1:0".parse::<Listen>().unwrap().bind().unwrap();
        assert_ne!(listener.address().port(), 0);
    }
}
