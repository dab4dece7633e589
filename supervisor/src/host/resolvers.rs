//! Where the engine asks for names on behalf of containers: what its options and its file say, else the host's resolvers.
//!
//! Those on a loopback address are left out: the engine asks them from the host's own network. Nobody tells this but the
//! engine's command line and the files that it reads, and its process is the one named `dockerd` in this network namespace.
//! Deliberately absent: resolving.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The engine's file where its command line names no other (dockerd(8)).
const DAEMON: &str = "/etc/docker/daemon.json";
/// What systemd-resolved forwards to; read by the engine in place of a file that names its stub alone.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
const STUB: &str = "127.0.0.53";
/// Where the host's own engine writes the number of its process (dockerd(8), `--pidfile`): a machine with hundreds of containers
/// has a thousand processes to look through otherwise.
const PIDFILE: &str = "/run/docker.pid";

/// The resolvers that are asked from containers' networks, by the engine whose process this is, where that is known.
pub fn of_the_engine(process: Option<u32>) -> BTreeSet<IpAddr> {
    let mut said: Vec<String> = engines(process).iter().flat_map(|arguments| options(arguments)).collect();
    if said.is_empty() {
        said = of_the_host(&read("/etc/resolv.conf"), &read(BEHIND_STUB));
    }
    said.iter().filter_map(|text| text.parse::<IpAddr>().ok()).filter(|at| !at.is_loopback()).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The process that made a socket that this one can connect to (`SO_PEERCRED` of unix(7)): the engine, but where a service
/// manager listens for it.
pub fn behind(socket: &Path) -> Option<u32> {
    let engine = UnixStream::connect(socket).ok()?;
    let process = rustix::net::sockopt::socket_peercred(&engine).ok()?;
    u32::try_from(process.pid.as_raw_nonzero().get()).ok()
}

/// The command lines of the engines in this network namespace: the one that was found behind the socket, the host's own, which
/// says where it is, else whoever is one.
fn engines(known: Option<u32>) -> Vec<Vec<String>> {
    let here = fs::read_link("/proc/self/ns/net").ok();
    let is_engine = |folder: &PathBuf| {
        is_called(folder, b"dockerd\n") && fs::read_link(folder.join("ns/net")).ok() == here
    };
    let line =
        |folder: PathBuf| read(folder.join("cmdline")).split_terminator('\0').map(str::to_owned).collect();
    let known = known.map(|number| number.to_string());
    let said = [known, Some(read(PIDFILE))].into_iter().flatten();
    if let Some(own) = said.filter_map(|number| process(&number)).find(is_engine) {
        return vec![line(own)];
    }
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| process(entry.file_name().to_str()?));
    processes.filter(is_engine).map(line).collect()
}

/// The kernel's folder of a process by its number; `None` where the text is none.
fn process(number: &str) -> Option<PathBuf> {
    number.trim().parse::<u32>().ok().map(|number| PathBuf::from(format!("/proc/{number}")))
}

/// Whether a process has this name. All of the machine's are asked, so that it costs three calls each and not five: a name has
/// 15 characters at most (`PR_SET_NAME` of prctl(2)), and comes in one piece.
fn is_called(process: &Path, name: &[u8]) -> bool {
    let mut read = [0; 16];
    let length = File::open(process.join("comm")).and_then(|mut file| file.read(&mut read));
    length.is_ok_and(|length| read.get(..length) == Some(name))
}

/// What an engine was told: by its command line, and by its file.
fn options(arguments: &[String]) -> Vec<String> {
    let file = values(arguments, "config-file").pop();
    let mut said = values(arguments, "dns");
    said.extend(of_file(&read(file.as_deref().unwrap_or(DAEMON))));
    said
}

/// The values of an option that may be given several times: `--dns X`, `--dns=X`.
fn values(arguments: &[String], option: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(name) = argument.strip_prefix("--") else { continue };
        match name.split_once('=') {
            Some((name, value)) if name == option => values.push(value.to_owned()),
            None if name == option => values.extend(rest.next().cloned()),
            _ => {}
        }
    }
    values
}

/// `"dns": [...]` of the engine's file.
fn of_file(text: &str) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let rows = document.get("dns").and_then(serde_json::Value::as_array);
    rows.into_iter().flatten().filter_map(|row| Some(row.as_str()?.to_owned())).collect()
}

/// What `nameserver` rows say (resolv.conf(5)).
pub(crate) fn nameservers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver") { words.next() } else { None }
    })
}

/// The host's resolvers; where the stub alone is named, those behind it.
fn of_the_host(own: &str, behind: &str) -> Vec<String> {
    // A scope is the host's own; the address says enough.
    let address = |at: &str| at.split('%').next().unwrap_or_default().to_owned();
    let rows = |text: &str| -> Vec<String> { nameservers(text).map(address).collect() };
    let own = rows(own);
    if own == [STUB] { rows(behind) } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_option_is_found_in_both_spellings() {
        let line =
            words("dockerd --host unix:///x --dns 192.0.2.53 --dns=192.0.2.54 --dns-search example.org");
        assert_eq!(values(&line, "dns"), ["192.0.2.53", "192.0.2.54"]);
        assert_eq!(values(&words("dockerd --config-file /a"), "config-file"), ["/a"]);
        assert_eq!(values(&words("dockerd --dns"), "dns"), Vec::<String>::new());
    }

    #[test]
    fn a_process_is_told_by_its_number_and_by_its_name() {
        assert_eq!(process("17\n"), Some(PathBuf::from("/proc/17")));
        assert_eq!(process("sys"), None);
        let own = PathBuf::from("/proc/self");
        let name = fs::read(own.join("comm")).unwrap();
        assert!(is_called(&own, &name));
        assert!(!is_called(&own, b"dockerd\n") && !is_called(Path::new("/proc/none"), &name));
    }

    #[test]
    fn the_engines_file_may_say_it() {
        assert_eq!(of_file(r#"{"dns": ["10.0.0.2", 5]}"#), ["10.0.0.2"]);
        assert_eq!(of_file("not JSON"), Vec::<String>::new());
    }

    #[test]
    fn a_stub_stands_for_what_is_behind_it() {
        let behind = "nameserver 10.0.0.2\nnameserver fe80::1%eth0\n";
        assert_eq!(
            of_the_host("# a\nnameserver 127.0.0.53\noptions edns0\n", behind),
            ["10.0.0.2", "fe80::1"]
        );
        assert_eq!(of_the_host("nameserver 9.9.9.9\n", behind), ["9.9.9.9"]);
        assert_eq!(of_the_host("nameserver 127.0.0.53\nnameserver 9.9.9.9\n", behind), [STUB, "9.9.9.9"]);
    }
}
