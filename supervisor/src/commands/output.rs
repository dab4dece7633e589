//! How the commands that change something show it: the options, and where progress goes.
//!
//! Deliberately absent: what progress looks like (`progress`).

use std::io::{IsTerminal as _, Write, stderr, stdout};

use crate::args::{Ansi, GlobalArgs, Progress};
use crate::decide::plan::{Plan, again};
use crate::decide::wanted::Restarts;
use crate::progress::{Printer, Style};
use crate::render::plain;

/// What every command takes that changes something. `--progress` says in full how it is shown.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// The same as `--progress json`: one JSON object a change and one at the end, on standard output
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
    /// The same as `--progress quiet`: nothing but failures
    #[arg(short, long)]
    quiet: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl OutputArgs {
    /// How progress is shown; never left to a choice any more.
    pub(crate) fn progress(self, global: &GlobalArgs) -> Progress {
        match self {
            Self { json: true, .. } => Progress::Json,
            Self { quiet: true, .. } => Progress::Quiet,
            Self { .. } => match global.progress() {
                Progress::Auto if stderr().is_terminal() && global.ansi != Ansi::Never => Progress::Tty,
                Progress::Auto => Progress::Plain,
                said => said,
            },
        }
    }

    /// Whether people read along.
    pub(crate) fn is_for_people(self, global: &GlobalArgs) -> bool {
        matches!(self.progress(global), Progress::Plain | Progress::Tty)
    }

    fn style(self, global: &GlobalArgs) -> Style {
        match self.progress(global) {
            Progress::Json => Style::Json,
            Progress::Quiet => Style::Quiet,
            Progress::Auto | Progress::Plain => Style::Plain,
            Progress::Tty => {
                let size = rustix::termios::tcgetwinsize(stderr()).ok().filter(|size| size.ws_row > 0);
                let (rows, columns) = size.map_or((24, 80), |size| (size.ws_row, size.ws_col));
                Style::Live {
                    colours: global.colours(true),
                    rows: usize::from(rows).saturating_sub(2),
                    columns: usize::from(columns),
                }
            }
        }
    }
}

/// JSON goes to standard output; what people read along goes to standard error.
pub(crate) fn printer(global: &GlobalArgs, output: OutputArgs) -> Printer<Box<dyn Write>> {
    let style = output.style(global);
    let out: Box<dyn Write> = if style == Style::Json { Box::new(stdout()) } else { Box::new(stderr()) };
    Printer::new(out, style)
}

/// Says what a plan would do, in place of doing it.
pub(crate) fn print(global: &GlobalArgs, output: OutputArgs, project: &str, plan: &Plan) {
    match output.progress(global) {
        Progress::Json => {
            print!("{}", crate::render::plan::json(project, plan, again(plan, Restarts::Engine)));
        }
        Progress::Quiet => {}
        Progress::Auto | Progress::Tty | Progress::Plain => {
            for planned in &plan.steps {
                println!("{}", plain(&crate::apply::sentence(planned)));
            }
        }
    }
}
