//! Attacks on the endpoint, and its owner asking all the while: how much of the processor an answer cost, at most.
//!
//! Deliberately absent: judging the figures, and starting what is attacked.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http;

/// What is attacked, and by how much.
#[derive(Clone, Debug)]
pub struct Attack {
    /// Where the endpoint listens.
    pub address: SocketAddr,
    /// The owner's token.
    pub token: String,
    /// The endpoint's process.
    pub endpoint: u32,
    /// Connections that say nothing, and as many that never end their headers.
    pub connections: usize,
    /// How long malformed requests are made up.
    pub fuzz: Duration,
    /// What they are made up from.
    pub seed: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers to the owner.
    pub answers: u64,
    /// The endpoint's time on the processor from one of the owner's requests to its answer, at most.
    pub longest_on_the_processor: Duration,
    /// The same by the clock on the wall.
    pub longest: Duration,
    /// The longest that the loop's last turn was ago, as the endpoint said.
    pub oldest_turn: Duration,
    /// Malformed requests.
    pub malformed: u64,
    /// Attackers' connections.
    pub connections: u64,
    /// Answers that an attacker should not have had; none, where all is well.
    pub wrong: Vec<String>,
}

/// Makes every attack, one kind after the other, while the owner asks.
#[track_caller]
pub fn attack(attack: &Attack) -> Seen {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let owner = scope.spawn(|| owner(attack, &done));
        let mut seen = Seen::default();
        idle(attack, &mut seen);
        slow(attack, &mut seen);
        strangers(attack, &mut seen);
        fuzz(attack, &mut seen);
        done.store(true, Ordering::Relaxed);
        let owner = owner.join().expect("the owner");
        Seen {
            answers: owner.answers,
            longest_on_the_processor: owner.longest_on_the_processor,
            longest: owner.longest,
            oldest_turn: owner.oldest_turn,
            ..seen
        }
    })
}

/// Time on the processor of a process with one thread (`/proc/PID/schedstat`, in nanoseconds).
fn on_the_processor(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the endpoint's process");
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}

fn owner(attack: &Attack, done: &AtomicBool) -> Seen {
    let (address, bearer) = (attack.address.to_string(), format!("Bearer {}", attack.token));
    let mut seen = Seen::default();
    while !done.load(Ordering::Relaxed) {
        let (before, began) = (on_the_processor(attack.endpoint), Instant::now());
        let answer = http::get_with(&address, "/metrics", &[("Authorization", &bearer)])
            .expect("an answer to the owner");
        assert_eq!(answer.status, 200, "{}", answer.text());
        seen.longest = seen.longest.max(began.elapsed());
        let cost = on_the_processor(attack.endpoint).saturating_sub(before);
        seen.longest_on_the_processor = seen.longest_on_the_processor.max(cost);
        let text = answer.text();
        let age = text.lines().find_map(|line| line.strip_prefix("supervisor_turn_age_seconds{} "));
        let age = age.and_then(|age| age.parse().ok()).expect("the age of the last turn");
        seen.oldest_turn = seen.oldest_turn.max(Duration::from_secs_f64(age));
        seen.answers += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    seen
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

/// Sends it and reads what comes; an attacker is never let in.
fn ask(attack: &Attack, request: &[u8], seen: &mut Seen) {
    let Ok(mut stream) = connect(attack, seen) else { return };
    // A refusal may come before all of it is written.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let ended = stream.read_to_end(&mut answer);
    let first: String = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    let status = first.split(' ').nth(1).unwrap_or_default();
    let refused = ["400", "401", "413", "421", "431", "505"].contains(&status);
    if ended.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
        seen.wrong.push(format!(
            "not cut off: {:?}",
            String::from_utf8_lossy(request.get(..200).unwrap_or(request))
        ));
    } else if !answer.is_empty() && !refused {
        seen.wrong.push(format!("{first:?} to {:?}", String::from_utf8_lossy(request)));
    }
}

/// What requests are made up of.
const PIECES: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"POST",
    b"PRI * HTTP/2.0",
    b" ",
    b"/status",
    b"/",
    b"*",
    b"http://a/",
    b"/%00",
    b"?",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b" HTTP/0.9",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b"Host: x\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Connection: keep-alive, upgrade\r\n",
    b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Authorization: Bearer \r\n",
    b"Authorization: ",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b" folded\r\n",
    b"\x16\x03\x01",
];

/// Malformed requests, made up until the time is over.
fn fuzz(attack: &Attack, seen: &mut Seen) {
    let end = Instant::now() + attack.fuzz;
    let mut state = attack.seed | 1;
    // xorshift64 (Marsaglia 2003): the same seed makes the same requests.
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap_or_default()
    };
    while Instant::now() < end {
        let mut request = match next(4) {
            0 => Vec::new(),
            1 => b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            2 => b"POST /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec(),
            _ => format!("GET /status HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(next(9000))).into_bytes(),
        };
        for _ in 0..next(12) {
            let at = next(request.len() + 1);
            match next(3) {
                0 => drop(request.splice(at..at, PIECES[next(PIECES.len())].iter().copied())),
                1 if at < request.len() => request[at] = u8::try_from(next(256)).unwrap_or_default(),
                _ => request.truncate(at.max(1)),
            }
        }
        ask(attack, &request, seen);
        seen.malformed += 1;
    }
}
