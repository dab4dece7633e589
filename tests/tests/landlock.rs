//! Landlock inside real containers: what it takes away that nothing else does, and what it leaves as it was.
//!
//! The private engine's kernel has no AppArmor, so that what fails here fails by Landlock alone; beside each attempt stands
//! the same one without it, which succeeds. Deliberately absent: the rules' text (`profiles`).

use serde_json::{Value, json};
use tests::{Bed, image, wait};

/// A service of the busybox image that says this besides; a volume at `/data`.
fn service(image: &str, name: &str, says: &str) -> String {
    format!(
        "  {name}:
    image: {image}
    user: '1000:1000'
    mem_limit: 64m
    networks: [back]
    volumes: ['{name}-data:/data']
    stop_grace_period: 5s
{says}"
    )
}

fn stack(services: &[String], volumes: &[&str]) -> String {
    let volumes: Vec<String> = volumes.iter().map(|name| format!("  {name}-data: {{}}\n")).collect();
    format!(
        "services:\n{}networks: {{back: {{internal: true}}}}\nvolumes:\n{}",
        services.concat(),
        volumes.concat()
    )
}

/// All that a script says in one stream: nothing keeps the order of two.
fn one_stream(script: &str) -> String {
    format!("exec 2>&1; {script}")
}

/// Runs a script as the only command of a service, once under its Landlock rules and once with them switched off: what it
/// printed, both times.
#[track_caller]
fn with_and_without(script: &str, options: &str) -> (String, String) {
    let bed = Bed::new("landlock");
    let image = image::busybox(&bed.engine);
    let command = format!("    command: [sh, -c, {}]\n", json!(one_stream(script)));
    let ours = format!("{command}    x-supervisor: {{{options}}}\n");
    let open = format!("{command}    x-supervisor: {{landlock: 'off'}}\n");
    let services = [service(&image, "ours", &ours), service(&image, "open", &open)];
    bed.write("compose.yaml", &stack(&services, &["ours", "open"]));
    bed.supervisor(&["up", "--detach"]).expect(0);
    let end = |name: &str| {
        bed.engine.wait(&bed.container(name));
        bed.engine.logs(&bed.container(name))
    };
    (end("ours"), end("open"))
}

#[test]
fn nothing_is_executed_from_a_volume_that_the_mount_itself_would_allow() {
    let script = "cp /bin/busybox /data && /data/busybox true; echo it ended with $?";
    let (ours, open) = with_and_without(script, "");
    assert!(
        ours.contains("/data/busybox: Permission denied") && ours.contains("it ended with 126"),
        "{ours}"
    );
    assert_eq!(open, "it ended with 0\n");
}

#[test]
fn a_foreign_port_is_neither_connected_to_nor_listened_on() {
    let script = "nc 127.0.0.1 9999 </dev/null; nc 127.0.0.1 8080 </dev/null; httpd -p 9000 && echo listens; httpd -p 8080 && echo listens";
    let (ours, open) = with_and_without(script, "tcp: {bind: [8080], connect: [8080]}");
    let lines: Vec<&str> = ours.lines().collect();
    assert_eq!(
        lines,
        [
            "nc: can't connect to remote host (127.0.0.1): Permission denied",
            "nc: can't connect to remote host (127.0.0.1): Connection refused",
            "httpd: bind: Permission denied",
            "listens"
        ]
    );
    let refused = "nc: can't connect to remote host (127.0.0.1): Connection refused";
    assert_eq!(open.lines().collect::<Vec<_>>(), [refused, refused, "listens", "listens"]);
}

#[test]
fn a_process_outside_its_rules_gets_no_signal_from_the_service() {
    let (ours, open) = with_and_without("kill -0 1 && echo reached", "");
    assert!(ours.contains("Operation not permitted"), "{ours}");
    assert_eq!(open, "reached\n");
}

#[test]
fn everyday_work_in_writable_places_goes_on() {
    let script = "set -e; cd /data; mkdir -p a b; echo x > a/f; mv a/f b/g; ln -s b/g l; cat l; rm -r a; cp b/g /tmp/h; echo y >> /tmp/h; \
                  cat /tmp/h > /dev/null; echo z > /dev/shm/s; echo by name > /dev/stdout; echo by number > /proc/self/fd/1; echo done";
    let (ours, open) = with_and_without(script, "");
    let said = "x\nby name\nby number\ndone\n";
    assert_eq!((ours.as_str(), open.as_str()), (said, said));
}

/// The program alone, in a container that an engine started with nothing set and as root: what it forbids there, it forbids
/// by itself.
#[test]
fn the_rules_hold_without_any_other_confinement() {
    let bed = Bed::new("landlock");
    let image = image::busybox(&bed.engine);
    bed.write("compose.yaml", &stack(&[service(&image, "web", "")], &["web"]));
    bed.supervisor(&["up", "--detach"]).expect(0);
    let mounts = bed.engine.inspect(&bed.container("web"))["Mounts"].clone();
    let program =
        mounts.as_array().unwrap().iter().find(|m| m["Destination"] == "/.supervisor-confine").unwrap();
    let run = |rules: &[&str], script: &str| {
        let name = format!("{}-alone", bed.project);
        let script = one_stream(script);
        let words: Vec<&str> = rules.iter().copied().chain(["--", "sh", "-c", &script]).collect();
        let body = json!({
            "Image": image,
            "User": "0:0",
            "Entrypoint": ["/confine"],
            "Cmd": words,
            "Labels": {"com.docker.compose.project": bed.project},
            "HostConfig": {
                "Binds": [format!("{}:/confine:ro", program["Source"].as_str().unwrap())],
                "Tmpfs": {"/open": "mode=1777,exec"},
                "SecurityOpt": ["seccomp=unconfined"],
                "CapAdd": ["ALL"],
            },
        });
        bed.engine.run(&name, &body);
        let code = bed.engine.wait(&name);
        let output = bed.engine.logs(&name);
        bed.engine.remove(&name);
        (code, output)
    };
    let script = "echo x > /open/f; cp /bin/busybox /tmp && /tmp/busybox true; mount -t tmpfs none /tmp; echo x > /etc/passwd; id -u";
    let (_, output) = run(&["--abi=6", "--write=/tmp"], script);
    for refused in [
        "can't create /open/f: Permission denied",
        "/tmp/busybox: Permission denied",
        "mount: permission denied (are you root?)",
        "can't create /etc/passwd: Permission denied",
    ] {
        assert!(output.contains(refused), "no `{refused}` in {output}");
    }
    assert!(output.ends_with("0\n"), "it is root: {output}");
    let (_, output) = run(
        &["--abi=6", "--write=/tmp", "--write=/open", "--execute=/open"],
        "cp /bin/busybox /open && /open/busybox echo ran",
    );
    assert_eq!(output, "ran\n");
    // Rules that are not understood or cannot be kept start nothing.
    assert_eq!(
        run(&["--abi=6", "--wirte=/tmp"], "echo ran"),
        (125, "supervisor-confine: `--wirte=/tmp` is no rule\n".to_owned())
    );
    let (code, output) = run(&["--abi=5", "--bind=1", "--write=/tmp"], "echo ran");
    assert_eq!((code, output.as_str()), (0, "ran\n"));
}

/// What the image and the file say about the start, and how the service ends, is as it is without Landlock.
#[test]
fn entry_point_command_user_folder_signals_and_exit_codes_are_the_services_own() {
    let bed = Bed::new("landlock");
    let own = image::tagged(
        &bed.engine,
        "supervisor-test-entry",
        &[
            r#"ENTRYPOINT ["sh","-c","echo $0 $* in $PWD as $(id -u):$(id -g) with $MARK; trap 'echo told; exit 78' TERM; while :; do sleep 1 & wait; done","entry"]"#,
            r#"CMD ["by","image"]"#,
            "WORKDIR /data",
            "ENV MARK=env",
            "USER 1000:1000",
        ],
    );
    let plain = image::busybox(&bed.engine);
    let services = [
        service(&own, "image", ""),
        service(&own, "command", "    command: [by, file]\n"),
        service(&plain, "entry", "    entrypoint: [echo, entry]\n"),
        service(&plain, "code", "    command: [sh, -c, 'exit 78']\n"),
        service(&plain, "missing", "    command: [nowhere]\n"),
        service(&plain, "noexec", "    command: [/etc/passwd]\n"),
        service(&plain, "noinit", "    init: false\n    command: [sh, -c, 'echo $$$$; exec sleep 1000']\n"),
    ];
    bed.write(
        "compose.yaml",
        &stack(&services, &["image", "command", "entry", "code", "missing", "noexec", "noinit"]),
    );
    bed.supervisor(&["up", "--detach"]).expect(0);
    let logs = |name: &str| bed.engine.logs(&bed.container(name));
    let said =
        |name: &str| wait::until("its first words", || Some(logs(name)).filter(|text| !text.is_empty()));
    assert_eq!(said("image"), "entry by image in /data as 1000:1000 with env\n");
    assert_eq!(said("command"), "entry by file in /data as 1000:1000 with env\n");
    assert_eq!(said("entry"), "entry\n");
    let code = |name: &str| bed.engine.wait(&bed.container(name));
    assert_eq!((code("code"), code("missing"), code("noexec")), (78, 127, 126));
    assert!(
        logs("missing").contains("cannot execute `nowhere`: No such file or directory"),
        "{}",
        logs("missing")
    );

    // The service is the process that was started, not a child of the program.
    assert_eq!(said("noinit"), "1\n");
    let pid = bed.engine.pid(&bed.container("noinit"));
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap().file_name().unwrap(), "busybox");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains("abi") && !environment.contains("confine"), "{environment}");

    // A stop reaches it, and its own code comes back.
    bed.supervisor(&["stop", "image"]).expect(0);
    assert_eq!(code("image"), 78);
    assert!(logs("image").ends_with("told\n"), "{}", logs("image"));

    // What is executed in a running container later on is the operator's, and under every other layer but this one.
    let shown = bed.supervisor(&[
        "exec",
        "-T",
        "command",
        "sh",
        "-c",
        "cp /bin/busybox /data; /data/busybox echo ran",
    ]);
    assert!(shown.out.contains("ran"), "{shown:?}");
    let report = bed.supervisor(&["attest", "--format", "json", "command"]).json();
    let rows = report["containers"][0]["checks"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["item"] == "landlock").unwrap();
    assert_eq!((&row["verdict"], &row["seen"]), (&json!("kept"), &json!("started through its rules")));
}

#[test]
fn what_requires_landlock_is_not_started_where_it_cannot_be_had() {
    let bed = Bed::new("landlock");
    let image = image::busybox(&bed.engine);
    let says = "    runtime: runsc\n    x-supervisor: {landlock: required}\n";
    bed.write("compose.yaml", &stack(&[service(&image, "web", says)], &["web"]));
    let (ran, asked) = bed.asked(&["up", "--detach"]);
    let ran = ran.expect(4);
    assert!(
        ran.err.contains("service `web` requires Landlock, and its runtime may not run it on this kernel"),
        "{}",
        ran.err
    );
    assert!(asked.iter().all(|request| !request.mutates()), "{asked:?}");
    bed.write(
        "compose.yaml",
        &stack(&[service(&image, "web", "    x-supervisor: {landlock: required}\n")], &["web"]),
    );
    bed.supervisor(&["up", "--detach"]).expect(0);
    let executes: Value = bed.engine.inspect(&bed.container("web"))["Path"].clone();
    assert_eq!(executes, json!("/.supervisor-confine"));
}
