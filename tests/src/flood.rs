//! Attacks on the endpoint, and its owner asking all the while: how much of the processor an answer cost, at most, and how
//! long the loop's turns took.
//!
//! Deliberately absent: judging the figures.

mod malformed;
mod target;

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http;
pub use target::Target;

/// What is attacked, and by how much.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Where the endpoint listens.
    pub address: SocketAddr,
    /// The owner's token.
    pub token: String,
    /// The endpoint's process.
    pub endpoint: u32,
    /// How long its owner asks before anybody else does: what is seen then is what the rest is compared with.
    pub quiet: Duration,
    /// Connections that say nothing, and as many that never end their headers.
    pub connections: usize,
    /// How long malformed requests are made up.
    pub fuzz: Duration,
    /// And how many a second, at most.
    pub per_second: u32,
    /// What they are made up from.
    pub seed: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By the owner, before the attacks.
    pub before: Owner,
    /// And during them.
    pub during: Owner,
    /// Malformed requests.
    pub malformed: u64,
    /// Attackers' connections.
    pub connections: u64,
    /// Answers that an attacker should not have had; none, where all is well.
    pub wrong: Vec<String>,
}

/// What the owner saw.
#[derive(Clone, Debug, Default)]
pub struct Owner {
    /// Answers.
    pub answers: u64,
    /// The endpoint's time on the processor from one of the owner's requests to its answer, at most: whatever else it did
    /// meanwhile is counted.
    pub longest_on_the_processor: Duration,
    /// And all of them together.
    pub on_the_processor: Duration,
    /// The same by the clock on the wall.
    pub longest: Duration,
    /// The longest that the loop's last turn was ago, as the endpoint said.
    pub oldest_turn: Duration,
    /// The longest turn of the loop, as the endpoint said.
    pub longest_turn: Duration,
}

/// Makes every attack, one kind after the other, while the owner asks.
#[track_caller]
pub fn attack(attack: &Attack) -> Seen {
    let before = {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let owner = scope.spawn(|| owner(attack, &done));
            std::thread::sleep(attack.quiet);
            done.store(true, Ordering::Relaxed);
            owner.join().expect("the owner")
        })
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let owner = scope.spawn(|| owner(attack, &done));
        let mut seen = Seen { before, ..Seen::default() };
        idle(attack, &mut seen);
        slow(attack, &mut seen);
        strangers(attack, &mut seen);
        fuzz(attack, &mut seen);
        done.store(true, Ordering::Relaxed);
        seen.during = owner.join().expect("the owner");
        seen
    })
}

/// Time on the processor of a process with one thread (`/proc/PID/schedstat`, in nanoseconds).
fn on_the_processor(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the endpoint's process");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

/// Asks until it is done, at least once.
fn owner(attack: &Attack, done: &AtomicBool) -> Owner {
    let (address, bearer) = (attack.address.to_string(), format!("Bearer {}", attack.token));
    let mut seen = Owner::default();
    loop {
        let (before, began) = (on_the_processor(attack.endpoint), Instant::now());
        let answer = http::get_with(&address, "/metrics", &[("Authorization", &bearer)])
            .expect("an answer to the owner");
        assert_eq!(answer.status, 200, "{}", answer.text());
        seen.longest = seen.longest.max(began.elapsed());
        let cost = on_the_processor(attack.endpoint).saturating_sub(before);
        seen.longest_on_the_processor = seen.longest_on_the_processor.max(cost);
        seen.on_the_processor += cost;
        let text = answer.text();
        let seconds = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("{} "));
            Duration::from_secs_f64(value.and_then(|value| value.parse().ok()).expect(name))
        };
        seen.oldest_turn = seen.oldest_turn.max(seconds("supervisor_turn_age_seconds"));
        seen.longest_turn = seen.longest_turn.max(seconds("supervisor_turn_duration_seconds"));
        seen.answers += 1;
        if done.load(Ordering::Relaxed) {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn connect(attack: &Attack, seen: &mut Seen) -> io::Result<TcpStream> {
    seen.connections += 1;
    let stream = TcpStream::connect(attack.address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// As many connections as this process may have at once, held, and made anew until there were enough.
fn idle(attack: &Attack, seen: &mut Seen) {
    let mut held = Vec::new();
    for _ in 0..attack.connections {
        match connect(attack, seen) {
            Ok(stream) => held.push(stream),
            Err(_) => held.clear(),
        }
    }
}

/// Headers, a byte at a time, that never end.
fn slow(attack: &Attack, seen: &mut Seen) {
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..attack.connections {
        if let Ok(mut stream) = connect(attack, seen) {
            let _ = stream.write_all(b"GET /status HTTP/1.1\r\nX-Slow: ");
            held.push(stream);
        }
        if number % 64 == 63 {
            for stream in &mut held {
                let _ = stream.write_all(b"x");
            }
            held.clear();
        }
    }
}

/// No token, wrong ones, and bodies without an end.
fn strangers(attack: &Attack, seen: &mut Seen) {
    let half = attack.token.get(..attack.token.len() / 2).unwrap_or_default();
    for token in ["", "Bearer", "Bearer x", &format!("Bearer {half}"), &format!("Basic {}", attack.token)] {
        let head = format!("GET /status HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n");
        ask(attack, head.as_bytes(), seen);
    }
    ask(attack, b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n", seen);
    let mut endless = b"POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n".to_vec();
    endless.resize(4 * 1024 * 1024, b'x');
    ask(attack, &endless, seen);
    let mut chunked = b"POST /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"fff\r\n".as_slice(), &[b'x'; 4095], b"\r\n"].concat();
    chunked.extend(chunk.repeat(256));
    ask(attack, &chunked, seen);
}

/// Sends it and reads what comes.
fn ask(attack: &Attack, request: &[u8], seen: &mut Seen) {
    let Ok(mut stream) = connect(attack, seen) else { return };
    // A refusal may come before all of it is written.
    let _ = stream.write_all(request);
    hear(attack, stream, request, seen);
}

/// What is said to whoever is refused.
const REFUSALS: [&str; 6] = ["400", "401", "413", "421", "431", "505"];
/// And to whoever has the token: what is asked for, or why not.
const ANSWERS: [&str; 4] = ["200", "404", "405", "503"];
/// So many are told of; one is too many.
const TOLD: usize = 100;

/// Ends a request and reads what comes: whoever did not send the token is never let in.
fn hear(attack: &Attack, mut stream: TcpStream, request: &[u8], seen: &mut Seen) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    let first: String = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let mut words = first.split(' ');
    let (version, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let token = attack.token.as_bytes();
    let knows = request.windows(token.len()).any(|window| window == token);
    let fine = ["HTTP/1.0", "HTTP/1.1"].contains(&version)
        && (REFUSALS.contains(&status) || knows && ANSWERS.contains(&status));
    let shown = String::from_utf8_lossy(request.get(..request.len().min(600)).unwrap_or_default());
    let wrong = if ended.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        format!("not cut off: {shown:?}")
    } else if !answer.is_empty() && !fine {
        format!("{first:?} to {shown:?}")
    } else {
        return;
    };
    if seen.wrong.len() < TOLD {
        seen.wrong.push(wrong);
    }
}

/// Connections whose request is begun and not ended: half of what one listener has at once.
const BEGUN: usize = 32;

/// Malformed requests until the time is over, each in two pieces with others' in between.
fn fuzz(attack: &Attack, seen: &mut Seen) {
    let begin = Instant::now();
    let mut requests = malformed::Requests::new(attack.seed, &attack.token);
    let mut begun: std::collections::VecDeque<(TcpStream, Vec<u8>, usize)> =
        std::collections::VecDeque::new();
    while begin.elapsed() < attack.fuzz {
        let (request, cut) = requests.next();
        seen.malformed += 1;
        if let Ok(mut stream) = connect(attack, seen) {
            let _ = stream.write_all(&request[..cut]);
            begun.push_back((stream, request, cut));
        }
        if begun.len() >= BEGUN {
            for one in begun.drain(..1) {
                end(attack, one, seen);
            }
        }
        let due = Duration::from_secs(seen.malformed) / attack.per_second.max(1);
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    for one in begun {
        end(attack, one, seen);
    }
}

fn end(attack: &Attack, (mut stream, request, cut): (TcpStream, Vec<u8>, usize), seen: &mut Seen) {
    let _ = stream.write_all(&request[cut..]);
    hear(attack, stream, &request, seen);
}
