//! A real registry on loopback, Debian's `docker-registry`, and a line before it that can be cut.
//!
//! The engine takes registries on 127.0.0.0/8 without TLS (dockerd(8), `--insecure-registry`). Deliberately absent:
//! credentials; one that asks for them is only ever refused.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::engine::{Engine, escape};
use crate::{http, image, wait};

/// The manifest as the engine pushes it; the registry gives older forms to whoever does not ask for one.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry of its own; dropping it ends it.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// One that lets everybody in.
    #[track_caller]
    pub fn open() -> Self {
        Self::start("")
    }

    /// One that lets nobody in without a password.
    #[track_caller]
    pub fn closed() -> Self {
        Self::start("auth: {htpasswd: {realm: tests, path: FOLDER/users}}\n")
    }

    #[track_caller]
    fn start(further: &str) -> Self {
        let binary = std::env::var_os("SUPERVISOR_REGISTRY_BIN")
            .expect("SUPERVISOR_REGISTRY_BIN names no registry; `cargo xtask test` sets it");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().display().to_string();
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let address = free.to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {place}/data}}}}\n\
             http: {{addr: \"{address}\"}}\n{}",
            further.replace("FOLDER", &place)
        );
        std::fs::write(folder.path().join("config.yml"), config).expect("its configuration");
        // Nobody has this password: it is the hash of nothing that is known.
        let user = "user:$2y$05$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk\n";
        std::fs::write(folder.path().join("users"), user).expect("its users");
        let mut command = Command::new(binary);
        command.arg("serve").arg(folder.path().join("config.yml")).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn().expect("the registry");
        let registry = Self { child, address, _folder: folder };
        wait::until("the registry", || TcpStream::connect(&registry.address).ok());
        registry
    }

    /// `127.0.0.1:PORT`, as image names begin.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes an image of its own with so many bytes that nobody has yet, pushes it as `NAME:1`, and takes it from the
    /// engine again; its id and its digest. `program` is what it does.
    #[track_caller]
    pub fn push(&self, engine: &Engine, name: &str, program: &str, bytes: u64) -> (String, String) {
        let mut noise = Vec::new();
        let random = std::fs::File::open("/dev/urandom").expect("random bytes");
        random.take(bytes).read_to_end(&mut noise).expect("random bytes");
        let full = format!("{}/{name}", self.address);
        let change = escape(&format!("CMD [\"sh\",\"-c\",\"{program}\"]"));
        let path = format!("/images/create?fromSrc=-&repo={full}&tag=1&changes={change}");
        let made = engine.request("POST", &path, "application/x-tar", &image::root_with("noise", &noise));
        assert_eq!(made.status, 200, "{}", made.text());
        let id = engine.get(&format!("/images/{full}:1/json"))["Id"].as_str().expect("an id").to_owned();
        engine.push(&full, "1");
        engine.remove_image(&format!("{full}:1"));
        let path = format!("/v2/{name}/manifests/1");
        let manifest = http::get_with(&self.address, &path, &[("Accept", MANIFEST)]).expect("the manifest");
        let digest = manifest.header("docker-content-digest").expect("a digest").to_owned();
        (id, digest)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a line does to answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Cuts the first connection on which so many bytes have come, and then nothing more.
    CutOnce(u64),
    /// Passes so many bytes of each connection, and holds it open without a further one.
    Stall(u64),
}

/// A line to a registry, as an address of its own; it ends with the test's process.
#[derive(Debug)]
pub struct Line {
    address: String,
    fault: Arc<Mutex<Fault>>,
    passed: Arc<AtomicU64>,
}

impl Line {
    /// A line to this registry.
    #[track_caller]
    pub fn to(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let address = listener.local_addr().expect("its address").to_string();
        let (fault, passed) = (Arc::new(Mutex::new(Fault::None)), Arc::new(AtomicU64::new(0)));
        let (upstream, shared, count) = (registry.address.clone(), Arc::clone(&fault), Arc::clone(&passed));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, fault, passed) = (upstream.clone(), Arc::clone(&shared), Arc::clone(&count));
                std::thread::spawn(move || carry(client, &upstream, &fault, &passed));
            }
        });
        Self { address, fault, passed }
    }

    /// `127.0.0.1:PORT`, as image names begin.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on answers are treated so.
    #[track_caller]
    pub fn set(&self, fault: Fault) {
        *self.fault.lock().expect("no thread panicked") = fault;
    }

    /// Bytes of answers that came through since the last call.
    pub fn passed(&self) -> u64 {
        self.passed.swap(0, Ordering::SeqCst)
    }
}

fn carry(client: TcpStream, upstream: &str, fault: &Mutex<Fault>, passed: &AtomicU64) {
    let Ok(server) = TcpStream::connect(upstream) else { return };
    let (Ok(mut asked), Ok(mut to)) = (client.try_clone(), server.try_clone()) else { return };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut asked, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut server, mut client) = (server, client);
    let mut buffer = vec![0; 16 * 1024];
    let mut here = 0;
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let Ok(mut now) = fault.lock() else { return };
        match *now {
            Fault::CutOnce(after) if here > after => {
                *now = Fault::None;
                let _ = client.shutdown(Shutdown::Both);
                return;
            }
            Fault::Stall(after) if here > after => {
                drop(now);
                // Until the client gives up; what it still says is of no interest.
                while let Ok(1..) = client.read(&mut buffer) {}
                return;
            }
            _ => drop(now),
        }
        here += count as u64;
        passed.fetch_add(count as u64, Ordering::SeqCst);
        if client.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}
