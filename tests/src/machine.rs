//! Tests of the booted machine: a body runs inside, and the test of that name outside says what came of it.
//!
//! One machine is booted for all of them. In it this same test program runs, test by test, and leaves a file for each;
//! outside, each waits for its own. Deliberately absent: booting, which `cargo xtask test` does, and any test.

use std::any::type_name_of_val;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Set inside: the folder for what comes of each test.
const INSIDE: &str = "SUPERVISOR_INSIDE_MACHINE";
/// Set outside: the same folder, as the host sees it.
const OUTSIDE: &str = "SUPERVISOR_MACHINE";

/// Longer than a machine's first boot, and what has to be prepared for it, is let run.
const LIMIT: Duration = Duration::from_mins(40);

/// Inside the machine, runs this body and notes what came of it; outside, waits for that and fails as it failed. The
/// body is a closure in the test itself, whose name it so has.
///
/// # Panics
/// The body panicked, or the machine ended before it ran, or there is none: a test is never passed over.
pub fn inside(body: impl FnOnce()) {
    in_machine("plain", body);
}

/// The same in the server that rendered user-data makes.
///
/// # Panics
/// As [`inside`].
pub fn inside_server(body: impl FnOnce()) {
    in_machine("server", body);
}

fn in_machine(machine: &str, body: impl FnOnce()) {
    let name = test_name(type_name_of_val(&body));
    match (std::env::var_os(INSIDE), std::env::var_os(OUTSIDE)) {
        (Some(results), _) => note(&PathBuf::from(results), &name, body),
        (None, Some(results)) => read(&PathBuf::from(results).join(machine), &name),
        (None, None) => {
            panic!("no machine is booted; `cargo xtask test` and `cargo xtask machine tests` boot one")
        }
    }
}

/// `module.test` of a closure's type name, `program::module::test::{{closure}}`.
fn test_name(closure: &str) -> String {
    let path: Vec<&str> = closure.split("::").filter(|part| !part.starts_with("{{")).collect();
    path.get(1..).unwrap_or_default().join(".")
}

fn note(results: &Path, name: &str, body: impl FnOnce()) {
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(body));
    let message = ended.as_ref().err().map(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked".to_owned())
    });
    let row = json!({"seconds": start.elapsed().as_secs_f32(), "failed": message});
    let part = results.join(format!("{name}.part"));
    std::fs::write(&part, row.to_string()).expect("the results' folder");
    std::fs::rename(part, file(results, name)).expect("the results' folder");
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

fn read(results: &Path, name: &str) {
    // Whoever boots may wait for somebody who wants it.
    let _ = std::fs::write(results.join("wanted"), "");
    let end = Instant::now() + LIMIT;
    let row: Value = loop {
        if let Ok(text) = std::fs::read(file(results, name)) {
            break serde_json::from_slice(&text).expect("a result");
        }
        let over = std::fs::read_to_string(results.join("over")).ok();
        // What was noted last may have come between the two looks.
        if let Some(how) = over.filter(|_| !file(results, name).exists()) {
            panic!("the machine ended before this test ran in it: {how}");
        }
        assert!(Instant::now() < end, "nothing came from the machine; see `{}`", results.display());
        std::thread::sleep(Duration::from_millis(100));
    };
    println!("inside the machine: {} s", row["seconds"]);
    if let Some(message) = row["failed"].as_str() {
        panic!("inside the machine: {message}\n(its logs are in `{}`)", results.display());
    }
}

fn file(results: &Path, name: &str) -> PathBuf {
    results.join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::{note, read, test_name};

    #[test]
    fn a_test_is_named_by_the_closure_in_it() {
        assert_eq!(test_name("machine::apparmor::stop_is_quick::{{closure}}"), "apparmor.stop_is_quick");
        assert_eq!(test_name("machine::first::{{closure}}::{{closure}}"), "first");
    }

    #[test]
    fn what_fails_inside_fails_outside_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        std::panic::catch_unwind(|| note(folder.path(), "bad", || panic!("no {}", "cake"))).unwrap_err();
        note(folder.path(), "good", || ());
        let outside = |name: &'static str| std::panic::catch_unwind(|| read(folder.path(), name));
        assert!(outside("good").is_ok());
        let said = outside("bad").unwrap_err();
        assert!(said.downcast_ref::<String>().unwrap().contains("no cake"));
        std::fs::write(folder.path().join("over"), "out of time").unwrap();
        let said = outside("never").unwrap_err();
        assert!(said.downcast_ref::<String>().unwrap().contains("out of time"));
    }
}
