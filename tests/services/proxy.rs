//! Stands between clients and a broker, and does to requests what networks do: cuts
//! connections, holds requests back, and delivers them when nobody expects them any more.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

const PATIENCE: Duration = Duration::from_mins(1);

/// Where brokers say that they are: only the proxy listens there.
pub const HOST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// The name of the client whose requests are held; brokers and tests have others.
pub const CLIENT: &str = "held";

/// The requests that the tests name, by Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Api {
    Produce = 0,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    TxnOffsetCommit = 28,
}

/// A proxy of one broker. Its threads end with the process.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    broker: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The kind of which the next request is held back.
    wanted: Option<i16>,
    held: Option<Vec<u8>>,
    /// The kind of which every request gets lost.
    lost: Option<i16>,
    /// The kinds of those that have passed since.
    passed: Vec<i16>,
    /// How long requests are on their way.
    delay: Duration,
    /// Whether new connections are closed at once.
    is_cut: bool,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// A proxy of the broker that listens at this address; it has the same port.
    pub fn of(broker: &str) -> Self {
        let broker: SocketAddr = broker.parse().expect("an address");
        let own = SocketAddr::new(IpAddr::V4(HOST), broker.port());
        let listener = TcpListener::bind(own).expect("the broker's port at another address");
        let shared = Arc::new(Shared {
            broker,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is down refuses, and so does the proxy.
                let _ = accepting.connect(client);
            }
        });
        Self { shared }
    }

    /// Holds the next request of a kind back and cuts its connection, so that whoever
    /// sent it does not know whether it has arrived.
    pub fn hold_next(&self, api: Api) {
        self.shared.state.lock().wanted = Some(api as i16);
    }

    /// Holds the next request of a kind back, and loses all that come after it until the
    /// network is mended.
    pub fn hold_next_and_lose(&self, api: Api) {
        let mut state = self.shared.state.lock();
        state.wanted = Some(api as i16);
        state.lost = Some(api as i16);
    }

    /// Waits until one was held, and since then requests of these kinds have passed, one
    /// after the other.
    pub fn wait_until_held(&self, then: &[Api]) {
        self.wait("requests come", |state| {
            let mut passed = state.passed.iter();
            let mut then = then.iter();
            state.held.is_some() && then.all(|api| passed.any(|passed| *passed == *api as i16))
        });
    }

    /// Delivers the request that was held, on a connection of its own, and waits for its
    /// answer.
    pub fn deliver(&self) {
        assert!(self.deliver_if_held(), "a request was held");
    }

    /// The same if one was held; says whether one was.
    pub fn deliver_if_held(&self) -> bool {
        let held = self.shared.state.lock().held.take();
        let Some(held) = held else {
            return false;
        };
        let mut broker = TcpStream::connect(self.shared.broker).expect("a broker");
        write_frame(&mut broker, &held).expect("a sent request");
        read_frame(&mut broker).expect("an answer");
        true
    }

    /// Cuts all connections, and those to come.
    pub fn cut(&self) {
        let mut state = self.shared.state.lock();
        state.is_cut = true;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Makes every request wait for so long on its way.
    #[cfg(feature = "campaign")]
    pub fn delay(&self, delay: Duration) {
        self.shared.state.lock().delay = delay;
    }

    /// Lets new connections through again, and whatever is sent.
    pub fn mend(&self) {
        let mut state = self.shared.state.lock();
        state.is_cut = false;
        state.lost = None;
    }

    /// Forgets whatever was asked for.
    pub fn calm(&self) {
        let mut state = self.shared.state.lock();
        state.wanted = None;
        state.held = None;
        state.lost = None;
        state.delay = Duration::ZERO;
        state.is_cut = false;
    }

    fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let mut state = self.shared.state.lock();
        let changed = &self.shared.changed;
        let waited = changed.wait_while_for(&mut state, |state| !is_so(state), PATIENCE);
        assert!(
            !waited.timed_out(),
            "in {PATIENCE:?} it did not happen that {what}"
        );
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let broker = TcpStream::connect(self.broker)?;
        broker.set_nodelay(true)?;
        client.set_nodelay(true)?;
        {
            let mut state = self.state.lock();
            if state.is_cut {
                return client.shutdown(Shutdown::Both);
            }
            state.connections.push(client.try_clone()?);
            state.connections.push(broker.try_clone()?);
        }
        let (mut answers, mut answered) = (broker.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut answers, &mut answered);
            let _ = answered.shutdown(Shutdown::Both);
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let _ = shared.pass_requests(&client, &broker);
            let _ = client.shutdown(Shutdown::Both);
            let _ = broker.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    /// Lets requests through until one is held or the client has gone.
    fn pass_requests(&self, mut client: &TcpStream, mut broker: &TcpStream) -> io::Result<()> {
        loop {
            let request = read_frame(&mut client)?;
            let api = i16::from_be_bytes([request[0], request[1]]);
            if client_of(&request) == Some(CLIENT.as_bytes()) {
                let mut state = self.state.lock();
                let is_wanted = state.wanted == Some(api);
                if is_wanted {
                    state.wanted = None;
                    state.held = Some(request.clone());
                    state.passed.clear();
                }
                let is_lost = is_wanted || state.lost == Some(api);
                if !is_lost {
                    state.passed.push(api);
                }
                self.changed.notify_all();
                if is_lost {
                    return Ok(());
                }
            }
            let delay = self.state.lock().delay;
            if !delay.is_zero() {
                thread::park_timeout(delay);
            }
            write_frame(&mut broker, &request)?;
        }
    }
}

/// The name of the client that has sent a request; it stands behind the kind, the version
/// and the number.
fn client_of(request: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes([request[8], request[9]]);
    request.get(10..10 + usize::from(length))
}

/// A request or an answer without its length.
fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    let mut frame = vec![0; usize::try_from(length).expect("a small frame")];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn write_frame(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).expect("a small frame");
    to.write_all(&[&length.to_be_bytes(), frame].concat())
}
