//! Attempts in the middle of a fault: the proxy is killed, the rules are removed.
//!
//! Deliberately absent: putting right what was broken. The supervisor does, and what is awaited here is that it did; with
//! Docker Compose nobody does.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use super::world::{PATIENCE, WORD};
use super::{Firewall, World};
use crate::bed::{ran, signal};
use crate::wait;

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
        wait::until("a way out again", || {
            self.through_the_proxy("api.example.org", "api.example.org", 443).then_some(())
        });
        went
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
