//! Loopback ports of services on internal networks: listened on here, and passed on to the container that runs now.
//!
//! A thread of its own, so that whatever passes costs the loop nothing. A port stays bound while its container is
//! away: nobody else can take its place. Deliberately absent: which ports, and where containers are (`decide::relay`);
//! what the bytes say.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use super::splice::{Pipes, join};
use crate::decide::relay::{Relay, bound};
use crate::privileged::Rights;

/// Ports, and where each leads now.
pub type Relays = BTreeMap<Relay, Vec<SocketAddr>>;

/// For a container to take a connection. Its network is on this machine.
const CONNECT: Duration = Duration::from_secs(3);
/// A port that could not be listened on is tried again after this long.
const AGAIN: Duration = Duration::from_secs(2);
/// A peer that says nothing is asked whether it is there after this long (tcp(7), `TCP_KEEPIDLE`).
const KEEPALIVE: Duration = Duration::from_mins(1);

/// How one port is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Why it is not listened on; `None` where it is.
    pub error: Option<String>,
    /// Connections now.
    pub open: usize,
    /// The most at once.
    pub bound: usize,
    /// Connections that were passed on so far.
    pub passed: u64,
    /// Connections that were closed at once: too many, or no container took them.
    pub refused: u64,
}

/// The running relay; it ends with this value, and its connections with it.
#[derive(Debug)]
pub struct Relaying {
    relays: watch::Sender<Relays>,
    statuses: Statuses,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relaying {
    /// Begins with no port.
    ///
    /// # Errors
    /// The machine gives no more threads or descriptors.
    pub fn start(rights: Rights) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (relays, wanted) = watch::channel(Relays::new());
        let (stop, stopped) = oneshot::channel::<()>();
        let statuses = Statuses::default();
        let shared = statuses.clone();
        let thread =
            std::thread::Builder::new().name("relay".into()).stack_size(256 * 1024).spawn(move || {
                LocalSet::new().block_on(&runtime, async {
                    tokio::select! {
                        _ = stopped => {}
                        () = keep(wanted, shared, &rights) => {}
                    }
                });
            })?;
        Ok(Self { relays, statuses, stop: Some(stop), thread: Some(thread) })
    }

    /// These ports from now on. What is listened on already stays so, and its connections to containers that are still
    /// there go on.
    pub fn set(&self, relays: Relays) {
        self.relays.send_if_modified(|now| {
            let other = *now != relays;
            if other {
                *now = relays;
            }
            other
        });
    }

    /// Every port, where it leads, and how it is doing.
    pub fn statuses(&self) -> Vec<(Relay, Vec<SocketAddr>, Status)> {
        let statuses = self.statuses.lock();
        let relays = self.relays.borrow();
        let rows = relays
            .iter()
            .map(|(relay, to)| (relay.clone(), to.clone(), statuses.get(relay).cloned().unwrap_or_default()));
        rows.collect()
    }
}

impl Drop for Relaying {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Written by the relay's thread, read by the loop's.
#[derive(Clone, Debug, Default)]
struct Statuses(Arc<Mutex<BTreeMap<Relay, Status>>>);

impl Statuses {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Relay, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, relay: &Relay, change: impl FnOnce(&mut Status)) {
        change(self.lock().entry(relay.clone()).or_default());
    }
}

/// What a port is told: where to, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Target {
    to: Vec<SocketAddr>,
    bound: usize,
}

/// A port that is listened on; dropping it closes it and its connections.
struct Port {
    target: watch::Sender<Target>,
    _accepting: JoinSet<()>,
}

/// Listens on what is wanted, for as long as somebody wants it.
async fn keep(mut wanted: watch::Receiver<Relays>, statuses: Statuses, rights: &Rights) {
    let pipes = Rc::new(Pipes::default());
    let mut ports: BTreeMap<Relay, Port> = BTreeMap::new();
    loop {
        let relays = wanted.borrow_and_update().clone();
        ports.retain(|relay, _| relays.contains_key(relay));
        statuses.lock().retain(|relay, _| relays.contains_key(relay));
        let bound = bound(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), relays.len());
        for (relay, to) in relays.clone() {
            let target = Target { to, bound };
            statuses.note(&relay, |status| status.bound = bound);
            if let Some(port) = ports.get(&relay) {
                port.target.send_replace(target);
                continue;
            }
            match listen(relay.listen, rights).await {
                Ok(listener) => {
                    statuses.note(&relay, |status| status.error = None);
                    tracing::info!(service = relay.service, "listening on {} for it", relay.listen);
                    let (sender, target) = watch::channel(target);
                    let mut accepting = JoinSet::new();
                    let shared = (statuses.clone(), Rc::clone(&pipes));
                    accepting.spawn_local(accept(listener, relay.clone(), target, shared));
                    ports.insert(relay, Port { target: sender, _accepting: accepting });
                }
                Err(error) => fail(&statuses, &relay, &error),
            }
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = sleep(AGAIN), if ports.len() < relays.len() => {}
        }
    }
}

/// Listens; on a low port by whoever has the right to.
async fn listen(at: SocketAddr, rights: &Rights) -> io::Result<TcpListener> {
    match TcpListener::bind(at).await {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let listener = rights.listen(at)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        }
        outcome => outcome,
    }
}

/// Says once why a port is not listened on.
fn fail(statuses: &Statuses, relay: &Relay, error: &io::Error) {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("; `ss -lntp 'sport = :{}'` names who listens there", relay.listen.port())
        }
        io::ErrorKind::PermissionDenied => {
            "; it is below `net.ipv4.ip_unprivileged_port_start`, and nobody has the right to it: publish it from there on"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address".to_owned(),
        _ => String::new(),
    };
    let text = format!("cannot listen on `{}`: {error}{hint}", relay.listen);
    statuses.note(relay, |status| {
        if status.error.as_ref() != Some(&text) {
            tracing::error!(service = relay.service, "{text}");
            status.error = Some(text);
        }
    });
}

/// Accepts until it is dropped.
async fn accept(
    listener: TcpListener,
    relay: Relay,
    target: watch::Receiver<Target>,
    (statuses, pipes): (Statuses, Rc<Pipes>),
) {
    let mut open = JoinSet::new();
    let mut turn = 0_usize;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else {
                    // Out of descriptors, or the client is gone already: neither ends the port.
                    sleep(Duration::from_millis(50)).await;
                    continue;
                };
                if open.len() >= target.borrow().bound {
                    statuses.note(&relay, |status| status.refused += 1);
                    continue;
                }
                turn = turn.wrapping_add(1);
                let (relay, target) = (relay.clone(), target.clone());
                let (statuses, pipes) = (statuses.clone(), Rc::clone(&pipes));
                open.spawn_local(async move { pass(client, turn, &relay, target, &statuses, &pipes).await });
            }
            Some(_) = open.join_next() => {}
        }
        statuses.note(&relay, |status| status.open = open.len());
    }
}

/// One connection, until both sides are done or its container is no longer there.
async fn pass(
    client: TcpStream,
    turn: usize,
    relay: &Relay,
    mut target: watch::Receiver<Target>,
    statuses: &Statuses,
    pipes: &Pipes,
) {
    let to = target.borrow().to.clone();
    let Some((server, at)) = dial(&to, turn).await else {
        return statuses.note(relay, |status| status.refused += 1);
    };
    statuses.note(relay, |status| status.passed += 1);
    for side in [&client, &server] {
        let _ = side.set_nodelay(true);
        let _ = sockopt::set_socket_keepalive(side, true);
        let _ = sockopt::set_tcp_keepidle(side, KEEPALIVE);
    }
    tokio::select! {
        () = join(&client, &server, pipes) => {}
        // Its address may be another container's next.
        _ = target.wait_for(|target| !target.to.contains(&at)) => {}
    }
}

/// The first container, from one's turn on, that takes a connection.
async fn dial(to: &[SocketAddr], turn: usize) -> Option<(TcpStream, SocketAddr)> {
    for n in 0..to.len() {
        let at = *to.get(turn.wrapping_add(n) % to.len())?;
        if let Ok(Ok(server)) = timeout(CONNECT, TcpStream::connect(at)).await {
            return Some((server, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener as Listener, TcpStream as Stream};

    use super::*;

    /// A server that says its name to everyone, and sends back what comes.
    fn server(name: &'static str) -> SocketAddr {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                std::thread::spawn(move || {
                    client.write_all(name.as_bytes()).unwrap();
                    let mut bytes = [0; 64];
                    while let Ok(count @ 1..) = client.read(&mut bytes) {
                        client.write_all(&bytes[..count]).unwrap();
                    }
                });
            }
        });
        at
    }

    /// A port that nobody listens on now.
    fn free() -> Relay {
        let listen = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Relay { listen, service: "web".into() }
    }

    fn relaying(relay: &Relay, to: &[SocketAddr]) -> Relaying {
        let relaying = Relaying::start(Rights::Own).unwrap();
        relaying.set([(relay.clone(), to.to_vec())].into());
        relaying
    }

    fn until(what: &str, done: impl Fn() -> bool) {
        for _ in 0..2000 {
            if done() {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what} did not come");
    }

    fn listens(relay: &Relay) -> Stream {
        until("the port", || Stream::connect(relay.listen).is_ok());
        Stream::connect(relay.listen).unwrap()
    }

    /// The next bytes; `None` at the end, however it came.
    fn heard(client: &mut Stream) -> Option<String> {
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut bytes = [0; 64];
        match client.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => Some(String::from_utf8_lossy(&bytes[..count]).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_port_follows_its_container_and_leaves_no_connection_to_the_old_one() {
        let relay = free();
        let relaying = relaying(&relay, &[server("old")]);
        let mut client = listens(&relay);
        assert_eq!(heard(&mut client).as_deref(), Some("old"));
        client.write_all(b"ping").unwrap();
        assert_eq!(heard(&mut client).as_deref(), Some("ping"));
        relaying.set([(relay.clone(), vec![server("new")])].into());
        assert_eq!(heard(&mut client), None);
        assert_eq!(heard(&mut listens(&relay)).as_deref(), Some("new"));
        relaying.set([(relay.clone(), Vec::new())].into());
        until("an end", || heard(&mut Stream::connect(relay.listen).unwrap()).is_none());
        relaying.set(Relays::new());
        until("a closed port", || Stream::connect(relay.listen).is_err());
    }

    #[test]
    fn a_taken_port_is_told_and_had_once_it_is_free() {
        let relay = free();
        let other = Listener::bind(relay.listen).unwrap();
        let relaying = relaying(&relay, &[server("web")]);
        let error = || relaying.statuses().first().and_then(|(_, _, status)| status.error.clone());
        until("the error", || error().is_some());
        let port = relay.listen.port();
        assert_eq!(
            error().unwrap(),
            format!(
                "cannot listen on `127.0.0.1:{port}`: Address already in use (os error 98); \
                 `ss -lntp 'sport = :{port}'` names who listens there"
            )
        );
        drop(other);
        until("the port", || error().is_none());
        assert_eq!(heard(&mut listens(&relay)).as_deref(), Some("web"));
    }

    #[test]
    fn one_too_many_is_closed_at_once_and_the_others_go_on() {
        let at = server("web");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let relay = Relay { listen: free().listen, service: "web".into() };
        let statuses = Statuses::default();
        let (_target, target) = watch::channel(Target { to: vec![at], bound: 2 });
        let _clients = LocalSet::new().block_on(&runtime, async {
            let listener = TcpListener::bind(relay.listen).await.unwrap();
            let shared = (statuses.clone(), Rc::new(Pipes::default()));
            tokio::task::spawn_local(accept(listener, relay.clone(), target, shared));
            let clients = tokio::task::spawn_blocking(move || {
                let mut clients: Vec<_> = (0..2).map(|_| Stream::connect(relay.listen).unwrap()).collect();
                let heard_first: Vec<_> = clients.iter_mut().map(heard).collect();
                assert_eq!(heard_first, [Some("web".to_owned()), Some("web".to_owned())]);
                assert_eq!(heard(&mut Stream::connect(relay.listen).unwrap()), None);
                clients[0].write_all(b"still").unwrap();
                assert_eq!(heard(&mut clients[0]).as_deref(), Some("still"));
                clients
            });
            // Connected until the end: who hangs up is not open any more.
            clients.await.unwrap()
        });
        let status = statuses.lock().values().next().cloned().unwrap();
        assert_eq!((status.open, status.passed, status.refused), (2, 2, 1));
    }
}
