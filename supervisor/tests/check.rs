//! `check`, `config` and `rules` as a user calls them: what is printed where, and the exit codes. No engine is needed.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const GOOD: &str = "services:\n  web:\n    image: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n    \
                    user: \"1000\"\n    mem_limit: 64m\n    healthcheck: {test: [CMD, id]}\n";
const BAD: &str = "services:\n  web:\n    image: a\n    privileged: true\n";

/// The program in a folder, with nothing of the caller's environment.
fn supervisor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_supervisor"));
    command.args(arguments).current_dir(folder).env_clear();
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    supervisor(folder, arguments).output().unwrap()
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn exit_codes_tell_admitted_refused_and_unreadable_apart() {
    for (file, code) in
        [(GOOD, 0), (BAD, 1), ("services: [", 2), ("services:\n  web: {image: a, imagee: b}\n", 2)]
    {
        let folder = folder(&[("compose.yaml", file)]);
        for format in ["human", "json", "sarif", "github"] {
            let output = run(folder.path(), &["check", "--format", format]);
            assert_eq!(output.status.code(), Some(code), "{file} {format}");
            assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        }
        assert_eq!(run(folder.path(), &["config", "-q"]).status.code(), Some(code));
    }
}

#[test]
fn json_goes_to_standard_output_even_where_nothing_can_be_read() {
    let folder = folder(&[]);
    let output = run(folder.path(), &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let json = json(&output);
    assert_eq!(json["summary"]["errors"], 1);
    assert_eq!(json["findings"][0]["rule"], "SV001");
    assert_eq!(json["findings"][0]["line"], Value::Null);
}

#[test]
fn strict_makes_errors_of_warnings() {
    let folder = folder(&[("compose.yaml", "services:\n  web:\n    image: a\n")]);
    assert_eq!(run(folder.path(), &["check"]).status.code(), Some(0));
    let output = run(folder.path(), &["check", "--strict", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["summary"]["warnings"], 0);
}

#[test]
fn the_default_file_and_its_override_are_found_from_a_folder_below() {
    let folder = folder(&[
        ("compose.yaml", GOOD),
        ("compose.override.yaml", "services:\n  web:\n    privileged: true\n"),
        ("deep/er/x", ""),
    ]);
    let output = run(&folder.path().join("deep/er"), &["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let json = json(&output);
    let errors: Vec<_> =
        json["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["line"], 3);
    assert!(errors[0]["file"].as_str().unwrap().ends_with("compose.override.yaml"));
}

#[test]
fn an_env_file_beside_the_stack_names_its_files_and_fills_its_variables() {
    let folder = folder(&[
        (".env", "COMPOSE_FILE=stack.yaml\nFLAG=true\nCOMPOSE_PROJECT_NAME=named\n"),
        ("other.env", "FLAG=false\n"),
        ("stack.yaml", &GOOD.replace("    user", "    privileged: ${FLAG}\n    user")),
    ]);
    assert_eq!(run(folder.path(), &["check"]).status.code(), Some(1));
    let output = run(folder.path(), &["config", "-f", "stack.yaml", "--env-file", "other.env"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let caller = supervisor(folder.path(), &["config"]).env("FLAG", "false").output().unwrap();
    assert!(text(&caller.stdout).starts_with("name: named\n"), "{}", text(&caller.stdout));
}

#[test]
fn standard_input_is_a_file_like_any_other() {
    let folder = folder(&[]);
    let mut child = supervisor(folder.path(), &["check", "-f", "-", "--format", "github"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BAD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("::error file=<stdin>,line=4,col=17,"), "{}", text(&output.stdout));
}

#[test]
fn what_is_no_file_is_said_and_not_waited_for() {
    let folder = folder(&[]);
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for path in ["fifo", ".", "/dev/zero", "missing.yaml"] {
        let output = run(folder.path(), &["check", "-f", path]);
        assert_eq!(output.status.code(), Some(2), "{path}");
        assert!(text(&output.stdout).contains("SV001"), "{}", text(&output.stdout));
    }
}

#[test]
fn links_and_sockets_of_the_real_host_are_seen() {
    let folder = folder(&[("real/file", "x")]);
    let root = fs::canonicalize(folder.path()).unwrap();
    std::os::unix::fs::symlink("real", root.join("link")).unwrap();
    fs::create_dir(root.join("run")).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(root.join("run/any.name")).unwrap();
    std::os::unix::fs::symlink("run", root.join("innocent")).unwrap();
    let volumes =
        "    volumes: [./real:/ok:ro, ./link:/linked:ro, ./run:/run/x, ./run/any.name:/s, ./innocent:/i]\n";
    fs::write(root.join("compose.yaml"), format!("{GOOD}{volumes}")).unwrap();
    let output = run(&root, &["check", "--format", "json"]);
    let json = json(&output);
    let mut found: Vec<(String, String)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| {
            let message = finding["message"].as_str().unwrap().split('`').nth(1).unwrap();
            (finding["rule"].as_str().unwrap().into(), message.replace(root.to_str().unwrap(), ""))
        })
        .collect();
    found.sort();
    let expected = [
        ("SV151", "./innocent"),
        ("SV151", "./run"),
        ("SV151", "./run/any.name"),
        ("SV155", "/innocent"),
        ("SV155", "/link"),
    ];
    assert_eq!(found, expected.map(|(rule, path)| (rule.to_owned(), path.to_owned())));
}

#[test]
fn what_is_refused_is_not_printed_by_config() {
    let folder = folder(&[("compose.yaml", BAD)]);
    let output = run(folder.path(), &["config"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(text(&output.stderr).contains("error[SV105]"), "{}", text(&output.stderr));
}

#[test]
fn config_hides_credentials_unless_asked() {
    let folder =
        folder(&[("compose.yaml", &format!("{GOOD}    environment: {{DB_PASSWORD: correct-horse}}\n"))]);
    for format in ["yaml", "json"] {
        let output = run(folder.path(), &["config", "--format", format]);
        assert!(!text(&output.stdout).contains("correct-horse"));
        let output = run(folder.path(), &["config", "--format", format, "--show-credentials"]);
        assert!(text(&output.stdout).contains("correct-horse"));
    }
}

#[test]
fn what_the_files_say_is_printed_unjudged_as_docker_compose_prints_it() {
    let services = "services:\n  web: {image: a, privileged: true, ports: ['8080:80'], environment: {DB_PASSWORD: horse}}\n  \
                    job: {image: b, profiles: [later]}\n";
    let folder = folder(&[("compose.yaml", services)]);
    let output = run(folder.path(), &["config", "--as-written", "-p", "shop"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let web = serde_json::json!({
        "command": null,
        "entrypoint": null,
        "environment": {"DB_PASSWORD": "${DB_PASSWORD}"},
        "image": "a",
        "networks": {"default": null},
        "ports": [{"mode": "ingress", "protocol": "tcp", "published": "8080", "target": 80}],
        "privileged": true,
    });
    let network = serde_json::json!({"default": {"name": "shop_default", "ipam": {}}});
    let expected = serde_json::json!({"name": "shop", "services": {"web": web}, "networks": network});
    assert_eq!(json(&output), expected);
    let all = ["config", "--as-written", "--format", "json", "--show-credentials", "--profile", "later"];
    let output = json(&run(folder.path(), &all));
    assert_eq!(output["services"]["web"]["environment"]["DB_PASSWORD"], "horse");
    assert_eq!(output["services"]["job"]["image"], "b");
    let output = run(folder.path(), &["config", "--as-written", "--format", "yaml"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
}

#[test]
fn what_cannot_be_read_is_not_printed_as_written_either() {
    for text in ["services: [", "services:\n  web: {image: a, imagee: b}\n"] {
        let folder = folder(&[("compose.yaml", text)]);
        let output = run(folder.path(), &["config", "--as-written"]);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), [].as_slice()));
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn a_rule_is_explained_and_an_unknown_one_said_to_be() {
    let folder = folder(&[]);
    let output = run(folder.path(), &["rules", "SV151"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("Bad:") && text(&output.stdout).contains("docker.sock"));
    let output = run(folder.path(), &["rules", "SV999"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no rule `SV999`"));
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let folder = folder(&[("compose.yaml", BAD)]);
    let plain = run(folder.path(), &["check"]);
    assert!(!text(&plain.stdout).contains('\u{1b}'));
    let coloured = run(folder.path(), &["check", "--ansi", "always"]);
    assert!(text(&coloured.stdout).contains('\u{1b}'));
}

/// A stack of two files with comments, anchors and the line ends of Windows; what can be put right, and what cannot.
const FIXABLE: &str = "x-base: &base # shared\r\n  privileged: true # why\r\nservices:\r\n  web:\r\n    <<: *base\r\n    \
                       image: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n    user: \"1000\"\r\n    \
                       mem_limit: 64m\r\n    healthcheck: {test: [CMD, id]}\r\n";

#[test]
fn fix_writes_what_can_be_put_right_and_judges_what_is_then_in_the_files() {
    let folder =
        folder(&[("compose.yaml", FIXABLE), ("over.yaml", "services:\n  web: {pid: host, ipc: \"host\"}\n")]);
    let before = fs::metadata(folder.path().join("compose.yaml")).unwrap().permissions();
    let arguments = ["check", "-f", "compose.yaml", "-f", "over.yaml"];
    let output = run(folder.path(), &[&arguments[..], &["--fix"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "fixed[SV105]: `web` is privileged (compose.yaml)\n\
         fixed[SV125]: the process namespace is shared: `host` (over.yaml)\n\
         fixed[SV126]: the IPC namespace is shared: `host` (over.yaml)\n\
         admitted: 0 errors, 0 warnings, 15 notes\n"
    );
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("compose.yaml"), FIXABLE.replace("privileged: true", "privileged: false"));
    assert_eq!(read("over.yaml"), "services:\n  web: {ipc: \"private\"}\n");
    assert_eq!(fs::metadata(folder.path().join("compose.yaml")).unwrap().permissions(), before);
    // Twice is once, and the second time nothing is written at all.
    let inode =
        |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.path().join(name)).unwrap());
    let seen = inode("compose.yaml");
    assert_eq!(run(folder.path(), &[&arguments[..], &["--fix"]].concat()).status.code(), Some(0));
    assert_eq!(inode("compose.yaml"), seen);
}

#[test]
fn diff_writes_nothing_and_its_exit_code_is_about_the_files_as_they_are() {
    let folder = folder(&[("compose.yaml", FIXABLE)]);
    let output = run(folder.path(), &["check", "--diff"]);
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<&str> = text(&output.stdout).lines().filter(|l| l.starts_with(['-', '+', '@'])).collect();
    assert_eq!(
        lines,
        [
            "--- compose.yaml",
            "+++ compose.yaml",
            "@@ -1,5 +1,5 @@",
            "-  privileged: true # why",
            "+  privileged: false # why"
        ]
    );
    assert_eq!(text(&output.stderr), "1 finding would be put right in 1 file\n");
    assert_eq!(fs::read_to_string(folder.path().join("compose.yaml")).unwrap(), FIXABLE);
    // What is printed is what `patch` takes.
    let mut patch = Command::new("patch")
        .args(["-p0", "--binary", "-s"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    patch.stdin.take().unwrap().write_all(&output.stdout).unwrap();
    assert!(patch.wait().unwrap().success());
    assert_eq!(run(folder.path(), &["check", "--diff"]).status.code(), Some(0));
    assert_eq!(text(&run(folder.path(), &["check", "--diff"]).stderr), "nothing would be written\n");
}

#[test]
fn json_of_fix_and_diff_stays_one_object_whatever_happens() {
    let folder = folder(&[("compose.yaml", FIXABLE), ("bad.yaml", "services: [")]);
    let output = run(folder.path(), &["check", "--diff", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["diff"].as_str().unwrap().contains("+  privileged: false"));
    assert_eq!(json(&output)["summary"]["errors"], 1);
    let output = run(folder.path(), &["check", "--fix", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let row = serde_json::json!(
        [{"rule": "SV105", "message": "`web` is privileged", "file": "compose.yaml", "service": "web"}]
    );
    assert_eq!(json(&output)["fixed"], row);
    for option in ["--fix", "--diff"] {
        let output = run(folder.path(), &["check", option, "--format", "json", "-f", "bad.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(json(&output)["findings"][0]["rule"], "SV003");
        let output = run(folder.path(), &["check", option, "--format", "json", "-f", "missing.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(json(&output)["findings"][0]["rule"], "SV001");
    }
    assert_eq!(fs::read_to_string(folder.path().join("bad.yaml")).unwrap(), "services: [");
    assert_eq!(run(folder.path(), &["check", "--fix", "--diff"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["check", "--diff", "--format", "sarif"]).status.code(), Some(2));
}

#[test]
fn what_cannot_be_written_is_an_error_and_the_json_is_about_the_file_as_it_is() {
    let folder = folder(&[("compose.yaml", FIXABLE)]);
    fs::hard_link(folder.path().join("compose.yaml"), folder.path().join("other")).unwrap();
    let output = run(folder.path(), &["check", "--fix", "--format", "json"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(
        (&json(&output)["summary"]["errors"], &json(&output)["fixed"]),
        (&1.into(), &serde_json::json!([]))
    );
    assert!(text(&output.stderr).contains("hard links"), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(folder.path().join("compose.yaml")).unwrap(), FIXABLE);
    let mut child = supervisor(folder.path(), &["check", "--fix", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(BAD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("standard input cannot be written"), "{}", text(&output.stderr));
}

#[test]
fn what_fix_leaves_is_said_with_the_reason() {
    let file = GOOD.replace("    user", "    privileged: ${FLAG:-true}\n    user");
    let folder = folder(&[("compose.yaml", &file)]);
    let output = run(folder.path(), &["check", "--fix"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("not written by `--fix`: its value comes from a variable"));
    let output = run(folder.path(), &["check", "--fix", "--format", "json"]);
    let findings = json(&output)["findings"].as_array().unwrap().clone();
    let why = findings.iter().find(|finding| finding["rule"] == "SV105").unwrap()["unfixed"].clone();
    assert!(why.as_str().unwrap().contains("variable"));
    assert_eq!(fs::read_to_string(folder.path().join("compose.yaml")).unwrap(), file);
}

#[test]
fn a_value_from_elsewhere_is_shown_where_it_is_used_and_where_it_is_set() {
    let file = GOOD
        .replace("services:", "x-f: &f ${FLAG}\nservices:")
        .replace("    user", "    privileged: *f\n    user");
    let folder = folder(&[("compose.yaml", &file), (".env", "FLAG=true\n")]);
    let output = run(folder.path(), &["check"]);
    let shown = text(&output.stdout);
    let places = [
        "compose.yaml:1:",
        "x-f: &f ${FLAG}",
        "used here, through its anchor",
        "compose.yaml:5:",
        "`FLAG` is set here",
    ];
    let found: Vec<_> = places.iter().map(|place| shown.find(place)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}\n{shown}");
    assert!(!shown.contains("FLAG=true") && shown.contains("FLAG=…"), "{shown}");
    let output = run(folder.path(), &["check", "--format", "json"]);
    let findings = json(&output)["findings"].as_array().unwrap().clone();
    let related = findings.iter().find(|finding| finding["rule"] == "SV105").unwrap()["related"].clone();
    let places: Vec<_> =
        related.as_array().unwrap().iter().map(|r| (&r["message"], &r["line"], &r["column"])).collect();
    let set = Value::from("`FLAG` is set here");
    let used = Value::from("used here, through its anchor");
    assert_eq!(places, [(&used, &5.into(), &17.into()), (&set, &1.into(), &1.into())]);
    assert_eq!(Path::new(related[1]["file"].as_str().unwrap()).file_name().unwrap(), ".env");
    let output = run(folder.path(), &["check", "--format", "sarif"]);
    let results = json(&output)["runs"][0]["results"].as_array().unwrap().clone();
    let result = results.iter().find(|result| result["ruleId"] == "SV105").unwrap();
    assert_eq!(result["relatedLocations"].as_array().unwrap().len(), 2);
    let output = run(folder.path(), &["check", "--format", "github"]);
    assert!(
        text(&output.stdout).contains("used here, through its anchor (compose.yaml:5)"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn the_line_of_an_environment_file_is_never_repeated() {
    let file = GOOD.replace(
        "    user",
        "    environment: {DB_PASSWORD: \"${DB}\"}\n    privileged: \"${DB}\"\n    user",
    );
    let folder = folder(&[("compose.yaml", &file), (".env", "DB=correct-horse\n")]);
    for format in ["human", "sarif", "github"] {
        let output = run(folder.path(), &["check", "--strict", "--format", format]);
        assert_eq!(text(&output.stdout).matches("DB=correct-horse").count(), 0, "{}", text(&output.stdout));
    }
}
