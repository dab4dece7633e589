//! The engine's version and its lists of containers and images: asked for and read here, and not by the engine's crate.
//!
//! Of a large stack the lists are the largest answers by far, and the crate copies every text in them. Here what nothing asks for
//! is passed over, and the rest is borrowed from the answer. All go over one connection, which is kept for the next. Deliberately
//! absent: what the rows mean (`read`, `image`).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Mutex;

use bollard::errors::Error;
use bollard::models::ContainerSummaryStateEnum;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, Response};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use tokio::net::UnixStream;

use super::wire::VERSION;
use super::{Docker, LOOK, failure};
use crate::engine::error::EngineError;
use crate::net::exchange::Line;
use crate::render::percent_encoded;

/// The engine's answer, whole.
pub(super) struct Answer {
    action: &'static str,
    answer: Response<Vec<u8>>,
}

impl Answer {
    /// A header's text, if there is one.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name)?.to_str().ok()
    }

    /// Its rows, if it is a list, in the engine's order.
    pub(super) fn rows<'a, T: Deserialize<'a>>(&'a self) -> Result<Vec<T>, EngineError> {
        self.read()
    }

    /// What of it is asked for.
    pub(super) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, EngineError> {
        serde_json::from_slice(self.answer.body()).map_err(|error| EngineError::Broken {
            action: self.action.to_owned(),
            message: error.to_string(),
        })
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) enum Which<'a> {
    /// Whether somebody answers. What does is in the headers.
    Ping,
    /// Who answers, and with which programs. An engine starts two of them to ask for theirs, which takes it milliseconds.
    Version,
    /// All containers.
    All,
    /// Containers that run.
    Running,
    /// Of all, those with this label of this value.
    Labelled(&'a str, &'a str),
    /// All images.
    Images,
}

impl Which<'_> {
    fn path(self) -> String {
        match self {
            Self::Ping => "/_ping".to_owned(),
            Self::Version => VERSION.to_owned(),
            Self::All => "/containers/json?all=true".to_owned(),
            Self::Running => "/containers/json".to_owned(),
            Self::Labelled(name, value) => {
                let filters = serde_json::json!({"label": [format!("{name}={value}")]}).to_string();
                format!("/containers/json?all=true&filters={}", percent_encoded(&filters, b"-._~"))
            }
            Self::Images => "/images/json?digests=true".to_owned(),
        }
    }

    /// In the words of an error.
    const fn action(self) -> &'static str {
        match self {
            Self::Ping | Self::Version => "say its version",
            Self::All | Self::Running | Self::Labelled(..) => "list containers",
            Self::Images => "list images",
        }
    }
}

/// Room for an answer that does not say its length: more than 200 containers take. What is not used of it is never touched.
const ROOM: usize = 1024 * 1024;

/// The connection that is kept from one request to the next.
pub(super) type Kept = Mutex<Option<Line<UnixStream>>>;

impl Docker {
    /// One request that only looks, over the connection that is kept, or a new one where there is none, or where it turns out to be
    /// the one of an engine that is gone.
    pub(super) async fn get(&self, which: Which<'_>) -> Result<Answer, EngineError> {
        let action = which.action();
        // With a whole connection in it, it would make every caller's future large.
        let answer = Box::pin(self.carried(action, &which.path())).await?;
        Ok(Answer { action, answer })
    }

    async fn carried(&self, action: &str, path: &str) -> Result<Response<Vec<u8>>, EngineError> {
        self.wire.count("GET", path, 0);
        let kept = self.line.lock().ok().and_then(|mut line| line.take());
        if let Some(line) = kept {
            match self.over(line, action, path).await {
                Err(EngineError::Broken { .. } | EngineError::Unreachable { .. }) => {}
                answered => return answered,
            }
        }
        let address = self.address.to_string();
        let stream = UnixStream::connect(address.trim_start_matches("unix://")).await;
        let stream = stream.map_err(|error| {
            let reason = failure::reason(&error);
            EngineError::Unreachable { address, reason }
        })?;
        let line = self
            .ask(LOOK, || action.to_owned(), async { Ok(Line::over(&http1::Builder::new(), stream).await?) });
        self.over(line.await?, action, path).await
    }

    async fn over(
        &self,
        line: Line<UnixStream>,
        action: &str,
        path: &str,
    ) -> Result<Response<Vec<u8>>, EngineError> {
        self.ask(LOOK, || action.to_owned(), self.fetch(line, path)).await
    }

    async fn fetch(&self, line: Line<UnixStream>, path: &str) -> Result<Response<Vec<u8>>, Error> {
        let versioned = self.wire.versioned(path);
        let request = Request::get(versioned.as_deref().unwrap_or(path));
        let request = request.header(HOST, "docker").body(Empty::<Bytes>::new())?;
        // Put together piece by piece: the connection uses the memory of one that is copied for the next.
        let whole = async |response: Response<Incoming>| {
            let (parts, mut body) = response.into_parts();
            let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
            let mut whole = Vec::with_capacity(length.unwrap_or(ROOM).min(ROOM));
            while let Some(frame) = body.frame().await {
                whole.extend_from_slice(&frame?.into_data().unwrap_or_default());
            }
            Ok::<_, Error>(Response::from_parts(parts, whole))
        };
        let (answer, line) = line.ask(request, whole).await;
        if let Ok(mut kept) = self.line.lock() {
            *kept = line;
        }
        let answer = answer?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let said = serde_json::from_slice::<Refusal>(answer.body()).map(|refusal| refusal.message);
        let message = said.unwrap_or_else(|_| String::from_utf8_lossy(answer.body()).into_owned());
        Err(Error::DockerResponseServerError { status_code: answer.status().as_u16(), message })
    }
}

/// What the engine answers in place of what it was asked for.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// Who answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answerer<'a> {
    #[serde(borrow)]
    pub(super) version: Option<Text<'a>>,
    pub(super) api_version: Option<Text<'a>>,
    pub(super) components: Option<Vec<Component<'a>>>,
}

/// A program that it works with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Component<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    pub(super) version: Option<Text<'a>>,
}

/// A container. Whatever an engine leaves out, or says to be null, is absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Row<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    pub(super) names: Option<Vec<Text<'a>>>,
    #[serde(rename = "ImageID")]
    pub(super) image_id: Option<Text<'a>>,
    pub(super) created: Option<i64>,
    pub(super) ports: Option<Vec<Port<'a>>>,
    pub(super) labels: Option<Rows<'a, Text<'a>>>,
    pub(super) state: Option<ContainerSummaryStateEnum>,
    pub(super) status: Option<Text<'a>>,
    network_settings: Option<Settings<'a>>,
    pub(super) mounts: Option<Vec<Mount<'a>>>,
}

impl Row<'_> {
    /// Without its slash.
    pub(super) fn name(&self) -> &str {
        self.names.iter().flatten().next().map_or("", Text::as_str).trim_start_matches('/')
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.labels.iter().flat_map(|labels| &labels.0).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Its networks by name.
    pub(super) fn networks(&self) -> impl Iterator<Item = (&str, &Place<'_>)> {
        let networks = self.network_settings.iter().filter_map(|settings| settings.networks.as_ref());
        networks.flat_map(|networks| &networks.0).map(|(name, place)| (name.as_str(), place))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings<'a> {
    #[serde(borrow)]
    networks: Option<Rows<'a, Place<'a>>>,
}

/// A container's place on a network.
#[derive(Debug, Deserialize)]
pub(super) struct Place<'a> {
    #[serde(borrow, rename = "IPAMConfig")]
    asked: Option<Asked<'a>>,
    #[serde(rename = "NetworkID")]
    pub(super) network_id: Option<Text<'a>>,
    #[serde(rename = "IPAddress")]
    pub(super) address: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Asked<'a> {
    #[serde(borrow, rename = "IPv4Address")]
    ipv4: Option<Text<'a>>,
    #[serde(rename = "IPv6Address")]
    ipv6: Option<Text<'a>>,
}

impl Place<'_> {
    /// Whether its address was asked for.
    pub(super) fn is_fixed(&self) -> bool {
        let some = |text: &Option<Text<'_>>| text.as_ref().is_some_and(|text| !text.as_str().is_empty());
        self.asked.as_ref().is_some_and(|asked| some(&asked.ipv4) || some(&asked.ipv6))
    }
}

/// A port that is open, and bound on the host where it has a public one.
#[derive(Debug, Deserialize)]
pub(super) struct Port<'a> {
    #[serde(borrow, rename = "IP")]
    pub(super) ip: Option<Text<'a>>,
    #[serde(rename = "PrivatePort")]
    pub(super) inside: u16,
    #[serde(rename = "PublicPort")]
    pub(super) outside: Option<u16>,
    #[serde(rename = "Type")]
    pub(super) protocol: Option<Text<'a>>,
}

/// Something that is mounted.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Mount<'a> {
    #[serde(borrow, rename = "Type")]
    pub(super) kind: Option<Text<'a>>,
    pub(super) name: Option<Text<'a>>,
    pub(super) destination: Option<Text<'a>>,
}

/// An image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Image<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    pub(super) repo_tags: Option<Vec<Text<'a>>>,
    pub(super) repo_digests: Option<Vec<Text<'a>>>,
    pub(super) size: i64,
    pub(super) created: i64,
}

/// A text of the answer, copied only where it is written with escapes.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// An object's rows, in the answer's order.
#[derive(Debug)]
pub(super) struct Rows<'a, T>(Vec<(Text<'a>, T)>);

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Rows<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'a, T>(PhantomData<Rows<'a, T>>);
        impl<'de: 'a, 'a, T: Deserialize<'de>> Visitor<'de> for Object<'a, T> {
            type Value = Rows<'a, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = map.next_entry()? {
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::engine::Engine as _;

    #[track_caller]
    fn check(answer: &'static str, expect: Expect) {
        let list =
            Answer { action: Which::All.action(), answer: Response::new(answer.as_bytes().to_owned()) };
        let rows = list.rows().map(|rows: Vec<Row<'_>>| {
            let row = |row: &Row<'_>| {
                let labels: Vec<_> = row.labels().collect();
                let networks: Vec<_> = row.networks().map(|(name, at)| (name, at.is_fixed())).collect();
                format!("{:?} {:?} {labels:?} {networks:?}\n", row.name(), row.state)
            };
            rows.iter().map(row).collect::<String>()
        });
        expect.assert_eq(&rows.unwrap_or_else(|error| error.to_string()));
    }

    #[test]
    fn what_is_null_or_left_out_is_absent_and_escapes_are_read() {
        check(
            r#"[{"Names":["/a"],"State":"running","Labels":{"k":"v\n\u00e9","l\"":""},"Command":"x","HostConfig":{"a":[{}]},
                 "NetworkSettings":{"Networks":{"n":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}},"o":{"IPAMConfig":null}}}},
                {"Names":null,"Labels":null,"Ports":null,"Mounts":null,"State":"","NetworkSettings":{"Networks":null}},
                {}]"#,
            expect![[r#"
                "a" Some(RUNNING) [("k", "v\né"), ("l\"", "")] [("n", true), ("o", false)]
                "" Some(EMPTY) [] []
                "" None [] []
            "#]],
        );
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_answer() {
        check(
            r#"[{"Names":["/a"],"State":"asleep"}]"#,
            expect![[
                r"cannot list containers: unknown variant `asleep`, expected one of ``, `created`, `running`, `paused`, `restarting`, `exited`, `removing`, `dead`, `stopping` at line 1 column 33"
            ]],
        );
    }

    #[test]
    fn a_label_is_escaped_in_the_query() {
        let path = Which::Labelled("supervisor.project", "a b&\"").path();
        expect!["/containers/json?all=true&filters=%7B%22label%22%3A%5B%22supervisor.project%3Da%20b%26%5C%22%22%5D%7D"]
            .assert_eq(&path);
    }

    /// An engine that answers these to one client each, and ends; what it was asked last.
    fn engine(answers: Vec<&'static str>) -> (tempfile::TempDir, thread::JoinHandle<String>) {
        let bed = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(bed.path().join("engine.sock")).unwrap();
        let engine = thread::spawn(move || {
            let mut asked = String::new();
            for answer in answers {
                let (mut client, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let length = client.read(&mut request).unwrap();
                asked = String::from_utf8_lossy(&request[..length]).lines().next().unwrap().to_owned();
                client.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        (bed, engine)
    }

    const SAID: &str = "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n{\"ApiVersion\": \"1.51\"}";

    /// Asks such an engine for its version, and for a list.
    fn listed(answers: Vec<&'static str>) -> (Result<usize, EngineError>, u64) {
        let ((bed, engine), asks) = (engine(answers.clone()), answers.len());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (docker, _) = Docker::connect(&bed.path().join("engine.sock")).await.unwrap();
            if asks == 1 {
                engine.join().unwrap();
                return (docker.get(Which::All).await.map(|_| 0), docker.traffic().requests);
            }
            let rows = docker
                .get(Which::Running)
                .await
                .and_then(|list| list.rows::<Row<'_>>().map(|rows| rows.len()));
            assert_eq!(engine.join().unwrap(), "GET /v1.51/containers/json HTTP/1.1");
            (rows, docker.traffic().requests)
        })
    }

    #[track_caller]
    fn check_answer(answer: &'static str, expect: Expect) {
        let (rows, requests) = listed(vec![SAID, answer]);
        assert_eq!(requests, 2);
        expect.assert_eq(&rows.map_or_else(|error| error.to_string(), |rows| format!("{rows} rows")));
    }

    #[test]
    fn an_answer_is_read_whole_and_a_refusal_is_in_the_engines_words() {
        check_answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[{},{}]", expect!["2 rows"]);
        check_answer(
            "HTTP/1.1 500 Oops\r\nContent-Length: 28\r\n\r\n{\"message\": \"out of\\norder\"}",
            expect!["cannot list containers: the engine answered 500: out of order"],
        );
        check_answer(
            "HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nno\n",
            expect!["cannot list containers: the engine answered 500: no"],
        );
        check_answer("", expect!["cannot list containers: connection closed before message completed"]);
    }

    /// What such an engine is greeted for, and the first that it is asked for afterwards.
    fn greeted(answers: Vec<&'static str>) -> Result<String, EngineError> {
        let (bed, engine) = engine(answers);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let docker = Docker::greet(&bed.path().join("engine.sock")).await?;
            let _ = docker.get(Which::Running).await;
            Ok(engine.join().unwrap())
        })
    }

    #[test]
    fn a_ping_says_which_version_to_speak() {
        const PONG: &str =
            "HTTP/1.1 200 OK\r\nServer: Docker/20.10.5 (linux)\r\nContent-Length: 2\r\nApi-Version: ";
        let with = |rest: &str| -> &'static str { format!("{PONG}{rest}\r\n\r\nOK").leak() };
        let list = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
        assert_eq!(greeted(vec![with("1.47"), list]).unwrap(), "GET /v1.47/containers/json HTTP/1.1");
        assert_eq!(greeted(vec![with("1.99"), list]).unwrap(), "GET /v1.51/containers/json HTTP/1.1");
        expect!["the engine 20.10.5 speaks API 1.41, and 1.44 is needed"]
            .assert_eq(&greeted(vec![with("1.41")]).unwrap_err().to_string());
        // Whoever leaves out the header is asked, and in no version.
        let silent = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
        assert_eq!(greeted(vec![silent, SAID, list]).unwrap(), "GET /v1.51/containers/json HTTP/1.1");
        let (bed, engine) = engine(vec![with("1.47"), SAID]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (before, after) = runtime.block_on(async {
            let docker = Docker::greet(&bed.path().join("engine.sock")).await.unwrap();
            let before = docker.wire.versioned("/x");
            docker.version().await.unwrap();
            (before, docker.wire.versioned("/x"))
        });
        assert_eq!(engine.join().unwrap(), "GET /version HTTP/1.1");
        assert_eq!([before.as_deref(), after.as_deref()], [Some("/v1.47/x"), Some("/v1.51/x")]);
    }

    #[test]
    fn an_engine_that_went_away_is_out_of_reach() {
        let (outcome, _) = listed(vec![SAID]);
        assert!(matches!(outcome, Err(EngineError::Unreachable { .. })), "{outcome:?}");
    }
}
