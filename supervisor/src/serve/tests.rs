//! The endpoint over real sockets: raw bytes in, the answer's text out.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::access::Token;
use super::http::Shared;
use super::inside::accept_all;
use super::listen::Listen;
use super::requests::Counted;
use super::routes::Moment;
use super::snapshot::{ContainerStatus, Phase, Pulse, ServiceState, ServiceStatus, Snapshot};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A running endpoint on a port of its own.
struct Bed {
    address: SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    _serving: Serving,
}

/// The endpoint in a thread of this process, until this is dropped.
struct Serving(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

fn serve(endpoint: super::Endpoint, snapshots: &watch::Receiver<Arc<Snapshot>>, pulse: &Pulse) -> Serving {
    let (stop, stopped) = oneshot::channel();
    let listeners = endpoint.0.into_iter().map(|(bound, access)| {
        (
            bound,
            Shared { access, snapshots: snapshots.clone(), pulse: pulse.clone(), requests: Arc::default() },
        )
    });
    let listeners: Vec<_> = listeners.collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let thread = std::thread::spawn(move || {
        LocalSet::new().block_on(&runtime, async {
            tokio::select! {
                _ = stopped => {}
                () = accept_all(listeners) => {}
            }
        });
    });
    Serving(Some((stop, thread)))
}

impl Drop for Serving {
    fn drop(&mut self) {
        let (stop, thread) = self.0.take().unwrap();
        drop(stop);
        thread.join().unwrap();
    }
}

fn bed(snapshot: Snapshot, pulse: &Pulse, token: Option<&Token>) -> Bed {
    // The port is free a moment before it is bound: the kernel does not give it to others in between.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = super::bind(&[Listen::Tcp(address)], token).unwrap();
    let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
    Bed { address, snapshots, _serving: serve(endpoint, &receiver, pulse) }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn healthy() -> Snapshot {
    let container = ContainerStatus {
        name: "shop-web-1".into(),
        id: "0123456789ab".into(),
        state: ServiceState::Healthy,
        reason: "its probe passes".into(),
        restarts: 2,
        exit_code: None,
        last_lines: Vec::new(),
        diagnosis: None,
        next_start: None,
        probe: None,
        attestation: super::snapshot::Attestation::Passed { at: now(), checks: 30 },
    };
    let service = ServiceStatus {
        state: ServiceState::Healthy,
        reason: "its probe passes".into(),
        wanted: 1,
        containers: vec![container],
    };
    Snapshot {
        project: "shop".into(),
        phase: Phase::Watching,
        reasons: Vec::new(),
        services: [("web".to_owned(), service)].into(),
        ..Snapshot::starting(now())
    }
}

fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    // A refusal may come before the whole request is written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8(answer).unwrap().replace("\r\n", "\n");
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("date: ")).collect();
    lines.push("");
    lines.join("\n")
}

/// Bytes on the wire to a healthy endpoint without a token, and what comes back.
#[track_caller]
fn check(request: &str, expect: Expect) {
    let bed = bed(healthy(), &Pulse::new(Instant::now()), None);
    expect.assert_eq(&exchange(bed.address, request.as_bytes()));
}

#[test]
fn healthz_is_short_json() {
    check(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        expect![[r#"
            HTTP/1.1 200 OK
            content-type: application/json
            cache-control: no-store
            x-content-type-options: nosniff
            connection: close
            content-length: 87

            {"ok":true,"phase":"watching","reasons":[],"warnings":[],"services":{"web":"healthy"}}
        "#]],
    );
}

#[test]
fn head_has_no_body() {
    check(
        "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        expect![[r"
        HTTP/1.1 200 OK
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: 3

    "]],
    );
}

#[test]
fn http_1_0_without_a_host_is_answered() {
    check(
        "GET /readyz HTTP/1.0\r\n\r\n",
        expect![[r"
        HTTP/1.0 200 OK
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        content-length: 3

        ok
    "]],
    );
}

#[test]
fn other_methods_are_refused() {
    check(
        "DELETE /status HTTP/1.1\r\nHost: localhost\r\n\r\n",
        expect![[r"
        HTTP/1.1 405 Method Not Allowed
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        allow: GET, HEAD
        connection: close
        content-length: 18

        only GET and HEAD
    "]],
    );
}

#[test]
fn a_body_is_refused() {
    check(
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
        expect![[r"
        HTTP/1.1 413 Payload Too Large
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: 21

        no body is read here
    "]],
    );
    check(
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        expect![[r"
        HTTP/1.1 413 Payload Too Large
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: 21

        no body is read here
    "]],
    );
}

#[test]
fn unknown_paths_name_the_known_ones() {
    check(
        "GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        expect![[r"
        HTTP/1.1 404 Not Found
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: 61

        not here; there are /livez /readyz /healthz /status /metrics
    "]],
    );
}

#[test]
fn another_host_is_refused() {
    check(
        "GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        expect![[r"
        HTTP/1.1 421 Misdirected Request
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: 29

        this host is not served here
    "]],
    );
}

#[test]
fn what_is_not_http_is_refused() {
    check(
        "\x16\x03\x01\x02\x00\x01\x00",
        expect![[r"
        HTTP/1.1 400 Bad Request
        connection: close
        content-length: 0

    "]],
    );
    check(
        "GET /livez HTTP/9.9\r\n\r\n",
        expect![[r"
        HTTP/1.1 400 Bad Request
        connection: close
        content-length: 0

    "]],
    );
    check(
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        expect![[r"
        HTTP/1.1 400 Bad Request
        connection: close
        content-length: 0

    "]],
    );
}

#[test]
fn long_headers_are_refused() {
    let filler = "y".repeat(9000);
    check(
        &format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Filler: {filler}\r\n\r\n"),
        expect![[r"
        HTTP/1.1 431 Request Header Fields Too Large
        connection: close
        content-length: 0

    "]],
    );
}

#[test]
fn many_headers_are_refused() {
    let filler = "X-Filler: y\r\n".repeat(100);
    check(
        &format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{filler}\r\n"),
        expect![[r"
        HTTP/1.1 431 Request Header Fields Too Large
        connection: close
        content-length: 0

    "]],
    );
}

#[test]
fn a_wrong_token_is_refused_and_the_right_one_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = Token::read(&path).unwrap();
    let bed = bed(healthy(), &Pulse::new(Instant::now()), Some(&token));
    let ask = |token: &str| {
        exchange(bed.address, format!("GET /livez HTTP/1.1\r\nHost: example.org\r\n{token}\r\n").as_bytes())
    };
    expect![[r#"
        HTTP/1.1 401 Unauthorized
        content-type: text/plain; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        www-authenticate: Bearer realm="supervisor"
        connection: close
        content-length: 25

        a bearer token is needed
    "#]]
    .assert_eq(&ask(""));
    assert_eq!(ask("Authorization: Bearer 0123456789abcdef\r\n"), ask(""));
    assert!(ask(&format!("Authorization: Bearer {TOKEN}\r\n")).starts_with("HTTP/1.1 200 OK\n"));
}

#[test]
fn an_open_address_needs_a_token() {
    let error = super::bind(&["0.0.0.0:0".parse().unwrap()], None).unwrap_err();
    expect!["`0.0.0.0:0` can be reached from other machines, and no token is asked for"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_unix_socket_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let endpoint = super::bind(&[Listen::Unix(path.clone())], None).unwrap();
    let (_sender, receiver) = watch::channel(Arc::new(healthy()));
    let _serving = serve(endpoint, &receiver, &Pulse::new(Instant::now()));
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: anything\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn a_new_snapshot_is_answered_at_once() {
    let bed = bed(Snapshot::starting(now()), &Pulse::new(Instant::now()), None);
    let ask = || exchange(bed.address, b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(ask().ends_with("the supervisor has just started\n"));
    bed.snapshots.send(Arc::new(healthy())).unwrap();
    assert!(ask().ends_with("\nok\n"));
}

#[test]
fn a_loop_that_is_stuck_is_neither_alive_nor_healthy() {
    let long_ago = Instant::now().checked_sub(Duration::from_secs(100)).unwrap();
    let bed = bed(healthy(), &Pulse::new(long_ago), None);
    let ask = |path: &str| {
        exchange(bed.address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    };
    assert!(ask("/livez").ends_with("the loop has not ended a turn for 100 s\n"));
    assert!(ask("/readyz").starts_with("HTTP/1.1 503 "));
    assert!(ask("/healthz").contains(r#""ok":false"#));
}

#[test]
fn many_who_do_not_ask_keep_nobody_out() {
    let bed = bed(healthy(), &Pulse::new(Instant::now()), None);
    let idle: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(bed.address).unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nX-Slow: ").unwrap();
            stream
        })
        .collect();
    let answer = exchange(bed.address, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
    drop(idle);
}

#[test]
fn headers_that_never_end_are_cut_off() {
    let bed = bed(healthy(), &Pulse::new(Instant::now()), None);
    // `exchange` returns only once the endpoint has closed the connection.
    expect![[""]].assert_eq(&exchange(bed.address, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"));
}

#[test]
fn metrics_are_open_metrics_text() {
    let at = "2026-11-22T12:00:00Z".parse().unwrap();
    let snapshot = Snapshot { started_at: at, ..healthy() };
    let requests = Counted { answers: [(200, 5), (401, 2)].into(), crowded_out: 3 };
    let age = Duration::from_secs(1);
    let text = super::metrics::render(Moment { snapshot: &snapshot, age, requests: &requests });
    expect![[r##"
        # HELP supervisor_info Always 1; which supervisor this is
        # TYPE supervisor_info gauge
        supervisor_info{version="0.1.0",project="shop"} 1.0
        # HELP supervisor_start_time_seconds When this process started, since 1970
        # TYPE supervisor_start_time_seconds gauge
        # UNIT supervisor_start_time_seconds seconds
        supervisor_start_time_seconds{} 1795348800.0
        # HELP supervisor_turning 1 while the loop turns; what /livez says
        # TYPE supervisor_turning gauge
        supervisor_turning{} 1.0
        # HELP supervisor_turn_age_seconds Since the loop last ended a turn; it turns at least every 5 s
        # TYPE supervisor_turn_age_seconds gauge
        # UNIT supervisor_turn_age_seconds seconds
        supervisor_turn_age_seconds{} 1.0
        # HELP supervisor_turn_duration_seconds How long the loop's last turn took
        # TYPE supervisor_turn_duration_seconds gauge
        # UNIT supervisor_turn_duration_seconds seconds
        supervisor_turn_duration_seconds{} 0.0
        # HELP supervisor_turn_longest_seconds How long the longest turn took since this process started
        # TYPE supervisor_turn_longest_seconds gauge
        # UNIT supervisor_turn_longest_seconds seconds
        supervisor_turn_longest_seconds{} 0.0
        # HELP supervisor_kernel_landlock_abi Version of Landlock's interface that the kernel offers, of those that are made use of; 0 is none
        # TYPE supervisor_kernel_landlock_abi gauge
        # HELP supervisor_ready 1 when every service is healthy and attested; what /readyz and /healthz say
        # TYPE supervisor_ready gauge
        supervisor_ready{} 1.0
        # HELP supervisor_stack_refused 1 while the file as it is now is refused; the one before it stays in force
        # TYPE supervisor_stack_refused gauge
        supervisor_stack_refused{} 0.0
        # HELP supervisor_stack_refusals Files that were read and not taken
        # TYPE supervisor_stack_refusals counter
        supervisor_stack_refusals_total{} 0.0
        # HELP supervisor_engine_reachable 1 while the engine answers
        # TYPE supervisor_engine_reachable gauge
        supervisor_engine_reachable{} 0.0
        # HELP supervisor_engine_listening 1 while the engine's events are heard
        # TYPE supervisor_engine_listening gauge
        supervisor_engine_listening{} 0.0
        # HELP supervisor_engine_reconnects Times that the engine's event stream was opened again
        # TYPE supervisor_engine_reconnects counter
        supervisor_engine_reconnects_total{} 0.0
        # HELP supervisor_look_time_seconds When the engine was last looked at in full, since 1970
        # TYPE supervisor_look_time_seconds gauge
        # UNIT supervisor_look_time_seconds seconds
        # HELP supervisor_look_duration_seconds How long the engine took for the last full look
        # TYPE supervisor_look_duration_seconds gauge
        # UNIT supervisor_look_duration_seconds seconds
        supervisor_look_duration_seconds{} 0.0
        # HELP supervisor_looks Full looks at the engine
        # TYPE supervisor_looks counter
        supervisor_looks_total{} 0.0
        # HELP supervisor_plans Plans with at least one step that were carried out
        # TYPE supervisor_plans counter
        supervisor_plans_total{} 0.0
        # HELP supervisor_plan_failures Plans that stopped before their end
        # TYPE supervisor_plan_failures counter
        supervisor_plan_failures_total{} 0.0
        # HELP supervisor_last_plan_time_seconds When the last plan with a step ended, since 1970; absent before the first one has
        # TYPE supervisor_last_plan_time_seconds gauge
        # UNIT supervisor_last_plan_time_seconds seconds
        # HELP supervisor_service_state 1 for the state that the service is in
        # TYPE supervisor_service_state gauge
        supervisor_service_state{service="web",state="healthy"} 1.0
        supervisor_service_state{service="web",state="running"} 0.0
        supervisor_service_state{service="web",state="completed"} 0.0
        supervisor_service_state{service="web",state="starting"} 0.0
        supervisor_service_state{service="web",state="absent"} 0.0
        supervisor_service_state{service="web",state="backing_off"} 0.0
        supervisor_service_state{service="web",state="crash_loop"} 0.0
        supervisor_service_state{service="web",state="unhealthy"} 0.0
        supervisor_service_state{service="web",state="stopped"} 0.0
        supervisor_service_state{service="web",state="failed"} 0.0
        # HELP supervisor_container_restarts Starts that healed the container
        # TYPE supervisor_container_restarts counter
        supervisor_container_restarts_total{service="web",container="shop-web-1"} 2.0
        # HELP supervisor_container_attested 1 where the kernel's word is as promised, 0 where it is not; absent where it was not asked yet
        # TYPE supervisor_container_attested gauge
        supervisor_container_attested{service="web",container="shop-web-1"} 1.0
        # HELP supervisor_container_broken_promises What the kernel said of it that is not as promised, in sentences; absent where it was not asked yet
        # TYPE supervisor_container_broken_promises gauge
        supervisor_container_broken_promises{service="web",container="shop-web-1"} 0.0
        # HELP supervisor_container_next_start_seconds When a container that waits for its back-off is started again, since 1970; absent where none waits
        # TYPE supervisor_container_next_start_seconds gauge
        # UNIT supervisor_container_next_start_seconds seconds
        # HELP supervisor_probe_duration_seconds How long the last probe took
        # TYPE supervisor_probe_duration_seconds gauge
        # UNIT supervisor_probe_duration_seconds seconds
        # HELP supervisor_probes Probes that were asked
        # TYPE supervisor_probes counter
        # HELP supervisor_probe_failures Probes that failed
        # TYPE supervisor_probe_failures counter
        # HELP supervisor_relay_listening 1 where the supervisor listens on a loopback port of a service on internal networks, 0 where it cannot
        # TYPE supervisor_relay_listening gauge
        # HELP supervisor_relay_connections Connections through that port now
        # TYPE supervisor_relay_connections gauge
        # HELP supervisor_relay_passed Connections that were passed on to a container
        # TYPE supervisor_relay_passed counter
        # HELP supervisor_relay_refused Connections that were closed at once: too many, or no container took them
        # TYPE supervisor_relay_refused counter
        # HELP supervisor_egress_requests Connections that a service asked the egress proxy for, by name and port: `allowed`, `denied`, or `failed` where the way was open and nobody answered; 100 names a service, the rest under `other:0`
        # TYPE supervisor_egress_requests counter
        # HELP supervisor_denials What the kernel denied to a service, as far as it tells: by `seccomp` a system call, by `apparmor` an operation; which path and what to write is in /status
        # TYPE supervisor_denials counter
        # HELP supervisor_denials_heard 1 where denials are heard on this way: `audit` loses none, `log` has ten at once at most
        # TYPE supervisor_denials_heard gauge
        supervisor_denials_heard{way="audit"} 0.0
        supervisor_denials_heard{way="log"} 0.0
        # HELP supervisor_control_plane_told Whether the control plane took the news that the stack is up; absent where there is none
        # TYPE supervisor_control_plane_told gauge
        # HELP supervisor_endpoint_answers Answers of the endpoint since it started; 401 without the right token, 421 for another host
        # TYPE supervisor_endpoint_answers counter
        supervisor_endpoint_answers_total{status="200"} 5.0
        supervisor_endpoint_answers_total{status="401"} 2.0
        # HELP supervisor_endpoint_crowded_out Connections to the endpoint that had to make room before they had asked
        # TYPE supervisor_endpoint_crowded_out counter
        supervisor_endpoint_crowded_out_total{} 3.0
        # HELP supervisor_guard_set 1 where the guard was in force as wanted at the last look, 0 where it was not; absent where the stack goes without
        # TYPE supervisor_guard_set gauge
        # HELP supervisor_guard_restorations Times that the guard was put back after somebody had taken it away or changed it
        # TYPE supervisor_guard_restorations counter
        supervisor_guard_restorations_total{} 0.0
        # HELP supervisor_guard_packets Packets that met a row of the guard; `supervisor guard show` says what each row is
        # TYPE supervisor_guard_packets counter
        # HELP supervisor_guard_bytes Bytes of those packets
        # TYPE supervisor_guard_bytes counter
        # UNIT supervisor_guard_bytes bytes
        # EOF
    "##]].assert_eq(&text);
}
