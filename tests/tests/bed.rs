//! The bed itself: an engine answers, a tiny image runs, a command runs in it, and all of it is gone afterwards.

use serde_json::json;
use tests::{Bed, image, proxy::Proxy};

#[test]
fn a_container_runs_answers_and_goes_with_its_bed() {
    let bed = Bed::new("bed");
    let image = image::busybox(&bed.engine);
    let label = format!("supervisor.project={}", bed.project);
    let body =
        json!({"Image": image, "Labels": {"supervisor.project": bed.project}, "HostConfig": {"Init": true}});
    bed.engine.run(&bed.container("a"), &body);
    assert_eq!(bed.engine.exec(&bed.container("a"), &["id", "-u"]), (0, "1000\n".to_owned()));
    assert_eq!(bed.engine.containers(&label).len(), 1);
    let engine = bed.engine.clone();
    drop(bed);
    assert_eq!(engine.containers(&label).len(), 0);
}

#[test]
fn the_proxy_passes_requests_on_and_tells_them_apart() {
    let bed = Bed::new("bed");
    let proxy = Proxy::before(bed.engine.socket());
    let socket = proxy.host();
    let socket = std::path::Path::new(socket.strip_prefix("unix://").unwrap());
    assert_eq!(tests::http::get_unix(socket, "/_ping").unwrap().text(), "OK");
    let stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let answer =
        tests::http::exchange(stream, "POST", "/containers/none/start", &[("Host", "x")], b"").unwrap();
    assert_eq!(answer.status, 404);
    let seen = proxy.take();
    assert_eq!(
        seen.iter().map(|r| (r.path.as_str(), r.mutates())).collect::<Vec<_>>(),
        [("/_ping", false), ("/containers/none/start", true)]
    );
}
