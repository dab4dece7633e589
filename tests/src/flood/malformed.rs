//! Malformed requests: real ones, the owner's among them, with pieces put in, changed, taken out and said twice.
//!
//! The same seed makes the same requests. Deliberately absent: sending them.

/// What is put into requests.
const PIECES: &[&[u8]] = &[
    b"GET",
    b"HEAD",
    b"POST",
    b"PRI * HTTP/2.0",
    b" ",
    b"/status",
    b"/metrics",
    b"/",
    b"*",
    b"http://a/",
    b"/%00",
    b"/../livez",
    b"?",
    b" HTTP/1.1",
    b" HTTP/1.0",
    b" HTTP/0.9",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b"Host: x\r\n",
    b"Host: [::1]:9180\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Connection: keep-alive, upgrade\r\n",
    b"Upgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Accept: application/openmetrics-text;q=0.5,*/*;q=\r\n",
    b"Authorization: Bearer \r\n",
    b"Authorization: ",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b" folded\r\n",
    b"\x16\x03\x01",
];

/// Where requests come from, without an end.
pub(super) struct Requests {
    state: u64,
    real: Vec<Vec<u8>>,
}

impl Requests {
    /// The owner's have the token.
    pub(super) fn new(seed: u64, token: &str) -> Self {
        let paths = ["/livez", "/readyz", "/healthz", "/status", "/metrics", "/nowhere"];
        let stranger = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let owner = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:9180\r\nUser-Agent: Prometheus/3.5\r\nAccept: \
                 application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\nAccept-Encoding: gzip\r\n\
                 Authorization: Bearer {token}\r\n\r\n"
            )
        };
        let chunked = format!(
            "POST /status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        let real = paths.iter().flat_map(|path| [stranger(path), owner(path)]).chain([chunked]);
        Self { state: seed | 1, real: real.map(String::into_bytes).collect() }
    }

    /// The next one, and where it is cut in two.
    pub(super) fn next(&mut self) -> (Vec<u8>, usize) {
        let mut request = match self.below(8) {
            0 => Vec::new(),
            1 => {
                let length = self.below(9000);
                format!("GET /status HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(length)).into_bytes()
            }
            _ => {
                let one = self.below(self.real.len());
                self.real[one].clone()
            }
        };
        for _ in 0..self.below(8) {
            self.change(&mut request);
        }
        let cut = self.below(request.len() + 1);
        (request, cut)
    }

    fn change(&mut self, request: &mut Vec<u8>) {
        let at = self.below(request.len() + 1);
        let end = (at + self.below(64)).min(request.len());
        match self.below(6) {
            0 | 1 => {
                let piece = self.below(PIECES.len());
                drop(request.splice(at..at, PIECES[piece].iter().copied()));
            }
            2 if at < request.len() => request[at] = u8::try_from(self.below(256)).unwrap_or_default(),
            3 => {
                let said = request[at..end].to_vec();
                drop(request.splice(at..at, said));
            }
            4 => drop(request.drain(at..end)),
            _ if self.below(4) == 0 => request.truncate(at.max(1)),
            _ => {}
        }
    }

    /// xorshift64 (Marsaglia 2003).
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % bound as u64).unwrap_or_default()
    }
}
