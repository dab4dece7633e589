//! Both ends of a measured connection, and the resolver between: a server that sends as much as it is asked for after a
//! TLS greeting, a client that greets it, directly or through a proxy.
//!
//! Hidden commands of this program, so that they can be run in the network namespace of a container. Deliberately absent:
//! TLS beyond the greeting.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// The one name that everything here is about.
const NAME: &str = "bench.example.net";

/// One end.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Args {
    /// Serve at this address until it is killed
    Serve { address: SocketAddr },
    /// Answer every question at this address with that address until it is killed
    Names { address: IpAddr, answer: Ipv4Addr },
    /// Print the seconds that so many MiB take
    Pull {
        address: SocketAddr,
        #[arg(long)]
        via: Option<SocketAddr>,
        #[arg(long)]
        mib: u32,
    },
    /// Print the microseconds from the first packet to the first byte, one line a connection
    First {
        address: SocketAddr,
        #[arg(long)]
        via: Option<SocketAddr>,
        #[arg(long)]
        count: u32,
    },
    /// Ask for a MiB four times a second, for so long, on one connection; print how many came and the longest wait, in
    /// milliseconds
    Stream {
        address: SocketAddr,
        #[arg(long)]
        via: Option<SocketAddr>,
        #[arg(long)]
        seconds: u32,
    },
    /// Open so many connections, print a line, and hold them until standard input ends
    Hold {
        address: SocketAddr,
        #[arg(long)]
        via: Option<SocketAddr>,
        #[arg(long)]
        count: u32,
    },
}

/// Does one end's work.
pub(crate) fn run(args: &Args) -> Result<()> {
    match args {
        Args::Serve { address } => serve(*address),
        Args::Names { address, answer } => names(*address, *answer),
        Args::Pull { address, via, mib } => {
            let mut stream = open(*address, *via)?;
            println!("{}", pull(&mut stream, *mib)?.as_secs_f64());
            Ok(())
        }
        Args::Stream { address, via, seconds } => {
            let mut stream = open(*address, *via)?;
            let (began, mut count, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
            while began.elapsed() < Duration::from_secs((*seconds).into()) {
                longest = longest.max(pull(&mut stream, 1)?);
                count += 1;
                thread::sleep(Duration::from_millis(250));
            }
            println!("{count} {}", longest.as_millis());
            Ok(())
        }
        Args::First { address, via, count } => {
            for _ in 0..*count {
                let began = Instant::now();
                open(*address, *via)?;
                println!("{}", began.elapsed().as_micros());
            }
            Ok(())
        }
        Args::Hold { address, via, count } => {
            let held: Result<Vec<TcpStream>> = (0..*count).map(|_| open(*address, *via)).collect();
            let held = held?;
            println!("{}", held.len());
            std::io::stdin().read_to_end(&mut Vec::new())?;
            Ok(())
        }
    }
}

/// Asks for so many MiB, and how long they took.
fn pull(stream: &mut TcpStream, mib: u32) -> Result<Duration> {
    let began = Instant::now();
    stream.write_all(&mib.to_le_bytes())?;
    let mut left = u64::from(mib) << 20;
    let mut bytes = vec![0; 1 << 20];
    while left > 0 {
        let count = stream.read(&mut bytes)?;
        ensure!(count > 0, "the server hung up");
        left = left.saturating_sub(count as u64);
    }
    Ok(began.elapsed())
}

/// A connection whose greeting was answered.
fn open(address: SocketAddr, via: Option<SocketAddr>) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(via.unwrap_or(address))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    if via.is_some() {
        let host = format!("{NAME}:{}", address.port());
        // In one packet, as clients send it.
        stream.write_all(format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?;
        // Nothing follows it before the greeting, so that it is read as clients read it: as much at once as there is.
        let mut head = Vec::new();
        let mut some = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut some)?;
            ensure!(count > 0, "the proxy hung up");
            head.extend_from_slice(some.get(..count).unwrap_or_default());
        }
        ensure!(head.get(8..12) == Some(&b" 200"[..]), "{}", String::from_utf8_lossy(&head));
    }
    stream.write_all(&hello())?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// A TLS greeting (RFC 8446, section 4.1.2) for the name, with nothing else in it.
fn hello() -> Vec<u8> {
    let long = |content: &[u8]| {
        let length = u16::try_from(content.len()).unwrap_or_default().to_be_bytes();
        [&length[..], content].concat()
    };
    let name = [&[0][..], &long(NAME.as_bytes())].concat();
    let extension = [&[0, 0][..], &long(&long(&name))].concat();
    let body = [&[3, 3][..], &[7; 32], &[0], &long(&[0x13, 0x01]), &[1, 0], &long(&extension)].concat();
    let message = [&[1, 0][..], &long(&body)].concat();
    [&[22, 3, 1][..], &long(&message)].concat()
}

fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    for client in listener.incoming() {
        let client = client?;
        thread::Builder::new().stack_size(64 * 1024).spawn(move || drop(answer(client)))?;
    }
    Ok(())
}

/// Answers the greeting with one byte, and then each number with so many MiB.
fn answer(mut client: TcpStream) -> Result<()> {
    client.set_nodelay(true)?;
    let (mut kind, mut length) = ([0; 3], [0; 2]);
    client.read_exact(&mut kind)?;
    client.read_exact(&mut length)?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes(length))];
    client.read_exact(&mut rest)?;
    client.write_all(b".")?;
    let chunk = vec![0; 1 << 18];
    let mut mib = [0; 4];
    while client.read_exact(&mut mib).is_ok() {
        for _ in 0..u64::from(u32::from_le_bytes(mib)) * 4 {
            client.write_all(&chunk)?;
        }
    }
    Ok(())
}

/// A resolver with one answer (RFC 1035): an address for A, nothing for the rest.
fn names(address: IpAddr, answer: Ipv4Addr) -> Result<()> {
    let socket = UdpSocket::bind((address, 53))?;
    let mut question = [0; 512];
    loop {
        let (length, client) = socket.recv_from(&mut question)?;
        let question = question.get(..length).context("a question")?;
        // The name ends with a label of no length; type and class follow.
        let Some(end) = question.iter().skip(12).position(|byte| *byte == 0).map(|at| 12 + at + 5) else {
            continue;
        };
        let Some(asked) = question.get(12..end) else { continue };
        let Some(number) = question.first_chunk::<2>() else { continue };
        let is_address = asked.ends_with(&[0, 0, 1, 0, 1]);
        let head = [0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0];
        let mut reply = [&number[..], &head, asked].concat();
        if is_address {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(answer.octets());
        }
        socket.send_to(&reply, client)?;
    }
}
