//! Hooks on the real engine: under the confinement of their service, in order, again after each start, and never lost.

use tests::bed::signal;
use tests::crash::{Kind, hit};
use tests::proxy::Proxy;
use tests::{Bed, Daemon, image, terminal, wait};

/// A service that notes its start in its volume, and hooks that note theirs.
fn stack(bed: &Bed, first: &str) -> String {
    let image = image::busybox(&bed.engine);
    format!(
        r#"
services:
  db:
    image: {image}
    user: "1000:1000"
    command: [sh, -c, "echo begin >> /data/log; exec sleep 100000"]
    volumes: [data:/data]
    network_mode: none
    mem_limit: 24m
    restart: unless-stopped
    stop_grace_period: 1s
    deploy: {{update_config: {{monitor: 200ms}}}}
    post_start:
      - command: {first}
        working_dir: /data
        environment: {{WORD: first}}
      - command: [sh, -c, "echo second >> /data/log"]
    pre_stop:
      - command: [sh, -c, "echo end >> /data/log"]
volumes: {{data: {{}}}}
"#
    )
}

/// Notes a word that its environment has in the folder that it is in.
const NOTE: &str = r#"[sh, -c, "echo $$WORD >> log"]"#;

fn bed(room: &str, first: &str) -> Bed {
    let bed = Bed::new(room);
    bed.write("compose.yaml", &stack(&bed, first));
    bed
}

/// What was noted, in a line; read where the engine keeps it, whether the container runs or not.
fn noted(bed: &Bed) -> Option<String> {
    let volumes = bed.engine.get("/volumes");
    let name = format!("{}_data", bed.project);
    let volume = volumes["Volumes"].as_array()?.iter().find(|volume| volume["Name"] == name.as_str())?;
    let path = std::path::Path::new(volume["Mountpoint"].as_str()?).join("log");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn log(bed: &Bed) -> String {
    noted(bed).expect("a log")
}

#[test]
fn hooks_run_in_order_after_each_start_and_before_each_stop() {
    let bed = bed("hooks", NOTE);
    let plan = bed.supervisor(&["plan", "--format", "json"]).expect(3).json();
    let detail = plan["steps"].as_array().expect("steps").iter().find(|step| step["action"] == "post_start");
    let detail = detail.expect("a step of hooks")["detail"].as_str().unwrap_or_default();
    assert_eq!(detail, "sh -c echo $WORD >> log; sh -c echo second >> /data/log");
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(log(&bed), "begin first second");
    bed.supervisor(&["up"]).expect(0);
    bed.supervisor(&["restart"]).expect(0);
    assert_eq!(log(&bed), "begin first second end begin first second");
    bed.supervisor(&["down"]).expect(0);
    bed.supervisor(&["up"]).expect(0);
    assert_eq!(log(&bed), "begin first second end begin first second end begin first second");
    bed.supervisor(&["stop", "--timeout", "0"]).expect(0);
    bed.supervisor(&["start"]).expect(0);
    let ends = |log: &str| log.matches("end").count();
    assert_eq!(ends(&log(&bed)), 2, "a stop without time has none for hooks: {}", log(&bed));
    // What is kept is what containers have.
    let kept = || {
        std::fs::read_dir(bed.folder().join("state").join(&bed.project).join("hooks")).expect("hooks").count()
    };
    assert_eq!(kept(), 1);
    bed.write("compose.yaml", &stack(&bed, "[id]"));
    let up = bed.supervisor(&["up"]).expect(0);
    assert!(log(&bed).ends_with("end begin second"), "{}\n{}", log(&bed), up.err);
    assert_eq!(kept(), 1);
    bed.supervisor(&["attest"]).expect(0);
}

#[test]
fn a_hook_has_the_confinement_of_its_service_and_no_more() {
    let script = r#"[sh, -c, "id -u > who; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status > status; cp /bin/busybox /data/busybox; /data/busybox true; echo $$? > run; echo x > /etc/x; echo $$? > root; unshare -U true; echo $$? > namespace"]"#;
    let bed = bed("hooks-confined", script);
    bed.supervisor(&["up"]).expect(0);
    let read = |name: &str| bed.engine.exec(&bed.container("db"), &["cat", &format!("/data/{name}")]).1;
    assert_eq!(read("who"), "1000\n");
    let status: Vec<String> =
        read("status").lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let nothing = "0000000000000000";
    assert_eq!(
        status,
        [
            format!("CapEff: {nothing}"),
            format!("CapBnd: {nothing}"),
            "NoNewPrivs: 1".to_owned(),
            "Seccomp: 2".to_owned()
        ]
    );
    // 126: found, and not executed; the mount itself would allow it.
    assert_eq!(read("run"), "126\n");
    assert_eq!(read("root"), "1\n");
    assert_eq!(read("namespace"), "1\n");
}

#[test]
fn a_hook_that_fails_is_a_failed_start_and_an_update_goes_back_with_the_old_ones_hooks() {
    let bed = bed("hooks-bad", NOTE);
    bed.supervisor(&["up"]).expect(0);
    let id = bed.engine.inspect(&bed.container("db"))["Id"].clone();
    bed.write("compose.yaml", &stack(&bed, r#"[sh, -c, "echo no such table; exit 3"]"#));
    let bad = bed.supervisor(&["up"]).expect(4);
    for said in ["`post_start` of service `db` failed", "ended with code 3", "no such table"] {
        assert!(bad.err.contains(said), "{said}: {}", bad.err);
    }
    assert_eq!(bed.engine.inspect(&bed.container("db"))["Id"], id, "the old one is back");
    assert_eq!(log(&bed), "begin first second end begin begin first second");
    // From nothing it stays, as one that has not started, and the next `up` tries again.
    bed.supervisor(&["down"]).expect(0);
    bed.supervisor(&["up"]).expect(4);
    let plan = bed.supervisor(&["plan"]).expect(3);
    assert!(plan.out.contains("`post_start` has not ended well since it was started"), "{}", plan.out);
    bed.supervisor(&["up"]).expect(4);
    bed.write("compose.yaml", &stack(&bed, NOTE));
    bed.supervisor(&["up"]).expect(0);
    assert!(log(&bed).ends_with("begin first second"), "{}", log(&bed));
    bed.supervisor(&["plan"]).expect(0);
}

#[test]
fn an_interrupt_of_an_up_that_follows_the_logs_runs_them_before_its_stop() {
    let bed = bed("hooks-followed", NOTE);
    std::thread::scope(|scope| {
        let screen = scope.spawn(|| terminal::run(&bed, 20, 200, &["up"]));
        wait::until("the hooks", || noted(&bed).filter(|noted| noted == "begin first second"));
        let followed = wait::until("one that follows", || following(&bed));
        signal(followed, "INT");
        assert_eq!(screen.join().expect("no panic").code, 0);
    });
    assert_eq!(log(&bed), "begin first second end");
}

/// The process of this bed's binary that follows the logs: it takes an interrupt for what it is only from then on.
fn following(bed: &Bed) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let program = std::fs::canonicalize(bed.command().get_program()).ok()?;
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/{name}")).ok();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
        // The second bit is SIGINT's (proc(5)).
        let takes_it = caught & 2 != 0;
        takes_it && link("exe").as_ref() == Some(&program) && link("cwd").as_deref() == Some(bed.folder())
    })
}

#[test]
fn a_hook_that_cannot_be_run_before_a_stop_is_told_and_the_stop_goes_on() {
    let bed = bed("hooks-stop", NOTE);
    let text = stack(&bed, NOTE).replace(r#"[sh, -c, "echo end >> /data/log"]"#, r#"[sleep, "1000"]"#);
    bed.write("compose.yaml", &text);
    bed.supervisor(&["up"]).expect(0);
    let down = bed.supervisor(&["down"]).expect(0);
    assert!(down.err.contains("`sleep 1000` did not end in time"), "{}", down.err);
    assert_eq!(bed.engine.containers(&format!("supervisor.project={}", bed.project)).len(), 0);
}

#[test]
fn whatever_request_is_the_last_one_the_next_run_leaves_no_start_without_its_hooks() {
    let bed = bed("hooks-killed", NOTE);
    let proxy = Proxy::before(bed.engine.socket());
    let mut points = 0;
    for kind in [Kind::KilledBefore, Kind::KilledAfter] {
        for point in 0.. {
            if !hit(&bed, &proxy, "up", point, kind).1 {
                break;
            }
            points += 1;
            bed.supervisor(&["up"]).expect(0);
            let log = log(&bed);
            let last = log.rsplit("begin").next().unwrap_or_default();
            // Once at least: one that was cut off may have run.
            assert!(last.ends_with("first second"), "{kind:?} at {point}: {log}");
            bed.supervisor(&["down"]).expect(0);
        }
        bed.supervisor(&["down"]).expect(0);
    }
    // Made, started, two commands of two requests each: killed before and after each of them.
    assert!(points >= 12, "{points}");
}

#[test]
fn run_runs_the_hooks_of_what_it_healed() {
    let bed = bed("hooks-run", NOTE);
    let daemon = Daemon::start(&bed, &[]);
    let is = |wanted: &str| {
        wait::until(&format!("`{wanted}`\n{}", daemon.log()), || noted(&bed).filter(|noted| noted == wanted));
    };
    is("begin first second");
    signal(bed.engine.pid(&bed.container("db")), "KILL");
    is("begin first second begin first second");
    assert_eq!(daemon.stop(), 0);
}
