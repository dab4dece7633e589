//! `profile record`: writes down which system calls a running service uses.
//!
//! The service is recreated by a plan, under a filter that tells each call that its base grants, and put back by a plan. A
//! guard puts it back if this process dies, or the supervisor that keeps the project, of which it was lent. Deliberately absent: hearing (`record`), and what the file says (`profiles`).

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compose::Admitted;
use compose::model::Recording;
use profiles::Base;
use profiles::recorded::{self, Attributes};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apply::ThisMachine;
use crate::args::GlobalArgs;
use crate::commands::output::OutputArgs;
use crate::commands::shared;
use crate::commands::up::starts_of;
use crate::decide::plan::{Choice, Dependencies, Planned, Step, plan_with, readiness};
use crate::decide::seen::{Seen, State};
use crate::decide::wanted::Restarts;
use crate::exit::{Exit, Failure};
use crate::host::lent::{self, Lent, LentError};
use crate::pipeline::{self, Prepared, Wish};
use crate::privileged::Rights;
use crate::record::{Guard, Heard, LONGEST_PATH, Recorder, died};
use crate::session::{Session, Writer};
use crate::{host, input, session};

/// Options of `profile record`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// End after so many seconds from when it is healthy; without it, on an interrupt (^C)
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
    /// Write to this file; without it, to the one that the stack names, or to profiles/SERVICE.yaml beside it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Forget earlier recordings; without it, they are merged
    #[arg(long)]
    pub fresh: bool,
    /// Leave extended attributes out, access control lists among them: `cp -a` then copies none, and `ls -l` shows none
    #[arg(long)]
    pub without_attributes: bool,
    /// How progress is shown
    #[command(flatten)]
    pub progress: OutputArgs,
    /// This process puts the service back when its parent dies
    #[arg(long, hide = true)]
    pub guard: bool,
    /// The service
    #[arg(value_name = "SERVICE")]
    pub service: String,
}

/// How long the guard tries to become the project's writer.
const GUARD_TRIES: u32 = 60;
/// Between two tries.
const GUARD_WAIT: Duration = Duration::from_millis(500);

pub(super) async fn run(global: &GlobalArgs, args: &Args) -> Result<Exit, Failure> {
    if global.file.iter().any(|file| file == Path::new("-")) {
        return Err(Failure::new(Exit::Unreadable, "a stack on standard input cannot be recorded")
            .help("the service is put back from the stack's files: name them with `-f FILE`"));
    }
    let stack = input::admitted(global)?;
    let before = Before::read(&stack, args)?;
    if args.guard {
        return guard(global, args, stack).await;
    }
    let mut interrupts = Interrupts::new()?;
    let (session, version) = session::open_and_ask(global).await?;
    let hand = Hand::new(global, args, stack.project()).await?;
    let socket = hand.folder().join("record.sock");
    if socket.as_os_str().len() > LONGEST_PATH {
        let message = format!("the path of the socket `{}` is too long", socket.display());
        return Err(Failure::new(Exit::Failed, message).help("choose a shorter `--state-dir`"));
    }
    let wish = hand.wish(global);
    let known = before.calls.iter().map(String::as_str).collect();
    let place = socket.to_string_lossy();
    let promise = profiles::confine_heard(&stack, &args.service, &wish.kernel, &known, &place)
        .ok_or_else(|| super::unknown(&stack, &args.service))?;
    let under = pipeline::prepare_under(&session.engine, stack.clone(), &wish, promise).await?;
    is_running(&under.seen, &args.service)?;
    if args.progress.dry_run {
        change(global, args, &session, hand.folder(), &under, "it would be recorded from its start on")
            .await?;
        return Ok(Exit::Done);
    }

    let answers = recorded::answers(before.attributes(args));
    let recorder = Recorder::listen(&socket, wish.kernel.arch, answers)?;
    let hand = hand.guarded()?;
    eprintln!(
        "service `{0}` is recreated for the recording, is slower meanwhile, and is put back afterwards",
        args.service
    );
    let began = Instant::now();
    let recorded = tokio::select! {
        recorded = record(global, args, &session, hand.folder(), &under) => recorded,
        () = interrupts.next() => Ok(()),
    };
    let seconds = began.elapsed().as_secs();
    eprintln!("putting service `{}` back", args.service);
    tokio::select! {
        back = hand.put_back(global, args, &session, stack.clone()) => back?,
        // Whoever does not want to wait until all is well again is not made to.
        () = interrupts.next() => eprintln!("not waited for"),
    }
    let heard = recorder.heard();
    drop(recorder);
    recorded?;
    let recording = Recording {
        when: Some(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()),
        arch: Some(wish.kernel.arch.name().to_owned()),
        kernel: Some(host::kernel::release()),
        engine: Some(version.engine),
        runc: version.runc,
        seconds: Some(seconds.to_string()),
    };
    before.with(&heard, recording)?.write(&stack, wish.kernel)
}

/// The right to change the project, or the one service of a project that `run` keeps.
enum Hand {
    /// Nobody else changes the project. The guard is there once something was changed.
    Alone(Writer, Option<Guard>),
    /// A supervisor keeps it; what it lends is there once it did.
    Beside(PathBuf, Option<Lent>),
}

impl Hand {
    async fn new(global: &GlobalArgs, args: &Args, project: &compose::Project) -> Result<Self, Failure> {
        let (folder, lock) = session::write_beside_run(global, &project.name, "profile record")?;
        if let Some(lock) = lock {
            return Ok(Self::Alone(Writer { folder, lock }, None));
        }
        if args.progress.dry_run {
            return Ok(Self::Beside(folder, None));
        }
        let (name, service) = (&project.name, &args.service);
        eprintln!("a supervisor keeps project `{name}`, and is asked for service `{service}`");
        let lent = lent::borrow(&folder, name, service, "profile record").await?;
        Ok(Self::Beside(folder, Some(lent)))
    }

    fn folder(&self) -> &Path {
        match self {
            Self::Alone(writer, _) => &writer.folder,
            Self::Beside(folder, _) => folder,
        }
    }

    fn wish(&self, global: &GlobalArgs) -> Wish {
        match self {
            Self::Alone(writer, _) => writer.wish(global, Restarts::Engine),
            Self::Beside(..) => session::wish(global, Restarts::Ours),
        }
    }

    /// From now on the service is changed, and is put back if this process dies: by the guard, or by whoever lent it.
    fn guarded(self) -> Result<Self, Failure> {
        Ok(match self {
            Self::Alone(writer, _) => Self::Alone(writer, Some(Guard::start("--guard")?)),
            beside @ Self::Beside(..) => beside,
        })
    }

    /// The service as the file wants it, by our own plan or by that of the supervisor that keeps the project.
    async fn put_back(
        self,
        global: &GlobalArgs,
        args: &Args,
        session: &Session,
        stack: Admitted,
    ) -> Result<(), Failure> {
        let writer = match self {
            Self::Alone(writer, guard) => {
                put_back(global, args, session, &writer, stack).await?;
                if let Some(guard) = guard {
                    guard.dismiss();
                }
                return Ok(());
            }
            Self::Beside(_, None) => return Ok(()),
            Self::Beside(_, Some(lent)) => match lent.give_back().await {
                // It has ended meanwhile: then it is up to us.
                Err(LentError::Ended) => session::write(global, &stack.project().name, "profile record")?,
                back => return Ok(back?),
            },
        };
        put_back(global, args, session, &writer, stack).await
    }
}

/// What is known before a recording: earlier recordings, and where they are kept.
struct Before {
    service: String,
    base: Base,
    calls: BTreeSet<String>,
    left_out: BTreeSet<String>,
    recordings: Vec<Recording>,
    file: PathBuf,
}

impl Before {
    fn read(stack: &Admitted, args: &Args) -> Result<Self, Failure> {
        let project = stack.project();
        let service =
            project.services.get(&args.service).ok_or_else(|| super::unknown(stack, &args.service))?;
        let options = &service.supervisor;
        let earlier = options.seccomp.as_ref().map(|at| &at.value);
        let beside = || project.directory.join("profiles").join(format!("{}.yaml", args.service));
        let merged = earlier.filter(|_| !args.fresh);
        Ok(Self {
            service: args.service.clone(),
            base: Base::of(options.runtime.as_ref().map(|runtime| runtime.value)),
            calls: merged
                .map(|r| r.calls.iter().map(|call| call.value.clone()).collect())
                .unwrap_or_default(),
            left_out: merged
                .map(|r| r.left_out.iter().map(|call| call.value.clone()).collect())
                .unwrap_or_default(),
            recordings: merged.map(|recorded| recorded.recordings.clone()).unwrap_or_default(),
            file: args
                .output
                .clone()
                .or_else(|| earlier.map(|recorded| recorded.path.clone()))
                .unwrap_or_else(beside),
        })
    }

    /// What an earlier recording left out stays left out.
    fn attributes(&self, args: &Args) -> Attributes {
        let earlier = recorded::attributes(&self.left_out.iter().map(String::as_str).collect());
        if args.without_attributes { Attributes::LeftOut } else { earlier }
    }

    /// With what was heard now.
    fn with(mut self, heard: &Heard, recording: Recording) -> Result<Self, Failure> {
        if let Some(failure) = &heard.failure {
            return Err(Failure::new(Exit::Failed, format!("the recording is not whole: {failure}"))
                .help("nothing was written; record again"));
        }
        if heard.filters == 0 {
            return Err(Failure::new(Exit::Failed, "the container runtime handed no filter over")
                .help("recording needs Linux 5.5 and runc 1.1 or later; nothing was written"));
        }
        let new: Vec<&str> = heard.calls.iter().copied().filter(|name| !self.calls.contains(*name)).collect();
        let left_out: Vec<&str> = heard.left_out.iter().copied().collect();
        eprintln!(
            "heard {} starts and execs, {} calls told, {} new names: {}; left out: {}",
            heard.filters,
            heard.held,
            new.len(),
            new.join(" "),
            left_out.join(" ")
        );
        self.calls.extend(heard.calls.iter().map(|name| (*name).to_owned()));
        self.left_out.extend(heard.left_out.iter().map(|name| (*name).to_owned()));
        self.recordings.push(recording);
        Ok(self)
    }

    /// Writes the file, in one step, and says what it makes of the base.
    fn write(&self, stack: &Admitted, kernel: profiles::Kernel) -> Result<Exit, Failure> {
        let calls: BTreeSet<&str> = self.calls.iter().map(String::as_str).collect();
        let left_out: BTreeSet<&str> = self.left_out.iter().map(String::as_str).collect();
        let text = recorded::text(&self.service, self.base, &self.recordings, &calls, &left_out);
        let failed = |error: std::io::Error| {
            Failure::new(Exit::Failed, format!("cannot write `{}`: {error}", self.file.display()))
        };
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let new = folder.join(format!(".{}.new", self.service));
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &self.file)).map_err(failed)?;
        let mut out = std::io::stdout().lock();
        out.write_all(super::diff::text(self.base, &calls, kernel).as_bytes())?;
        out.flush()?;
        let shown = self.file.strip_prefix(&stack.project().directory).unwrap_or(&self.file);
        eprintln!("written to {}; read it", self.file.display());
        let named =
            stack.project().services.get(&self.service).is_some_and(|s| s.supervisor.seccomp.is_some());
        if !named {
            let line = format!("x-supervisor: {{seccomp: ./{}}}", shown.display());
            eprintln!("to have it in force, write `{line}` under the service, and run `supervisor up`");
        }
        Ok(Exit::Done)
    }
}

/// Recreates the service under the listening filter, waits until it is healthy, and for the recording's time.
async fn record(
    global: &GlobalArgs,
    args: &Args,
    session: &Session,
    folder: &Path,
    under: &Prepared,
) -> Result<(), Failure> {
    change(global, args, session, folder, under, "it is recorded from its start on").await?;
    let Some(seconds) = args.seconds else {
        eprintln!(
            "recording: use the service as it will be used, with its health checks, `exec` and reloads; an interrupt (^C) \
             ends it"
        );
        return std::future::pending().await;
    };
    eprintln!("recording for {seconds} s; an interrupt (^C) ends it before");
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(())
}

/// The service as the file wants it, whatever is there now.
async fn put_back(
    global: &GlobalArgs,
    args: &Args,
    session: &Session,
    writer: &Writer,
    stack: Admitted,
) -> Result<(), Failure> {
    let wish = writer.wish(global, Restarts::Engine);
    let prepared = pipeline::prepare(&session.engine, stack, &wish).await?;
    change(global, args, session, &writer.folder, &prepared, "the recording has ended").await
}

/// Plans for the one service, carries it out, and waits until it is healthy.
async fn change(
    global: &GlobalArgs,
    args: &Args,
    session: &Session,
    folder: &Path,
    prepared: &Prepared,
    reason: &str,
) -> Result<(), Failure> {
    let Prepared { wanted, seen, contents, .. } = prepared;
    let choice = Choice {
        services: Some(BTreeSet::from([args.service.clone()])),
        dependencies: Dependencies::Left,
        ..Choice::default()
    };
    let mut plan = plan_with(wanted, seen, &choice);
    shared::announce(&plan)?;
    let after = starts_of(&plan, &args.service);
    if let (Some(service), false) = (wanted.services.get(&args.service), after.is_empty()) {
        let step = Step::Await(readiness(wanted, service));
        plan.steps.push(Planned { step, reason: reason.to_owned(), after });
    }
    let machine = ThisMachine::new(&Rights::Own, contents, folder, &session.socket);
    shared::carry_out(global, args.progress, &session.engine, &machine, wanted, &plan).await.map(drop)
}

/// A service that does not run is not recorded: nobody would know whether it works.
fn is_running(seen: &Seen, service: &str) -> Result<(), Failure> {
    let runs = seen
        .containers
        .iter()
        .any(|container| container.service.as_deref() == Some(service) && container.state == State::Running);
    if runs {
        return Ok(());
    }
    Err(Failure::new(Exit::Failed, format!("service `{service}` does not run"))
        .help(format!("start it with `supervisor up {service}`; what runs is recorded")))
}

/// In the second process: if the recorder died, the service is put back as soon as nobody else changes the project.
async fn guard(global: &GlobalArgs, args: &Args, stack: Admitted) -> Result<Exit, Failure> {
    if !died()? {
        return Ok(Exit::Done);
    }
    let session = session::open(global).await?;
    let mut tries = 0;
    let writer = loop {
        match session::write(global, &stack.project().name, "profile record") {
            Ok(writer) => break writer,
            Err(failure) if tries == GUARD_TRIES => return Err(failure),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(GUARD_WAIT).await;
    };
    put_back(global, args, &session, &writer, stack).await?;
    Ok(Exit::Done)
}

/// The signals that end a recording; the service is put back first.
struct Interrupts([Signal; 3]);

impl Interrupts {
    fn new() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
