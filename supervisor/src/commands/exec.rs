//! `exec`: runs a program in a running service, confined as the service is, and ends with its code.
//!
//! With a terminal on both ends the program gets one, in raw mode; else its two streams pass as they are. Deliberately
//! absent: `--privileged`.

use std::io::{self, IsTerminal as _, Read as _, stdin, stdout};

use futures_util::StreamExt as _;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::AsyncWriteExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::GlobalArgs;
use crate::decide::seen::State;
use crate::engine::{Channel, Docker, Engine as _, ExecIo, ExecSpec};
use crate::exit::{Exit, Failure};
use crate::{input, session};

use super::chosen;

/// Options of `exec`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Start it and end, without its output
    #[arg(short, long)]
    pub detach: bool,
    /// As this user, `user[:group]`, in place of the service's
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// In this folder
    #[arg(short, long, value_name = "FOLDER")]
    pub workdir: Option<String>,
    /// A variable besides the service's; repeatable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Without a terminal, even if there is one
    #[arg(short = 'T', long)]
    pub no_tty: bool,
    /// Which replica
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub index: u32,
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// The program and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

pub(crate) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    let project = input::project_name(global)?;
    let session = session::open(global).await?;
    let container = chosen::replica(&session.engine, &project, &args.service, args.index).await?;
    if container.state != State::Running {
        return Err(Failure::new(Exit::Failed, format!("container `{}` does not run", container.name))
            .help(format!("see `supervisor logs {0}`; start it with `supervisor start {0}`", args.service)));
    }
    let tty = !args.detach && !args.no_tty && stdin().is_terminal() && stdout().is_terminal();
    let spec = ExecSpec {
        command: args.command.clone(),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        environment: args.env.clone(),
        tty,
        stdin: !args.detach,
    };
    if args.detach {
        session.engine.exec_detached(&container.id, &spec).await?;
        return Ok(Exit::Done);
    }
    let io = session.engine.exec(&container.id, &spec).await?;
    let id = io.id.clone();
    let raw = if tty { Some(Raw::enter()?) } else { None };
    let outcome = pass(&session.engine, io, tty).await;
    drop(raw);
    outcome?;
    let code = session.engine.exec_exit_code(&id).await?.unwrap_or_default();
    Ok(Exit::Program(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Passes bytes both ways until the program has ended.
async fn pass(engine: &Docker, mut io: ExecIo, tty: bool) -> Result<(), Failure> {
    let mut typed = keyboard();
    let mut resized = signal(SignalKind::window_change())?;
    if tty {
        resize(engine, &io.id).await;
    }
    let mut open = true;
    loop {
        tokio::select! {
            piece = io.output.next() => {
                let Some(piece) = piece else { return Ok(()) };
                let piece = piece?;
                match piece.channel {
                    Channel::Out => write(&mut stdout().lock(), &piece.bytes)?,
                    Channel::Err => write(&mut io::stderr().lock(), &piece.bytes)?,
                }
            }
            bytes = typed.recv(), if open => {
                open = bytes.is_some();
                // A program that has closed its input goes on.
                let _ = feed(&mut io, bytes.as_deref()).await;
            }
            _ = resized.recv(), if tty => resize(engine, &io.id).await,
        }
    }
}

/// Bytes for the program; none is the end of them.
async fn feed(io: &mut ExecIo, bytes: Option<&[u8]>) -> io::Result<()> {
    let Some(bytes) = bytes else { return io.input.shutdown().await };
    io.input.write_all(bytes).await?;
    io.input.flush().await
}

/// Standard input, read by a thread of its own: a blocking read cannot be given up. It ends with the program.
fn keyboard() -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel(8);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 8192];
        let mut input = stdin().lock();
        while let Ok(count @ 1..) = input.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or_default().to_vec();
            if send.blocking_send(bytes).is_err() {
                return;
            }
        }
    });
    receive
}

/// The program's terminal is as large as ours; where that fails it only looks worse.
async fn resize(engine: &Docker, exec: &str) {
    if let Ok(size) = tcgetwinsize(stdout()) {
        let _ = engine.exec_resize(exec, size.ws_row, size.ws_col).await;
    }
}

fn write(out: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// The terminal in raw mode, put back when it is dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
    }
}
