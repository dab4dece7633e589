//! A stack on the engine, with a neighbour, services of the host, and what stands for the internet.
//!
//! Deliberately absent: which attempts are made, and what may come of them.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::attack::containers::compose;
use crate::bed::{Bed, ran};
use crate::dns::Dns;
use crate::neighbour::{self, HOST, HOST6, Neighbour};
use crate::{image, stack};

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
/// Where the test's engine asks for names.
pub(super) const RESOLVER: &str = "192.0.2.53";

/// For an answer that will not come.
const PATIENCE: Duration = Duration::from_secs(1);
/// What nobody should have given.
const WORD: &str = "canary";

/// Which firewall there is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// None.
    None,
    /// ufw's denial of what comes in, and the guide's rules for `DOCKER-USER`.
    Guide,
}

/// Everything that attempts are made among. The turn of those who need the engine's network for themselves is held.
pub struct World {
    /// The stack's project.
    pub bed: Bed,
    /// The neighbour.
    pub neighbour: Neighbour,
    /// The host's address on the link.
    pub host: String,
    /// The same in IPv6.
    pub host6: String,
    dns: Dns,
    rules: Vec<Vec<String>>,
    strangers: Vec<String>,
    over: Arc<AtomicBool>,
    _turn: File,
}

/// The stack, as a file that both can run: `{own}` is what only ours has.
fn file(image: &str, own: &str) -> String {
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
    ports: ["80:8080", "127.0.0.1:18080:8080"]
    networks: [front, back]
  app:
    <<: *serve
    ports: []
    networks: [back]
networks:
  front: {{enable_ipv6: true}}
  back: {{internal: true, enable_ipv6: true}}
"#
    )
}

impl World {
    /// The stack's file and everything around it; nothing of the stack is started.
    #[track_caller]
    pub fn new(room: &str, firewall: Firewall) -> Self {
        let turn = stack::turn();
        let bed = Bed::new(room);
        let image = image::busybox(&bed.engine);
        let own = if firewall == Firewall::None { "x-supervisor: {edge: edge}" } else { "" };
        bed.write("compose.yaml", &file(&image, own));
        let neighbour = Neighbour::new();
        for address in [METADATA, METADATA6, PRIVATE, PRIVATE6, PUBLIC, RESOLVER] {
            neighbour.has(address);
        }
        let over = Arc::new(AtomicBool::new(false));
        neighbour.within(|| {
            serve(80, None, &over);
            echo(80, &over);
        });
        serve(SERVICE, None, &over);
        echo(SERVICE, &over);
        serve(ENGINE, Some(bed.engine.socket().to_owned()), &over);
        let dns = neighbour.within(|| Dns::at(RESOLVER.parse().expect("an address")));
        dns.set("www.example.org", &[PUBLIC]);
        let mut world = Self {
            bed,
            neighbour,
            host: HOST.to_owned(),
            host6: HOST6.to_owned(),
            dns,
            rules: Vec::new(),
            strangers: Vec::new(),
            over,
            _turn: turn,
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
        for (name, network, port) in [("hand", front.as_str(), "19000"), ("stranger", "bridge", "19001")] {
            let body = json!({
                "Image": image,
                "User": "0:0",
                "Cmd": ["sh", "-c", serve],
                "Labels": {"com.docker.compose.project": self.bed.project},
                "ExposedPorts": {"80/tcp": {}},
                "HostConfig": {
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
    }

    /// Docker Compose's `up`.
    #[track_caller]
    pub fn compose_up(&self) {
        compose(&self.bed, "compose.yaml", &["up", "--detach"]).expect(0);
    }

    fn inspect(&self, service: &str, network: &str) -> Value {
        let inspected = self.bed.engine.inspect(&self.bed.container(service));
        inspected["NetworkSettings"]["Networks"][format!("{}_{network}", self.bed.project)].clone()
    }

    #[track_caller]
    fn text(value: &Value) -> String {
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
        let network = self.bed.engine.get(&format!("/networks/{}_{network}", self.bed.project));
        let rows = network["IPAM"]["Config"].as_array().cloned().unwrap_or_default();
        let gateway = rows.iter().map(|row| row["Gateway"].as_str().unwrap_or_default());
        let gateway =
            gateway.map(|at| at.split('/').next().unwrap_or_default()).find(|at| at.contains(':') == v6);
        gateway.unwrap_or_else(|| panic!("no gateway for `{service}` in {rows:?}")).to_owned()
    }

    /// The address of the container of another stack.
    #[track_caller]
    pub fn stranger(&self) -> String {
        let inspected = self.bed.engine.inspect(&self.bed.container("stranger"));
        Self::text(&inspected["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
    }

    /// A URL of a container's own address.
    #[track_caller]
    pub fn url(&self, service: &str, network: &str, v6: bool, port: u16) -> String {
        let address = self.address(service, network, v6);
        if v6 { format!("http://[{address}]:{port}/") } else { format!("http://{address}:{port}/") }
    }

    /// Whether the neighbour gets the word under a URL, with a route to it through the host.
    #[track_caller]
    pub fn neighbour_gets(&self, url: &str) -> bool {
        if url.contains("127.0.0.1") {
            // Loopback by a route: the neighbour gives up its own first.
            self.neighbour.ip(&["address", "flush", "dev", "lo", "scope", "host"]);
            let set = ["net.ipv4.conf.all.route_localnet=1"];
            ran(self.neighbour.command("sysctl").arg("-qw").args(set)).expect(0);
            self.neighbour.ip(&["route", "replace", "127.0.0.0/8", "via", HOST, "dev", "eth0"]);
        }
        let curl = ["-s", "-g", "-m", "2", url];
        ran(self.neighbour.command("curl").args(curl)).out.contains(WORD)
    }

    /// Whether this host gets the word under a URL.
    #[track_caller]
    pub fn host_gets(&self, url: &str) -> bool {
        ran(Command::new("curl").args(["-s", "-g", "-m", "5", url])).out.contains(WORD)
    }

    /// Runs this in a container's network.
    #[track_caller]
    fn inside<T: Send>(&self, service: &str, body: impl FnOnce() -> T + Send) -> T {
        let pid = self.bed.engine.pid(&self.bed.container(service));
        neighbour::in_network(&PathBuf::from(format!("/proc/{pid}/ns/net")), body)
    }

    /// Gives the service on the internal network the route out that the engine did not: an intruder would.
    #[track_caller]
    pub fn route_out(&self) {
        let pid = self.bed.engine.pid(&self.bed.container("app"));
        let network = format!("--net=/proc/{pid}/ns/net");
        for (family, v6) in [("-4", false), ("-6", true)] {
            let gateway = self.gateway("app", "back", v6);
            let route = ["ip", family, "route", "replace", "default", "via", &gateway];
            ran(Command::new("nsenter").arg(&network).args(route)).expect(0);
        }
    }

    /// Whether a service reads the word there over TCP.
    #[track_caller]
    pub fn reads(&self, service: &str, address: &str, port: u16) -> bool {
        let at = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port);
        let read = || {
            let mut stream = TcpStream::connect_timeout(&at, PATIENCE).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            stream.write_all(b"GET /version HTTP/1.0\r\nHost: engine\r\n\r\n").ok()?;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            Some(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = self.inside(service, read).unwrap_or_default();
        answer.contains(WORD) || answer.contains("ApiVersion") || answer.starts_with("HTTP/1")
    }

    /// Whether a datagram of a service comes back from there.
    #[track_caller]
    pub fn echoes(&self, service: &str, address: &str, port: u16) -> bool {
        let at = SocketAddr::new(address.parse::<IpAddr>().expect("an address"), port);
        self.inside(service, || says(at, WORD.as_bytes())).is_some()
    }

    /// Whether a service's ping is answered.
    #[track_caller]
    pub fn pings(&self, service: &str, address: &str) -> bool {
        let pid = self.bed.engine.pid(&self.bed.container(service));
        let network = format!("--net=/proc/{pid}/ns/net");
        let ping = [network.as_str(), "busybox", "ping", "-c", "1", "-W", "1", address];
        ran(Command::new("nsenter").args(ping)).code == 0
    }

    /// Whether a question of a service comes to the resolver outside, through this one.
    #[track_caller]
    pub fn asks(&self, service: &str, resolver: &str) -> bool {
        let before = self.dns.asked().len();
        let at = SocketAddr::new(resolver.parse::<IpAddr>().expect("an address"), 53);
        // Standard query, recursion desired, one question: `secret.tunnel.example.org`, type A, class IN.
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in ["secret", "tunnel", "example", "org"] {
            question.push(u8::try_from(label.len()).expect("a short label"));
            question.extend(label.as_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        self.inside(service, || says(at, &question));
        self.dns.asked().iter().skip(before).any(|name| name.contains("tunnel"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for rule in &self.rules {
            let (program, rule) = match rule.split_first() {
                Some((six, rest)) if six == "6" => ("ip6tables", rest),
                _ => ("iptables", rule.as_slice()),
            };
            ran(Command::new(program).arg("-D").args(rule));
        }
        self.strangers_leave();
    }
}

/// Sends a datagram, and waits for one.
fn says(at: SocketAddr, what: &[u8]) -> Option<()> {
    let own: SocketAddr = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse().ok()?;
    let socket = UdpSocket::bind(own).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.send_to(what, at).ok()?;
    socket.recv_from(&mut [0; 512]).ok().map(drop)
}

/// Answers on a port of this network with the word, or with what is said at this socket, until it is over.
#[track_caller]
fn serve(port: u16, socket: Option<PathBuf>, over: &Arc<AtomicBool>) {
    let listener = TcpListener::bind(("::", port)).expect("a port of the test's own");
    listener.set_nonblocking(true).expect("a socket that does not wait");
    let over = Arc::clone(over);
    std::thread::spawn(move || {
        while !over.load(Ordering::Relaxed) {
            let Ok((mut stream, _)) = listener.accept() else {
                std::thread::sleep(Duration::from_millis(10));
                continue;
            };
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut question = [0; 1024];
            let length = stream.read(&mut question).unwrap_or_default();
            let answer = match &socket {
                None => format!("HTTP/1.0 200 OK\r\n\r\n{WORD}\n").into_bytes(),
                Some(socket) => pass(socket, &question[..length]).unwrap_or_default(),
            };
            let _ = stream.write_all(&answer);
        }
    });
}

fn pass(socket: &PathBuf, question: &[u8]) -> Option<Vec<u8>> {
    let mut engine = UnixStream::connect(socket).ok()?;
    engine.set_read_timeout(Some(PATIENCE)).ok()?;
    engine.write_all(question).ok()?;
    let mut answer = Vec::new();
    let _ = engine.read_to_end(&mut answer);
    Some(answer)
}

/// Sends datagrams to a port of this network back, until it is over.
#[track_caller]
fn echo(port: u16, over: &Arc<AtomicBool>) {
    for address in ["0.0.0.0", "::1"] {
        let Ok(socket) = UdpSocket::bind((address, port)) else { continue };
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
}
