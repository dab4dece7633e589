//! The stack that is in force, read from its files again and again; what refuses it is kept for the endpoint.
//!
//! Deliberately absent: the engine; image ids come from the caller.

use compose::{Finding, Host, Notes, Report, Severity};
use jiff::Timestamp;
use profiles::Kernel;

use crate::args::GlobalArgs;
use crate::input;
use crate::pipeline::Stack;
use crate::serve::snapshot::Refusal;

/// Reads and judges the stack that the command line names.
///
/// # Errors
/// It cannot be read, it is refused, or a secret or config of it cannot be read.
pub(super) fn load(global: &GlobalArgs, kernel: Kernel, host: &dyn Host) -> Result<Box<Stack>, Refusal> {
    let judged = input::judge_from(host, global, false, Notes::Counted);
    let refused = |unreadable, errors| Refusal { at: Timestamp::now(), unreadable, errors };
    let Some(admitted) = judged.admitted else {
        return Err(refused(judged.report.unreadable, errors(&judged.report)));
    };
    let profiles = global.profiles().into_iter().collect();
    let stack = Stack::read(host, admitted, &kernel, profiles);
    stack.map(Box::new).map_err(|error| refused(true, vec![error.to_string()]))
}

/// Each error of a report in one line: rule, place, message.
fn errors(report: &Report) -> Vec<String> {
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(|finding| format!("{}{}: {}", finding.rule, place(report, finding), finding.message)).collect()
}

fn place(report: &Report, finding: &Finding) -> String {
    let place = finding.span.and_then(|span| {
        let source = report.sources.get(span.source)?;
        Some(format!(" {}:{}", source.name(), source.position(span.start).line))
    });
    place.unwrap_or_default()
}
