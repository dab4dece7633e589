//! A stack on an engine of its own, with a neighbour, services of the host, and what stands for the internet.
//!
//! Deliberately absent: which attempts are made, and what may come of them.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::engine::Known;
use crate::attack::containers::compose;
use crate::bed::{Bed, ran};
use crate::dns::Dns;
use crate::neighbour::{self, HOST, HOST6, Neighbour};
use crate::own_engine::OwnEngine;
use crate::{Daemon, image};

/// A port of the host on which a service answers, over TCP and UDP.
pub(super) const SERVICE: u16 = 19002;
/// The engine's TCP port.
pub(super) const ENGINE: u16 = 2375;
/// The cloud's metadata service.
pub(super) const METADATA: &str = "169.254.169.254";
/// The same in IPv6, as Amazon has it.
pub(super) const METADATA6: &str = "fd00:ec2::254";
/// A host on a private network.
pub(super) const PRIVATE: &str = "10.99.0.1";
/// The same in IPv6.
pub(super) const PRIVATE6: &str = "fd99::1";
/// A host on the internet.
pub(super) const PUBLIC: &str = "45.33.32.156";
/// The same in IPv6.
pub(super) const PUBLIC6: &str = "2600:3c01::f03c";
/// Another one.
const OTHER: &str = "45.33.32.157";
/// The same in IPv6.
const OTHER6: &str = "2600:3c01::f03d";
/// Where the test's engine asks for names.
pub(super) const RESOLVER: &str = "192.0.2.53";
/// Another resolver outside.
pub(super) const RESOLVER6: &str = "2600:3c01::53";
/// Names on the internet, and where they lead. The client is granted the first two, on port 443, and one that is turned.
const NAMES: [(&str, &str); 5] = [
    ("api.example.org", PUBLIC),
    ("api6.example.org", PUBLIC6),
    ("shared.example.org", PUBLIC),
    ("other.example.org", OTHER),
    ("other6.example.org", OTHER6),
];

/// For an answer that will not come.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// For a question, over a connection that was begun in the middle of a fault.
const QUESTION: Duration = Duration::from_mins(3);
/// What nobody should have given.
pub(super) const WORD: &str = "canary";

/// Which firewall there is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// None.
    None,
    /// ufw's denial of what comes in, and the guide's rules for `DOCKER-USER`.
    Guide,
}

/// The port of loopback by which the host gets to the service on the internal network: relayed with ours, and with Docker
/// Compose served by nobody.
pub(super) const RELAYED: u16 = 18081;

/// Everything that attempts are made among, on a thread in the network of its engine.
pub struct World {
    /// The stack's project.
    pub bed: Bed,
    /// The neighbour.
    pub neighbour: Neighbour,
    /// The host's address on the link.
    pub host: String,
    /// The same in IPv6.
    pub host6: String,
    pub(super) firewall: Firewall,
    pub(super) daemon: Option<Daemon>,
    pub(super) dns: Dns,
    pub(super) dns6: Dns,
    rules: Vec<Vec<String>>,
    strangers: Vec<String>,
    strange: Option<String>,
    over: Arc<AtomicBool>,
    pub(super) known: Mutex<Known>,
    /// The last to go: it ends what is left.
    pub(super) own: Mutex<OwnEngine>,
}

/// What only ours has.
const OWN: &str = r"
x-supervisor:
  edge: edge
  egress:
    client:
      - api.example.org:443
      - api6.example.org:443
      - turned.example.org:443
      - turned.example.org:80
      - turned.example.org:19002
";

/// The stack, as a file that both can run: `own` is what only ours has. The client is on this network.
fn file(image: &str, own: &str, client: &str) -> String {
    format!(
        r#"
{own}
services:
  edge: &serve
    image: {image}
    user: "1000:1000"
    command: [sh, -c, "echo {WORD} > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
    tmpfs: [/tmp]
    mem_limit: 64m
    stop_grace_period: 1s
    restart: unless-stopped
    ports: ["80:8080", "127.0.0.1:18080:8080"]
    networks: [front, back]
  app:
    <<: *serve
    ports: ["127.0.0.1:{RELAYED}:8080"]
    networks: [back]
  client:
    <<: *serve
    ports: []
    networks: [{client}]
networks:
  front: {{enable_ipv6: true}}
  back: {{internal: true, enable_ipv6: true}}
"#
    )
}

impl World {
    /// Does this on a thread in the network of an engine of its own, with the stack's file and everything around it;
    /// nothing of the stack is started.
    #[track_caller]
    pub fn within<T: Send>(room: &str, firewall: Firewall, body: impl FnOnce(&mut Self) -> T + Send) -> T {
        let own = OwnEngine::start();
        let network = own.network();
        neighbour::in_network(&network, || body(&mut Self::new(room, firewall, own)))
    }

    #[track_caller]
    fn new(room: &str, firewall: Firewall, own: OwnEngine) -> Self {
        let bed = Bed::on(room, own.engine().clone(), Some(own.network()));
        let image = image::busybox(&bed.engine);
        let keys = if firewall == Firewall::None { OWN } else { "" };
        bed.write("compose.yaml", &file(&image, keys, clients_network(firewall)));
        let neighbour = Neighbour::new();
        let outside =
            [METADATA, METADATA6, PRIVATE, PRIVATE6, PUBLIC, PUBLIC6, OTHER, OTHER6, RESOLVER, RESOLVER6];
        for address in outside {
            neighbour.has(address);
        }
        let over = Arc::new(AtomicBool::new(false));
        neighbour.within(|| {
            for port in [80, 443, 8443] {
                serve(port, None, &over);
            }
            // Each by itself: what all of them share would answer from one of them.
            for address in outside {
                echo(address, 80, &over);
            }
        });
        serve(SERVICE, None, &over);
        echo("::", SERVICE, &over);
        serve(ENGINE, Some(bed.engine.socket().to_owned()), &over);
        let resolver = |address: &str| Dns::at(address.parse::<IpAddr>().expect("an address"));
        let (dns, dns6) = neighbour.within(|| (resolver(RESOLVER), resolver(RESOLVER6)));
        for (name, address) in NAMES {
            dns.set(name, &[address]);
        }
        let mut world = Self {
            bed,
            neighbour,
            host: HOST.to_owned(),
            host6: HOST6.to_owned(),
            firewall,
            daemon: None,
            dns,
            dns6,
            rules: Vec::new(),
            strangers: Vec::new(),
            strange: None,
            over,
            known: Mutex::default(),
            own: Mutex::new(own),
        };
        if firewall == Firewall::Guide {
            world.guides_rules();
        }
        world
    }

    /// Section 4.3 of the guide, with the link's name in place of `eth0`, and ufw's `default deny incoming`.
    #[track_caller]
    fn guides_rules(&mut self) {
        let link = self.neighbour.link().to_owned();
        let established = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT"];
        let rules: [(&str, &[&str]); 5] = [
            ("DOCKER-USER", &["-j", "DROP"]),
            ("DOCKER-USER", &established),
            ("DOCKER-USER", &["-p", "tcp", "--dport", "80", "-j", "ACCEPT"]),
            ("DOCKER-USER", &["-p", "tcp", "--dport", "443", "-j", "ACCEPT"]),
            ("INPUT", &["-m", "conntrack", "--ctstate", "NEW", "-j", "DROP"]),
        ];
        for (chain, rule) in rules {
            let rule: Vec<String> =
                [chain, "-i", &link].iter().chain(rule).map(|word| (*word).to_owned()).collect();
            ran(Command::new("iptables").arg("-I").args(&rule)).expect(0);
            self.rules.push(rule);
        }
        // ufw denies over IPv6, too; the guide's rules for the engine are for IPv4 alone.
        let rule = ["INPUT", "-i", &link, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP"];
        ran(Command::new("ip6tables").arg("-I").args(rule)).expect(0);
        self.rules.push(std::iter::once("6").chain(rule).map(str::to_owned).collect());
    }

    /// What others have on the same engine: a container on the stack's own network that publishes on all addresses, and
    /// one of another stack.
    #[track_caller]
    pub fn strangers(&mut self) {
        let image = image::busybox(&self.bed.engine);
        let front = format!("{}_front", self.bed.project);
        let serve = format!("mkdir /www; echo {WORD} > /www/index.html; exec httpd -f -p 80 -h /www");
        let strange = format!("{}_strange", self.bed.project);
        let network = json!({"Name": strange, "EnableIPv6": true});
        self.bed.engine.post("/networks/create", &network);
        self.strange = Some(strange.clone());
        for (name, network, port) in [("hand", &front, "19000"), ("stranger", &strange, "19001")] {
            let body = json!({
                "Image": image,
                "User": "0:0",
                "Cmd": ["sh", "-c", serve],
                "Labels": {"com.docker.compose.project": self.bed.project},
                "ExposedPorts": {"80/tcp": {}},
                "HostConfig": {
                    "Init": true,
                    "NetworkMode": network,
                    "PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": port}, {"HostIp": "::", "HostPort": port}]},
                },
            });
            let name = self.bed.container(name);
            self.bed.engine.run(&name, &body);
            self.strangers.push(name);
            // The host itself is not who is kept out.
            let own = format!("http://127.0.0.1:{port}/");
            crate::wait::until("a stranger that answers", || self.host_gets(&own).then_some(()));
        }
    }

    /// They go again: a network that somebody is on cannot be removed.
    pub fn strangers_leave(&mut self) {
        for name in self.strangers.drain(..) {
            self.bed.engine.remove(&name);
        }
        if let Some(network) = self.strange.take() {
            self.bed.engine.request("DELETE", &format!("/networks/{network}"), "", b"");
        }
    }

    /// `supervisor run`, until everything is healthy.
    #[track_caller]
    pub fn supervise(&mut self) {
        let daemon = Daemon::start_static(&self.bed);
        daemon.until_healthy();
        self.daemon = Some(daemon);
    }

    /// Ends `supervisor run`; its exit code.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        self.daemon.take().expect("a supervisor").stop()
    }

    /// The network that the client is on, by the file's name for it.
    pub(super) const fn clients_network(&self) -> &'static str {
        clients_network(self.firewall)
    }

    /// The guide's rules are flushed.
    pub(super) fn without_the_guides_rules(&self) {
        for rule in &self.rules {
            let (program, rule) = match rule.split_first() {
                Some((six, rest)) if six == "6" => ("ip6tables", rest),
                _ => ("iptables", rule.as_slice()),
            };
            ran(Command::new(program).arg("-D").args(rule));
        }
    }

    /// Docker Compose's `up`.
    #[track_caller]
    pub fn compose_up(&self) {
        compose(&self.bed, "compose.yaml", &["up", "--detach"]).expect(0);
    }

    pub(super) fn inspect(&self, service: &str, network: &str) -> Value {
        let inspected = self.container(service);
        inspected["NetworkSettings"]["Networks"][format!("{}_{network}", self.bed.project)].clone()
    }

    #[track_caller]
    pub(super) fn text(value: &Value) -> String {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| panic!("no address: {value}"))
            .to_owned()
    }

    /// A container's address.
    #[track_caller]
    pub fn address(&self, service: &str, network: &str, v6: bool) -> String {
        Self::text(&self.inspect(service, network)[if v6 { "GlobalIPv6Address" } else { "IPAddress" }])
    }

    /// The host's address on a network's bridge; a network without a way out has one, too.
    #[track_caller]
    pub fn gateway(&self, service: &str, network: &str, v6: bool) -> String {
        let network = self.asked(&format!("/networks/{}_{network}", self.bed.project));
        let rows = network["IPAM"]["Config"].as_array().cloned().unwrap_or_default();
        let gateway = rows.iter().map(|row| row["Gateway"].as_str().unwrap_or_default());
        let gateway =
            gateway.map(|at| at.split('/').next().unwrap_or_default()).find(|at| at.contains(':') == v6);
        gateway.unwrap_or_else(|| panic!("no gateway for `{service}` in {rows:?}")).to_owned()
    }

    /// The address of the container of another stack.
    #[track_caller]
    pub fn stranger(&self, v6: bool) -> String {
        self.address("stranger", "strange", v6)
    }

    /// A URL of a container's own address.
    #[track_caller]
    pub fn url(&self, service: &str, network: &str, v6: bool, port: u16) -> String {
        let address = self.address(service, network, v6);
        if v6 { format!("http://[{address}]:{port}/") } else { format!("http://{address}:{port}/") }
    }

    /// Runs this in a container's network.
    #[track_caller]
    pub(super) fn inside<T: Send>(&self, service: &str, body: impl FnOnce() -> T + Send) -> T {
        let pid = self.pid(service);
        neighbour::in_network(&PathBuf::from(format!("/proc/{pid}/ns/net")), body)
    }

    /// Gives the services on the internal network the route out that the engine did not: an intruder would.
    #[track_caller]
    pub fn route_out(&self) {
        let on_back =
            ["app", "client"].into_iter().filter(|name| *name == "app" || self.clients_network() == "back");
        for service in on_back {
            let pid = self.pid(service);
            let network = format!("--net=/proc/{pid}/ns/net");
            for (family, v6) in [("-4", false), ("-6", true)] {
                let gateway = self.gateway(service, "back", v6);
                let route = ["ip", family, "route", "replace", "default", "via", &gateway];
                ran(Command::new("nsenter").arg(&network).args(route)).expect(0);
            }
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The rest goes with the engine and its network.
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Answers on a port of this network with the word, or with what is said at this socket, until it is over: whoever asks,
/// and nobody who does not.
#[track_caller]
fn serve(port: u16, socket: Option<PathBuf>, over: &Arc<AtomicBool>) {
    let listener = TcpListener::bind(("::", port)).expect("a port of the test's own");
    listener.set_nonblocking(true).expect("a socket that does not wait");
    let over = Arc::clone(over);
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let Ok((stream, _)) = listener.accept() else {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            };
            let socket = socket.clone();
            std::thread::spawn(move || answer(stream, socket.as_ref()));
        }
    });
}

fn answer(mut stream: TcpStream, socket: Option<&PathBuf>) {
    let _ = stream.set_nonblocking(false);
    let _ = stream.set_read_timeout(Some(QUESTION));
    let mut question = [0; 1024];
    let Ok(length @ 1..) = stream.read(&mut question) else { return };
    let answer = match socket {
        None => format!("HTTP/1.0 200 OK\r\n\r\n{WORD}\n").into_bytes(),
        Some(socket) => pass(socket, &question[..length]).unwrap_or_default(),
    };
    let _ = stream.write_all(&answer);
}

fn pass(socket: &PathBuf, question: &[u8]) -> Option<Vec<u8>> {
    let mut engine = UnixStream::connect(socket).ok()?;
    engine.set_read_timeout(Some(PATIENCE)).ok()?;
    engine.write_all(question).ok()?;
    let mut answer = Vec::new();
    let _ = engine.read_to_end(&mut answer);
    Some(answer)
}

/// Sends datagrams to an address and port of this network back, until it is over.
#[track_caller]
fn echo(address: &str, port: u16, over: &Arc<AtomicBool>) {
    let socket = UdpSocket::bind((address, port)).expect("a port of the test's own");
    socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out on a socket");
    let over = Arc::clone(over);
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let mut bytes = [0; 512];
            if let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let _ = socket.send_to(&bytes[..length], from);
            }
        }
    });
}

/// Compose has no way out by name: what needs one there gets all of it.
const fn clients_network(firewall: Firewall) -> &'static str {
    match firewall {
        Firewall::Guide => "front",
        Firewall::None => "back",
    }
}
