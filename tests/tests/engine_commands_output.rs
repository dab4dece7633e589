//! What commands show: progress on a terminal, in a pipe and for machines, logs in order, and answers to what is left out.

use serde_json::Value;
use tests::{Bed, bed, image, terminal, wait};

/// Two services on an internal network of `10.79.6.0/24` that count, one at even and one at odd tenths of a second.
fn counting(bed: &Bed, net: u8) {
    let image = image::busybox(&bed.engine);
    let service = |name: &str, first: &str| {
        format!(
            r#"
  {name}:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    networks: [net]
    stop_grace_period: 1s
    command: [sh, -c, "{first} i=0; while :; do i=$$((i+1)); echo {name} $$i; sleep 0.2; done"]"#
        )
    };
    bed.write(
        "compose.yaml",
        &format!(
            "services:{}{}\nnetworks:\n  net: {{internal: true, ipam: {{config: [{{subnet: 10.79.6.{net}/28}}]}}}}\n",
            service("even", ""),
            service("odd", "sleep 0.1;"),
        ),
    );
}

#[test]
fn a_terminal_shows_each_subject_once_and_how_it_ended() {
    let bed = Bed::new("output");
    counting(&bed, 80);
    let screen = terminal::run(&bed, 20, 60, &["up", "--detach"]);
    assert_eq!(screen.code, 0, "{}", screen.sent);
    let with = |word: &str| screen.rows.iter().filter(|row| row.contains(word)).count();
    for subject in ["network", "container"] {
        assert!(with(subject) >= 1, "{:#?}", screen.rows);
    }
    let with_sign = |signs: &[char]| {
        let sign = |row: &&String| {
            row.strip_prefix(' ').is_some_and(|row| row.starts_with(signs) && row[3..].starts_with(' '))
        };
        screen.rows.iter().filter(sign).count()
    };
    let ended = with_sign(&['\u{2714}']);
    assert!(ended >= 3 && with_sign(&['\u{2026}', '\u{2718}']) == 0, "{:#?}", screen.rows);
    assert!(screen.redrawn >= ended, "nothing moved: {}", screen.sent);
    let name = bed.container("even");
    let shown: Vec<_> = screen.rows.iter().filter(|row| row.contains(&name[..20])).collect();
    // Created, then started: a row each, and none of them twice.
    assert_eq!(shown.len(), 2, "{:#?}", screen.rows);
    assert!(screen.rows.iter().all(|row| row.chars().count() <= 60));

    // More rows than fit: each end is a line of its own, and nothing is moved out of sight.
    bed.supervisor(&["down"]).expect(0);
    let small = terminal::run(&bed, 4, 60, &["up", "--detach"]);
    assert_eq!(small.code, 0, "{}", small.sent);
    assert!(small.rows.iter().any(|row| row.contains("Started")), "{:#?}", small.rows);
    let plain = terminal::run(&bed, 20, 60, &["up", "--detach", "--force-recreate", "--progress", "plain"]);
    assert!(plain.redrawn == 0 && plain.sent.contains("Started\r\n"), "{}", plain.sent);
    let never = terminal::run(&bed, 20, 60, &["--ansi", "never", "up", "--detach", "--force-recreate"]);
    assert!(!never.sent.contains('\u{1b}'), "{}", never.sent);
}

#[test]
fn a_pipe_gets_lines_and_a_machine_gets_objects() {
    let bed = Bed::new("output");
    counting(&bed, 96);
    let said = bed.supervisor(&["up"]).expect(0);
    assert_eq!(said.out, "");
    assert!(
        !said.err.contains('\u{1b}')
            && said.err.contains(&format!("container {} Started\n", bed.container("odd")))
    );
    let rows = bed.supervisor(&["--progress", "json", "restart", "odd"]).expect(0).out;
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).expect("JSON a line")).collect();
    assert!(rows.iter().any(|row| row["kind"] == "container" && row["text"] == "Started"), "{rows:?}");
    assert_eq!(rows.last().expect("a summary")["result"], "done");
    let quiet = bed::ran(bed.command().env("COMPOSE_PROGRESS", "quiet").args(["restart", "odd"])).expect(0);
    assert!(quiet.out.is_empty() && !quiet.err.contains("container "), "{}", quiet.err);
    let tty = bed.supervisor(&["restart", "odd", "--progress", "tty"]).expect(0);
    assert!(tty.err.contains("\u{1b}["), "{}", tty.err);
    // What is only asked about is not done.
    let before = bed.engine.pid(&bed.container("odd"));
    let said = bed.supervisor(&["restart", "--dry-run", "odd"]).expect(0);
    assert!(said.out.contains("stop container") && said.out.contains("start container"), "{}", said.out);
    let said = bed.supervisor(&["down", "--dry-run"]).expect(0);
    assert!(said.out.contains("remove network"), "{}", said.out);
    assert_eq!(bed.engine.pid(&bed.container("odd")), before);
    // One service goes, and the other one stays with what it stands on.
    bed.supervisor(&["down", "odd"]).expect(0);
    assert_eq!(bed.supervisor(&["ps", "-a", "--services"]).expect(0).out, "even\n");
}

#[test]
fn lines_of_several_services_come_in_the_order_in_which_they_were_written() {
    let bed = Bed::new("output");
    counting(&bed, 112);
    bed.supervisor(&["up"]).expect(0);
    wait::until("a few lines", || bed.engine.logs(&bed.container("odd")).contains("odd 5").then_some(()));
    let said = bed.supervisor(&["logs", "-t"]).expect(0).out;
    let rows: Vec<(&str, &str)> = said.lines().filter_map(|row| row.split_once(" | ")).collect();
    assert!(rows.len() >= 10, "{said}");
    let times: Vec<&str> = rows.iter().filter_map(|(_, rest)| rest.split(' ').next()).collect();
    assert!(times.is_sorted(), "{said}");
    assert!(
        rows.windows(2).filter(|pair| pair[0].0 != pair[1].0).count() >= 6,
        "not one after the other: {said}"
    );
    let one = bed.supervisor(&["logs", "--index", "1", "--no-log-prefix", "-n", "1", "odd"]).expect(0).out;
    assert!(one.starts_with("odd "), "{one}");
    assert_eq!(bed.supervisor(&["logs", "--index", "2", "odd"]).expect(4).out, "");
    let none = bed.supervisor(&["logs", "--until", "2h"]).expect(0).out;
    assert_eq!(none, "");

    // One that is made anew goes on, one that comes later joins, and nothing comes twice.
    let following = bed.spawn("logs", &["logs", "-f", "--no-log-prefix"]);
    wait::until("the first lines", || following.output().contains("odd 1\n").then_some(()));
    bed.supervisor(&["stop", "even"]).expect(0);
    bed.supervisor(&["up", "-d", "--force-recreate", "--no-deps", "odd"]).expect(0);
    bed.supervisor(&["start", "even"]).expect(0);
    let count = |text: &str, line: &str| text.lines().filter(|row| *row == line).count();
    wait::until("both again", || {
        let text = following.output();
        (count(&text, "odd 1") == 2 && count(&text, "even 1") == 2 && count(&text, "even 3") == 2)
            .then_some(())
    });
    let text = following.output();
    assert_eq!((count(&text, "odd 1"), count(&text, "even 1"), count(&text, "even 2")), (2, 2, 2), "{text}");
}

#[test]
fn a_terminal_gets_colours_and_no_control_character_of_a_container() {
    let bed = Bed::new("output");
    let image = image::busybox(&bed.engine);
    bed.write(
        "compose.yaml",
        &format!(
            r#"
services:
  app:
    image: {image}
    user: "1000:1000"
    mem_limit: 32m
    network_mode: none
    command: [sh, -c, "printf '\\033]0;title\\007\\033[2Jevil\\n'; exec sleep 1000"]
"#
        ),
    );
    bed.supervisor(&["up"]).expect(0);
    let shown = terminal::run(&bed, 20, 80, &["logs"]);
    assert_eq!(shown.rows, [r"app-1 | \u{1b}]0;title\u{7}\u{1b}[2Jevil"]);
    assert!(shown.sent.contains("\u{1b}[36mapp-1 |\u{1b}[0m "), "{:?}", shown.sent);
    let plain = terminal::run(&bed, 20, 80, &["logs", "--no-color"]);
    assert!(!plain.sent.contains('\u{1b}'), "{:?}", plain.sent);
}

#[test]
fn what_was_left_out_of_docker_compose_is_answered() {
    let bed = Bed::new("output");
    for (arguments, says) in [
        (&["build"][..], "`build` of Docker Compose is left out on purpose"),
        (&["up", "--build"], "build it with `docker build`"),
        (&["up", "--scale", "web=3"], "write `scale: NUMBER`"),
        (&["-p", "x", "up", "-w"], "`--watch`"),
        (&["run", "web", "sh"], "`supervisor exec SERVICE COMMAND`"),
        (&["exec", "--privileged", "web", "sh"], "the confinement of its service"),
    ] {
        let said = bed.supervisor(arguments).expect(2);
        assert!(said.err.starts_with("error: ") && said.err.contains(says), "{arguments:?}: {}", said.err);
    }
    let other = bed.supervisor(&["up", "--nonsense"]).expect(2);
    assert!(other.err.contains("unexpected argument"), "{}", other.err);
}

#[test]
fn two_commands_on_one_project_do_not_change_it_at_the_same_time() {
    let bed = Bed::new("output");
    counting(&bed, 128);
    bed.supervisor(&["up"]).expect(0);
    let lock = bed.folder().join("state").join(&bed.project).join("lock");
    let held = std::fs::OpenOptions::new().read(true).write(true).open(&lock).unwrap();
    held.lock().unwrap();
    std::fs::write(&lock, "process 1 (`up`)\n").unwrap();
    for command in [&["up"][..], &["down"], &["stop"], &["restart", "odd"]] {
        let said = bed.supervisor(command).expect(4);
        assert!(said.err.contains("is being changed by process 1 (`up`)"), "{command:?}: {}", said.err);
        assert!(said.err.contains("wait until it has ended"), "{command:?}: {}", said.err);
    }
    // Beside a supervisor that runs, an administrator stops and starts; the supervisor respects it.
    std::fs::write(&lock, "process 1 (`run`)\n").unwrap();
    bed.supervisor(&["up"]).expect(4);
    bed.supervisor(&["stop", "odd"]).expect(0);
    drop(held);
    bed.supervisor(&["up", "-d"]).expect(0);
}
