//! Attempts in the middle of a fault: the proxy or the engine is killed, the rules are removed.
//!
//! Deliberately absent: putting right what was broken. The supervisor does, and what is awaited here is that it did; with
//! Docker Compose nobody does.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc::{TryRecvError, channel};
use std::time::Duration;

use super::client::is_answered;
use super::world::{PATIENCE, RELAYED, WORD};
use super::{Firewall, World};
use crate::bed::{ran, signal};
use crate::wait;

/// A name that the client is granted.
const GRANTED: &str = "api.example.org";

impl World {
    /// Makes an attempt while the proxy, where there is one, is dead and nobody starts it again.
    #[track_caller]
    pub fn while_the_proxy_is_dead(&self, attempt: impl FnOnce(&Self) -> bool) -> bool {
        let Some(daemon) = &self.daemon else { return attempt(self) };
        let container = self.bed.container("egress-proxy");
        daemon.signal("STOP");
        signal(self.bed.engine.pid(&container), "KILL");
        wait::until("the proxy's end", || {
            (self.bed.engine.inspect(&container)["State"]["Running"] == false).then_some(())
        });
        let went = attempt(self);
        daemon.signal("CONT");
        daemon.until_healthy();
        wait::until("a way out again", || self.gets_out().then_some(()));
        went
    }

    /// Makes an attempt while the engine is dead. What was open when it died goes on.
    #[track_caller]
    pub fn while_the_engine_is_dead(&self, attempt: impl FnOnce(&Self) -> bool) -> bool {
        self.remember();
        let open = self.daemon.as_ref().map(|_| {
            let tunnel = self.tunnel(GRANTED, 443).expect("a tunnel through the proxy");
            (tunnel, TcpStream::connect(("127.0.0.1", RELAYED)).expect("the relayed port"))
        });
        self.kill_the_engine();
        if let Some((tunnel, mut relayed)) = open {
            assert!(is_answered(tunnel, GRANTED), "a tunnel ended with the engine");
            let mut answer = String::new();
            relayed.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("to ask over the relay");
            relayed.read_to_string(&mut answer).expect("an answer over the relay");
            assert!(answer.contains(WORD), "{answer}");
        }
        let went = attempt(self);
        self.revive_the_engine();
        self.wait_until_whole();
        went
    }

    /// Makes an attempt over and over from the engine's death on, until it is back and all that it ran.
    #[track_caller]
    pub fn until_the_engine_is_back(&self, attempt: impl Fn(&Self) -> bool + Send) -> bool {
        self.remember();
        self.kill_the_engine();
        std::thread::scope(|scope| {
            // Gone with this closure, however that ends.
            let (back, is_back) = channel::<()>();
            let trying = scope.spawn(move || {
                let mut went = false;
                while is_back.try_recv() == Err(TryRecvError::Empty) {
                    went |= attempt(self);
                }
                went
            });
            self.revive_the_engine();
            self.wait_until_whole();
            drop(back);
            trying.join().expect("attempts")
        })
    }

    /// Makes an attempt once a killed engine is back, and all that it ran.
    #[track_caller]
    pub fn once_the_engine_is_back(&self, attempt: impl FnOnce(&Self) -> bool) -> bool {
        self.kill_the_engine();
        self.revive_the_engine();
        self.wait_until_whole();
        attempt(self)
    }

    /// Everything runs and does what it has to.
    #[track_caller]
    fn wait_until_whole(&self) {
        if self.daemon.is_none() {
            // What it ended itself when it was back, the engine takes for stopped by somebody.
            self.compose_up();
        }
        let proxy = self.daemon.as_ref().map(|_| "egress-proxy");
        let runs = |service| self.container(service)["State"]["Running"] == true;
        let all = || ["edge", "app", "client"].into_iter().chain(proxy).all(runs);
        let published = || self.host_gets("http://127.0.0.1:18080/");
        wait::until("all services again", || (all() && published()).then_some(()));
        if let Some(daemon) = &self.daemon {
            let relayed = || self.host_gets(&format!("http://127.0.0.1:{RELAYED}/"));
            wait::until("the ways in and out again", || (relayed() && self.gets_out()).then_some(()));
            daemon.until_healthy();
            self.bed.supervisor(&["guard", "check"]).expect(0);
        }
        self.route_out();
    }

    /// Whether the client gets to the name that it is granted.
    fn gets_out(&self) -> bool {
        self.through_the_proxy(GRANTED, GRANTED, 443)
    }

    /// Makes an attempt after the rules were removed: once they are back, if somebody puts them back.
    #[track_caller]
    pub fn after_the_rules_were_removed(&self, attempt: impl FnOnce(&Self) -> bool) -> bool {
        self.remove_rules();
        self.wait_for_rules();
        attempt(self)
    }

    /// Whether a service gets the word over a connection that it began while the rules were away, once they are back.
    #[track_caller]
    pub fn goes_on_after_the_rules_were_removed(&self, service: &str, address: &str, port: u16) -> bool {
        if let Some(daemon) = &self.daemon {
            daemon.signal("STOP");
        }
        self.remove_rules();
        let at = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port);
        let began = self.inside(service, || TcpStream::connect_timeout(&at, PATIENCE));
        if let Some(daemon) = &self.daemon {
            daemon.signal("CONT");
        }
        let mut stream = began.expect("a connection while nothing guards");
        self.wait_for_rules();
        let mut answer = Vec::new();
        let _ = stream.set_read_timeout(Some(Duration::from_secs(3)));
        let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = stream.read_to_end(&mut answer);
        asked.is_ok() && String::from_utf8_lossy(&answer).contains(WORD)
    }

    fn remove_rules(&self) {
        match self.firewall {
            Firewall::Guide => self.without_the_guides_rules(),
            Firewall::None => {
                ran(Command::new("nft").args(["delete", "table", "inet", &self.table()])).expect(0);
            }
        }
    }

    fn wait_for_rules(&self) {
        if self.firewall == Firewall::None {
            let listed = || ran(Command::new("nft").args(["list", "table", "inet", &self.table()])).code == 0;
            wait::until("the guard again", || listed().then_some(()));
        }
    }

    fn table(&self) -> String {
        format!("supervisor-{}", self.bed.project)
    }
}
