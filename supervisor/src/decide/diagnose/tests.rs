//! What containers of the real programs printed and how they ended, and what is made of it.

use expect_test::{Expect, expect};

use super::super::testing::want_on;
use super::*;

const SERVICE: &str = "
services:
  web:
    image: i:1
    user: '1000:1000'
    mem_limit: 64m
    pids_limit: 20
    ulimits: {nofile: {soft: 1024, hard: 1024}}
    volumes: ['data:/data', 'conf:/conf:ro']
    tmpfs: ['/cache:size=1m']
    secrets: [token]
    x-supervisor: {runtime: go, tcp: {bind: [8080], connect: [443]}}
volumes: {data: {}, conf: {}}
secrets: {token: {environment: TOKEN}}
";

fn spec() -> ContainerSpec {
    want_on(SERVICE, 6).services["web"].containers[0].clone()
}

#[track_caller]
fn check_symptoms(symptoms: &Symptoms<'_>, expect: Expect) {
    expect.assert_eq(&diagnose(&spec(), symptoms).map_or_else(|| "-".to_owned(), |found| found.to_string()));
}

/// What is made of the last lines of a service that ended with this code.
#[track_caller]
fn check(code: i64, output: &str, expect: Expect) {
    let output: Vec<String> = output.lines().map(str::to_owned).collect();
    check_symptoms(&Symptoms { code: Some(code), output: &output, ..Symptoms::default() }, expect);
}

#[test]
fn what_the_kernel_counted_is_known() {
    check_symptoms(
        &Symptoms { code: Some(137), out_of_memory: true, ..Symptoms::default() },
        expect![
            "the kernel killed it: it used up its memory limit of 64m; let it use less, or write `mem_limit: 128m`"
        ],
    );
    check_symptoms(
        &Symptoms { code: None, pids_refused: 1, ..Symptoms::default() },
        expect![
            "the kernel refused it a process or thread once: its limit is 20 of them; write `pids_limit: 40`"
        ],
    );
    check_symptoms(
        &Symptoms { code: Some(1), pids_refused: 7, ..Symptoms::default() },
        expect![
            "the kernel refused it a process or thread 7 times: its limit is 20 of them; write `pids_limit: 40`"
        ],
    );
}

/// What is made of the engine's word on a start.
#[track_caller]
fn check_start(code: i64, error: &str, expect: Expect) {
    let error = format!("unable to start container process: error during container init: {error}");
    check_symptoms(&Symptoms { code: Some(code), error: &error, ..Symptoms::default() }, expect);
}

#[test]
fn what_the_engine_could_not_start_is_known() {
    check_start(
        126,
        r#"exec: "/etc/passwd": permission denied"#,
        expect![
            "`/etc/passwd`, or the interpreter that it names, may not be executed by the service's user; set its execute bit (`chmod +x`), or name its interpreter: `entrypoint: [sh, FILE]`"
        ],
    );
    check_start(
        126,
        r#"exec: "/data/tool": permission denied"#,
        expect![
            "`/data/tool` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write `x-supervisor: {exec_from: [/data]}` if what is written there is to be trusted like the image"
        ],
    );
    check_start(
        127,
        r#"exec: "/nope": stat /nope: no such file or directory"#,
        expect!["there is no program `/nope` in the image; correct `command` or `entrypoint`, or the image"],
    );
    check_start(
        127,
        r#"exec: "nope": executable file not found in $PATH"#,
        expect!["there is no program `nope` in the image; correct `command` or `entrypoint`, or the image"],
    );
    check_start(
        255,
        "exec /bin/tool: exec format error",
        expect![
            "`/bin/tool` is no program for this machine's processor; use an image for this architecture, or begin a script with `#!` and its interpreter"
        ],
    );
}

#[test]
fn shells_and_small_tools() {
    check(
        1,
        "sh: can't create /x: Read-only file system",
        expect![
            "likely: it could not write to `/x`, since its root is read-only; let it write elsewhere, such as below `/tmp`"
        ],
    );
    check(
        2,
        "sh: 1: cannot create /app/log/x: Read-only file system",
        expect![
            "likely: it could not write to `/app/log/x`, since its root is read-only; write `tmpfs: [/app/log]` for what may be lost, or `volumes: [NAME:/app/log]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "bash: line 1: /conf/x: Read-only file system",
        expect![
            "likely: it could not write to `/conf/x`, since `/conf` is mounted read-only; mount `/conf` without `:ro` or `read_only: true` if the service is to change it"
        ],
    );
    check(
        1,
        "mkdir: cannot create directory '/var/cache/app': Read-only file system",
        expect![
            "likely: it could not write to `/var/cache/app`, since its root is read-only; write `tmpfs: [/var/cache/app]` for what may be lost, or `volumes: [NAME:/var/cache/app]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "mkdir: can't create directory '/y': Read-only file system",
        expect![
            "likely: it could not write to `/y`, since its root is read-only; write `tmpfs: [/y]` for what may be lost, or `volumes: [NAME:/y]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        128,
        "fatal: cannot mkdir /srv/x: Read-only file system",
        expect![
            "likely: it could not write to `/srv/x`, since its root is read-only; write `tmpfs: [/srv/x]` for what may be lost, or `volumes: [NAME:/srv/x]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        30,
        "cannot open /srv/x: Read-only file system at -e line 1.",
        expect![
            "likely: it could not write to `/srv/x`, since its root is read-only; write `tmpfs: [/srv]` for what may be lost, or `volumes: [NAME:/srv]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "touch: cannot touch '/data/f': Permission denied",
        expect![
            "likely: its user (1000:1000) has no right on `/data/f`; the volume at `/data` belongs to somebody else: let the image make that folder for the user, or `chown` it once, or write the `user` to whom it belongs"
        ],
    );
    check(
        1,
        "touch: /cache/f: Permission denied",
        expect![[
            r#"likely: its user (1000:1000) has no right on `/cache/f`; give the tmpfs to that user: `tmpfs: ["/cache:uid=1000,gid=1000,mode=700"]`"#
        ]],
    );
    check(
        1,
        "cat: can't open '/run/secrets/token': Permission denied",
        expect![
            "likely: its user (1000:1000) has no right on `/run/secrets/token`; the secret `token` is for another reader: write its `uid`, `gid` and `mode`"
        ],
    );
    check(
        1,
        "chown: changing ownership of '/data': Operation not permitted",
        expect![[
            r#"likely: it may not give files to others (`changing ownership`): it has no capability for it; start it as the user that it works as: `user: "UID:GID"`, with its files given to that user before; only if it has to be root, write `cap_add: [CHOWN]`"#
        ]],
    );
    check(
        1,
        "setpriv: setresuid failed: Operation not permitted",
        expect![[
            r#"likely: it may not become another user (`setresuid`): it has no capability for it; start it as that user: `user: "UID:GID"`; only if it has to begin as root, write `cap_add: [SETUID, SETGID]`"#
        ]],
    );
    check(
        1,
        "su: cannot set groups: Operation not permitted",
        expect![[
            r#"likely: it may not become another user (`set groups`): it has no capability for it; start it as that user: `user: "UID:GID"`; only if it has to begin as root, write `cap_add: [SETUID, SETGID]`"#
        ]],
    );
    check(
        1,
        "unshare: unshare(0x0): Operation not permitted",
        expect![
            "likely: the system call `unshare` (root in a namespace of one's own, and with it the kernel's untested parts) is refused to it; no setting opens it short of the capability that it needs; see `docs/profiles.md`"
        ],
    );
    check(
        1,
        "cat: write error: No space left on device",
        expect![
            "likely: a place that it writes to is full; free space on the host, or write a larger `size` of its tmpfs"
        ],
    );
    check(
        1,
        "bash: fork: retry: Resource temporarily unavailable",
        expect![
            "likely: it got no further process or thread, with a limit of 20 of them; write `pids_limit: 40`"
        ],
    );
    check(
        1,
        "sh: can't fork: Resource temporarily unavailable",
        expect![
            "likely: it got no further process or thread, with a limit of 20 of them; write `pids_limit: 40`"
        ],
    );
    check(
        1,
        "sh: can't kill pid 1: Operation not permitted",
        expect![[
            r#"likely: it may not send a signal to a process that is not of the service (`kill`); let it end by itself, or write `x-supervisor: {landlock: "off"}` if it has to signal the engine's init"#
        ]],
    );
}

#[test]
fn programs_that_are_not_executed() {
    check(
        126,
        "bash: line 1: /etc/passwd: Permission denied",
        expect![
            "likely: `/etc/passwd`, or the interpreter that it names, may not be executed by the service's user; set its execute bit (`chmod +x`), or name its interpreter: `entrypoint: [sh, FILE]`"
        ],
    );
    check(
        126,
        "sh: /data/bin/tool: Permission denied",
        expect![
            "likely: `/data/bin/tool` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write `x-supervisor: {exec_from: [/data/bin]}` if what is written there is to be trusted like the image"
        ],
    );
    check(
        126,
        "sh: /cache/tool: Permission denied",
        expect![
            "likely: `/cache/tool` may not be executed, since it is in the tmpfs `/cache`; put it into the image, or into a volume that `x-supervisor.exec_from` names"
        ],
    );
    check(
        126,
        "supervisor-confine: cannot execute `/data/tool`: Permission denied (os error 13)",
        expect![
            "likely: `/data/tool` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write `x-supervisor: {exec_from: [/data]}` if what is written there is to be trusted like the image"
        ],
    );
    check(
        127,
        "supervisor-confine: cannot execute `nowhere`: No such file or directory (os error 2)",
        expect![
            "likely: there is no program `nowhere` in the image; correct `command` or `entrypoint`, or the image"
        ],
    );
    check(
        255,
        "exec /usr/bin/caddy: operation not permitted",
        expect![
            "likely: `/usr/bin/caddy` carries a file capability that the service is not given, so that the kernel does not execute it; write `cap_add: [NET_BIND_SERVICE]` where it is that one, as in the official Caddy image, or remove it from the file (`setcap -r`)"
        ],
    );
    check(
        126,
        "supervisor-confine: cannot execute `caddy`: Operation not permitted (os error 1)",
        expect![
            "likely: its program carries a file capability that the service is not given, so that the kernel does not execute it; write `cap_add: [NET_BIND_SERVICE]` where it is that one, as in the official Caddy image, or remove it from the file (`setcap -r`)"
        ],
    );
}

#[test]
fn go() {
    check(
        1,
        "{\"level\":\"info\",\"ts\":1795677413.1732836,\"logger\":\"http\",\"msg\":\"servers shutting down with eternal grace period\"}\n\
         Error: loading new config: http app module: start: listening on :80: listen tcp :80: bind: permission denied",
        expect![
            "likely: it may not listen on port 80, which is not in its `x-supervisor.tcp.bind`; write `x-supervisor: {tcp: {bind: [8080, 80]}}`"
        ],
    );
    check(
        1,
        "Error: mkdir /data/caddy: permission denied",
        expect![
            "likely: its user (1000:1000) has no right on `/data/caddy`; the volume at `/data` belongs to somebody else: let the image make that folder for the user, or `chown` it once, or write the `user` to whom it belongs"
        ],
    );
    check(
        1,
        "open /srv/x.lock: read-only file system",
        expect![
            "likely: it could not write to `/srv/x.lock`, since its root is read-only; write `tmpfs: [/srv]` for what may be lost, or `volumes: [NAME:/srv]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "fork/exec /data/plugins/p: permission denied",
        expect![
            "likely: `/data/plugins/p` may not be executed, since it is in `/data`, which is writable; mount it read-only, or write `x-supervisor: {exec_from: [/data/plugins]}` if what is written there is to be trusted like the image"
        ],
    );
    check(
        1,
        "dial tcp 10.0.0.9:5432: connect: permission denied",
        expect![
            "likely: it may not connect to port 5432, which is not in its `x-supervisor.tcp.connect`; write `x-supervisor: {tcp: {connect: [443, 53, 5432]}}`"
        ],
    );
    check(1, "dial tcp 10.0.0.9:443: connect: permission denied", expect!["-"]);
    check(
        2,
        "runtime: failed to create new OS thread (have 7 already; errno=11)",
        expect![
            "likely: it got no further process or thread, with a limit of 20 of them; write `pids_limit: 40`"
        ],
    );
    check(
        1,
        "accept tcp [::]:8080: accept4: too many open files",
        expect![
            "likely: it has too many files open, with a limit of 1024 of them; write `ulimits: {nofile: {soft: 4096, hard: 4096}}`"
        ],
    );
}

#[test]
fn node() {
    check(
        1,
        "Error: EROFS: read-only file system, open '/app/x'\n    at Object.writeFileSync (node:fs:2412:20)",
        expect![
            "likely: it could not write to `/app/x`, since its root is read-only; write `tmpfs: [/app]` for what may be lost, or `volumes: [NAME:/app]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    let fields = |code: &str, rest: &str| {
        format!(
            "    at node:internal/main/eval_string:71:3 {{\n  errno: -1,\n  code: '{code}',\n{rest}\n}}\n\nNode.js v24.21.0"
        )
    };
    check(
        1,
        &fields("EACCES", "  syscall: 'mkdir',\n  path: '/data/y'"),
        expect![
            "likely: its user (1000:1000) has no right on `/data/y`; the volume at `/data` belongs to somebody else: let the image make that folder for the user, or `chown` it once, or write the `user` to whom it belongs"
        ],
    );
    check(
        1,
        &fields("EACCES", "  syscall: 'listen',\n  address: '0.0.0.0',\n  port: 80"),
        expect![
            "likely: it may not listen on port 80, which is not in its `x-supervisor.tcp.bind`; write `x-supervisor: {tcp: {bind: [8080, 80]}}`"
        ],
    );
    check(
        1,
        &fields("EACCES", "  syscall: 'spawn /etc/passwd',\n  path: '/etc/passwd',\n  spawnargs: []"),
        expect![
            "likely: `/etc/passwd`, or the interpreter that it names, may not be executed by the service's user; set its execute bit (`chmod +x`), or name its interpreter: `entrypoint: [sh, FILE]`"
        ],
    );
    check(
        1,
        &fields("EPERM", "  syscall: 'chown',\n  path: '/data'"),
        expect![[
            r#"likely: it may not give files to others (`chown`): it has no capability for it; start it as the user that it works as: `user: "UID:GID"`, with its files given to that user before; only if it has to be root, write `cap_add: [CHOWN]`"#
        ]],
    );
    check(
        1,
        &fields("EAGAIN", "  syscall: 'spawn sleep',\n  path: 'sleep',\n  spawnargs: [ '5' ]"),
        expect![
            "likely: it got no further process or thread, with a limit of 20 of them; write `pids_limit: 40`"
        ],
    );
    check(
        1,
        &fields("EMFILE", "  syscall: 'open',\n  path: '/etc/passwd'"),
        expect![
            "likely: it has too many files open, with a limit of 1024 of them; write `ulimits: {nofile: {soft: 4096, hard: 4096}}`"
        ],
    );
    check(
        1,
        &fields("ENOSYS", "  syscall: 'symlink',\n  path: 'a',\n  dest: '/cache/b'"),
        expect![
            "likely: the system call `symlink` (symlinkat's old spelling) is not granted by its seccomp profile; write `x-supervisor: {runtime: generic}`, or add it to the service's recorded profile"
        ],
    );
    check(
        1,
        &fields("ENOSYS", "  syscall: 'pidfd_getfd'"),
        expect![
            "likely: the system call `pidfd_getfd` (take another process's descriptors) is not granted by its seccomp profile; no service is granted it; use a version or a setting of the service that does without"
        ],
    );
    check(
        1,
        &fields("ENOSPC", "  syscall: 'write',\n  path: '/cache/f'"),
        expect![[
            r#"likely: the tmpfs `/cache` is full, at 1m; write `tmpfs: ["/cache:size=4m"]`, or a volume"#
        ]],
    );
    check(
        134,
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        expect![
            "likely: it got no more memory, with a limit of 64m; write `mem_limit: 128m`; a runtime with a heap of its own has to be told, such as Node by `environment: {NODE_OPTIONS: --max-old-space-size=96}`"
        ],
    );
}

#[test]
fn python_and_nginx() {
    check(
        1,
        "OSError: [Errno 30] Read-only file system: '/srv/app/x.pid'",
        expect![
            "likely: it could not write to `/srv/app/x.pid`, since its root is read-only; write `tmpfs: [/srv/app]` for what may be lost, or `volumes: [NAME:/srv/app]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "PermissionError: [Errno 13] Permission denied: '/data/x'",
        expect![
            "likely: its user (1000:1000) has no right on `/data/x`; the volume at `/data` belongs to somebody else: let the image make that folder for the user, or `chown` it once, or write the `user` to whom it belongs"
        ],
    );
    check(1, "PermissionError: [Errno 1] Operation not permitted: '/data/x'", expect!["-"]);
    check(
        1,
        "nginx: [emerg] mkdir() \"/var/cache/nginx/client_temp\" failed (30: Read-only file system)",
        expect![
            "likely: it could not write to `/var/cache/nginx/client_temp`, since its root is read-only; write `tmpfs: [/var/cache/nginx/client_temp]` for what may be lost, or `volumes: [NAME:/var/cache/nginx/client_temp]` for what is to stay; a tmpfs hides what the image has there"
        ],
    );
    check(
        1,
        "nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)",
        expect![
            "likely: it may not listen on port 80, which is not in its `x-supervisor.tcp.bind`; write `x-supervisor: {tcp: {bind: [8080, 80]}}`"
        ],
    );
}

#[test]
fn what_is_not_understood_or_has_nothing_to_do_with_it_gets_no_diagnosis() {
    check(0, "touch: /x: Read-only file system", expect!["-"]);
    check(143, "touch: /x: Read-only file system", expect!["-"]);
    check(137, "touch: /x: Read-only file system", expect!["-"]);
    check(1, "Error: reading config from file: open /nope: no such file or directory", expect!["-"]);
    check(1, "read: resource temporarily unavailable", expect!["-"]);
    check(1, "the permissions were denied once", expect!["-"]);
    check(1, "", expect!["-"]);
    check(
        159,
        "",
        expect![
            "likely: seccomp ended it: it made a system call that nothing but an intruder is expected to make; see which in `denials` of `/status`, or in the kernel's log (`journalctl -k`, `type=1326`); `docs/profiles.md` says what no service is granted"
        ],
    );
}

#[test]
fn what_came_last_counts() {
    check(
        1,
        "mkdir: /x: Read-only file system\nretrying\ntouch: /data/f: Permission denied\nbye",
        expect![
            "likely: its user (1000:1000) has no right on `/data/f`; the volume at `/data` belongs to somebody else: let the image make that folder for the user, or `chown` it once, or write the `user` to whom it belongs"
        ],
    );
}
