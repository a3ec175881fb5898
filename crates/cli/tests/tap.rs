//! `fdx tap` between clients and servers.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;
#[path = "support/tapping.rs"]
mod tapping;

#[cfg(unix)]
use std::io::Read;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::folder::Folder;
#[cfg(target_os = "linux")]
use fullduplex_lab::process::Process;
#[cfg(unix)]
use fullduplex_lab::process::signal;
use fullduplex_lab::script::{
    BINARY, CONTINUATION, FIN, OPENING, PING, PONG, Peer, RSV1, SAMPLE_REQUEST, Scripted, TEXT,
    close_frame, deaf, frame, guarded, header, masked_frame, script,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use support::{Listening, fdx, pipe, run_blocking, stderr, stdout};
use tapping::Tap;

/// `fdx tap` with text output. The process ends when this value is dropped.
struct Shown {
    process: Child,
    address: String,
    lines: Box<dyn Iterator<Item = String> + Send>,
    #[cfg_attr(not(unix), expect(dead_code, reason = "it keeps the pipe open"))]
    complaints: BufReader<ChildStderr>,
}

impl Shown {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut process = fdx(&["tap", "0", url]).args(arguments).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut complaints = BufReader::new(process.stderr.take().unwrap());
        let mut announced = String::new();
        complaints.read_line(&mut announced).unwrap();
        let address = announced.trim().trim_end_matches('/').rsplit_once('/').unwrap().1.to_owned();
        Self { process, address, lines: Box::new(lines), complaints }
    }

    /// Returns the lines up to the end of a connection.
    fn until_over(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.contains(" over; ")) {
            lines.push(self.lines.next().unwrap());
        }
        lines
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Starts a server that opens the connection with these extra headers, sends these bytes, and
/// returns what it read after the request.
async fn sending(lines: &'static [&'static str], bytes: Vec<u8>) -> Scripted<(String, Vec<u8>)> {
    script(async move |mut peer: Peer| {
        let request = peer.answer(&[&OPENING[..], lines].concat()).await;
        peer.send(bytes).await;
        let mut stream = peer.into_inner();
        stream.shutdown().await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        (request, heard)
    })
    .await
}

async fn client_of(tap: &Tap) -> Peer {
    Peer::connect(tap.address.parse().unwrap()).await
}

/// Sends these bytes after the request. Returns the bytes that were read after the response.
async fn converse(tap: &Tap, request: &str, bytes: &[u8]) -> Vec<u8> {
    let mut client = client_of(tap).await;
    guarded("an open connection", client.open(request)).await;
    client.send(bytes).await;
    let mut stream = client.into_inner();
    stream.shutdown().await.unwrap();
    let mut heard = Vec::new();
    guarded("the end", stream.read_to_end(&mut heard)).await.unwrap();
    heard
}

/// Returns the opcode, the text and the violation of each frame from one end.
fn frames<'a>(events: &'a [Value], from: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let of_end = events.iter().filter(|event| event["event"] == "frame" && event["from"] == from);
    let text = |event: &'a Value, name: &str| event[name].as_str().unwrap_or_default();
    let row = |event| (text(event, "kind"), text(event, "text"), text(event, "violation"));
    of_end.map(row).collect()
}

#[tokio::test]
async fn bytes_pass_unchanged_and_frames_are_shown() {
    let said = [
        frame(TEXT, "frag"),
        frame(FIN | PING, "between"),
        frame(FIN | CONTINUATION, "ments"),
        frame(FIN | RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
        frame(FIN | RSV1 | TEXT, b"\xf2\x00\x11\x00\x00"),
        close_frame(4000, "bye"),
    ]
    .concat();
    let answered = [
        masked_frame(FIN | PONG, "between"),
        masked_frame(FIN | BINARY, [7; 70_000]),
        masked_frame(FIN | 0x8, 4000u16.to_be_bytes()),
    ]
    .concat();
    let agreed = &["Sec-WebSocket-Extensions: permessage-deflate", "X-Further: yes"];
    let server = sending(agreed, said.clone()).await;
    let mut tap = Tap::start(&server.url(), &[]);
    let offer = "Cookie: a=b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let request = SAMPLE_REQUEST.replace("\r\n\r\n", &format!("\r\n{offer}"));
    let authority = server.address().to_string();
    let heard = converse(&tap, &request, &answered).await;
    let (asked, server_heard) = server.finish().await;
    assert!(heard == said && server_heard == answered, "unchanged in both directions");
    assert_eq!(asked, request.replace("localhost", &authority));

    let events = tap.until_over();
    assert_eq!(events[0]["target"], "/chat");
    assert!(events[1]["headers"].as_array().unwrap().contains(&json!(["x-further", "yes"])));
    assert_eq!(
        frames(&events, "server"),
        [
            ("text", "frag", ""),
            ("ping", "between", ""),
            ("continuation", "ments", ""),
            ("text", "Hello", ""),
            ("text", "Hello", ""),
            ("close", "", ""),
        ]
    );
    let close = events.iter().find(|event| event["kind"] == "close" && event["from"] == "server");
    assert_eq!((&close.unwrap()["code"], &close.unwrap()["reason"]), (&json!(4000), &json!("bye")));
    assert_eq!(
        frames(&events, "client"),
        [("pong", "between", ""), ("binary", "", ""), ("close", "", "")]
    );
    let binary = events.iter().find(|event| event["kind"] == "binary").unwrap();
    assert_eq!((&binary["length"], &binary["mask"]), (&json!(70_000), &json!("01020304")));
    assert_eq!(binary["hex"].as_str().unwrap().len(), 2 * 1024, "only its beginning");
    let over = events.last().unwrap();
    assert_eq!(over["server"], json!({ "frames": 6, "bytes": said.len() }));
    assert_eq!(over["client"], json!({ "frames": 3, "bytes": answered.len() }));
}

#[tokio::test]
async fn violations_are_named_and_pass() {
    let said = [
        frame(FIN | 0x3, "reserved"),
        frame(FIN | CONTINUATION, "of nothing"),
        frame(FIN | TEXT, b"\xFF"),
        frame(FIN | TEXT, "fine"),
        header(FIN | BINARY, 1 << 40),
        b"the end".to_vec(),
    ]
    .concat();
    let server = sending(&[], said.clone()).await;
    let mut tap = Tap::start(&server.url(), &[]);
    let unmasked = frame(FIN | TEXT, "unmasked");
    assert!(converse(&tap, SAMPLE_REQUEST, &unmasked).await == said);
    assert!(server.finish().await.1 == unmasked);
    let events = tap.until_over();
    let violations: Vec<&str> = frames(&events, "server").iter().map(|frame| frame.2).collect();
    assert!(violations[0].contains("reserved opcode 0x3"), "{violations:?}");
    assert!(violations[1].contains("continued a message"), "{violations:?}");
    assert!(violations[2].contains("not valid UTF-8"), "{violations:?}");
    assert_eq!(violations[3..], [""]);
    assert!(frames(&events, "client")[0].2.contains("unmasked frame"));
    let cut = events.iter().find(|event| event["event"] == "end" && event["from"] == "server");
    assert_eq!((&cut.unwrap()["passed"], &cut.unwrap()["length"]), (&json!(7), &json!(1u64 << 40)));
}

#[tokio::test]
async fn a_reset_by_the_server_is_forwarded() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.reset_after(&frame(FIN | TEXT, "last words")).await;
    })
    .await;
    let mut tap = Tap::start(&server.url(), &[]);
    let mut client = client_of(&tap).await;
    client.open(SAMPLE_REQUEST).await;
    server.finish().await;
    let mut stream = client.into_inner();
    let end = guarded("the end", stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let events = tap.until_over();
    let broken = events.iter().find(|event| event["event"] == "broken").unwrap();
    assert_eq!(broken["from"], "server");
    assert!(broken["error"].as_str().unwrap().contains("reset"), "{broken}");
}

#[tokio::test]
async fn a_reset_by_the_client_is_shown() {
    let server = sending(&[], Vec::new()).await;
    let mut tap = Tap::start(&server.url(), &[]);
    let mut client = client_of(&tap).await;
    client.open(SAMPLE_REQUEST).await;
    client.reset_after(&masked_frame(FIN | TEXT, "last words")).await;
    let events = tap.until_over();
    let broken = events.iter().find(|event| event["event"] == "broken").unwrap();
    assert_eq!(broken["from"], "client");
    server.finish().await;
}

#[tokio::test]
async fn a_rejection_passes() {
    let rejection = "HTTP/1.1 403 Forbidden\r\nX-Why: so\r\nContent-Length: 4\r\n\r\nno.\n";
    let server = script(async move |mut peer: Peer| {
        peer.read_head().await;
        peer.send(rejection).await;
        peer.fin().await;
    })
    .await;
    let mut tap = Tap::start(&server.url(), &[]);
    let mut client = client_of(&tap).await;
    client.send(SAMPLE_REQUEST).await;
    let mut stream = client.into_inner();
    let mut heard = String::new();
    guarded("the rejection", stream.read_to_string(&mut heard)).await.unwrap();
    drop(stream);
    assert_eq!(heard, rejection);
    server.finish().await;
    assert_eq!(tap.until_over()[1]["status"], 403);
}

#[tokio::test]
async fn an_unreachable_server_is_a_bad_gateway() {
    let (_held, nobody) = deaf();
    let mut tap = Tap::start(&format!("ws://{nobody}/"), &[]);
    let mut client = client_of(&tap).await;
    client.send(SAMPLE_REQUEST).await;
    let mut heard = String::new();
    guarded("the answer", client.into_inner().read_to_string(&mut heard)).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 502 ") && heard.contains("refused"), "{heard}");
    assert_eq!(tap.events.next().unwrap()["event"], "request");
    let failed = tap.events.next().unwrap();
    assert!(failed["error"].as_str().unwrap().contains("refused"), "{failed}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_bad_gateway() {
    let silent = script(async |mut peer: Peer| drop(peer.read_head().await)).await;
    let mut tap = Tap::start(&silent.url(), &[]);
    let mut client = client_of(&tap).await;
    client.send(SAMPLE_REQUEST).await;
    let mut heard = String::new();
    guarded("the answer", client.into_inner().read_to_string(&mut heard)).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 502 "), "{heard}");
    let failed = tap.events.nth(1).unwrap();
    assert!(failed["error"].as_str().unwrap().contains("could not read a response"), "{failed}");
}

/// A response that is not HTTP passes too. The client may be able to read it.
#[tokio::test]
async fn a_response_that_is_not_http_passes() {
    let server = script(async |mut peer: Peer| {
        peer.read_head().await;
        peer.send("SSH-2.0-OpenSSH\r\n").await;
        peer.fin().await;
    })
    .await;
    let mut tap = Tap::start(&server.url(), &[]);
    let mut client = client_of(&tap).await;
    client.send(SAMPLE_REQUEST).await;
    let mut stream = client.into_inner();
    let mut heard = String::new();
    guarded("the answer", stream.read_to_string(&mut heard)).await.unwrap();
    drop(stream);
    assert_eq!(heard, "SSH-2.0-OpenSSH\r\n");
    server.finish().await;
    let events = tap.until_over();
    assert!(events[1]["error"].as_str().unwrap().contains("does not speak HTTP"), "{events:?}");
}

#[tokio::test]
async fn connections_are_numbered() {
    let echo = Listening::start(&[]);
    let mut tap = Tap::start(&echo.url, &[]);
    let [mut one, mut two] = [client_of(&tap).await, client_of(&tap).await];
    for client in [&mut one, &mut two] {
        client.open(SAMPLE_REQUEST).await;
    }
    for (client, text) in [(&mut two, "of two"), (&mut one, "of one")] {
        client.send(masked_frame(FIN | TEXT, text)).await;
        assert_eq!(client.read_payload(FIN | TEXT).await, text.as_bytes());
    }
    let texts = tap.events.by_ref().filter(|event| event["text"].is_string());
    let texts: Vec<(u64, String)> = texts
        .take(4)
        .map(|event| {
            (event["connection"].as_u64().unwrap(), event["text"].as_str().unwrap().to_owned())
        })
        .collect();
    let told = [(2, "of two"), (2, "of two"), (1, "of one"), (1, "of one")];
    assert_eq!(texts, told.map(|(number, text)| (number, text.to_owned())));
}

#[tokio::test]
async fn a_request_that_is_not_http_is_rejected() {
    let (_held, nobody) = deaf();
    let mut tap = Tap::start(&format!("ws://{nobody}/"), &[]);
    let mut client = client_of(&tap).await;
    client.send(b"\x16\x03\x01\x02\x00").await;
    let mut heard = String::new();
    guarded("the answer", client.into_inner().read_to_string(&mut heard)).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    assert!(tap.events.next().unwrap()["error"].as_str().unwrap().contains("TLS"));
}

#[tokio::test]
async fn messages_within_tls_are_shown() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let identity = authority.issue(&["localhost"], Validity::Now);
    let port = fullduplex_lab::echo::start(Some(&identity));
    let ca = folder.write("ca.pem", &authority.root_pem());
    let url = format!("wss://localhost:{port}/");
    let mut tap = Tap::start(&url, &["--ca", ca.to_str().unwrap()]);
    let url = format!("ws://{}/", tap.address);
    let output =
        run_blocking(move || pipe(&["connect", "--protocol", "chat", &url], "secret\n")).await;
    assert_eq!(stdout(&output), "secret\n", "{}", stderr(&output));
    let events = tap.until_over();
    for end in ["client", "server"] {
        assert_eq!(frames(&events, end)[0], ("text", "secret", ""));
    }
}

/// The parts of a frame are forwarded when they arrive. The frame does not increase memory use.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn large_frames_pass_in_little_memory() {
    const SIZE: usize = 64 << 20;
    let said = [header(FIN | BINARY, SIZE as u64), vec![7; SIZE]].concat();
    let server = sending(&[], said.clone()).await;
    let tap = Tap::start(&server.url(), &[]);
    let process = Process::of(&tap.process);
    let before = process.memory().unwrap();
    assert!(converse(&tap, SAMPLE_REQUEST, b"").await == said);
    let grown = process.peak_memory().unwrap().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes");
}

/// The text output has one line per event, with escaped control characters.
#[tokio::test]
async fn text_output_has_one_line_per_event() {
    let echo = Listening::start(&[]);
    let mut tap = Shown::start(&echo.url, &[]);
    let url = format!("ws://{}/", tap.address);
    let output = run_blocking(move || pipe(&["connect", &url], "hello\n\x1b[2J\n")).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let shown = tap.until_over().join("\n");
    for expected in [
        "→ GET /  from 127.0.0.1:",
        "extensions permessage-deflate; client_max_window_bits\n",
        "← 101 Switching Protocols\n",
        "→ F---M text               5 B  hello\n",
        "← F---- text               5 B  hello\n",
        "  \\u{1b}[2J\n",
        "→ F---M close",
        "← end\n",
        "over; → 3 frames in 27 B, ← 3 frames in 15 B",
    ] {
        assert!(shown.contains(expected), "`{expected}` is missing:\n{shown}");
    }
    assert!(!shown.contains('\x1b'));
    #[cfg(unix)]
    {
        signal(&tap.process, "INT");
        let mut summary = String::new();
        tap.complaints.read_to_string(&mut summary).unwrap();
        assert!(summary.starts_with("1 connection; of those that ended: → 3 frames"), "{summary}");
        assert!(tap.process.wait().unwrap().success());
    }
}

#[tokio::test]
async fn full_shows_headers_and_content() {
    let said = [
        frame(FIN | TEXT, "one\ntwo"),
        frame(FIN | BINARY, b"0123456789abcdef\xFF"),
        close_frame(1000, ""),
    ];
    let server = sending(&[], said.concat()).await;
    let mut tap = Shown::start(&server.url(), &["--full"]);
    let mut client = Peer::connect(tap.address.parse().unwrap()).await;
    client.open(SAMPLE_REQUEST).await;
    client.fin().await;
    server.finish().await;
    let shown = tap.until_over();
    let trimmed: Vec<&str> = shown.iter().map(|line| line.trim_start()).collect();
    for expected in [
        "sec-websocket-version: 13",
        "| one",
        "| two",
        "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
        "000010  ff                                               .",
    ] {
        assert!(trimmed.contains(&expected), "`{expected}` is missing:\n{}", shown.join("\n"));
    }
}

#[tokio::test]
async fn tap_ends_with_the_reader_of_its_output() {
    let echo = Listening::start(&[]);
    let mut tap = Tap::start(&echo.url, &[]);
    tap.events = Box::new(std::iter::empty());
    let url = format!("ws://{}/", tap.address);
    run_blocking(move || pipe(&["connect", &url], "hello\n")).await;
    assert!(tap.process.wait().unwrap().success());
}

/// FS-05: a page whose host name resolves to this machine.
#[tokio::test]
async fn a_foreign_host_gets_421() {
    let (_held, nobody) = deaf();
    let mut tap = Tap::start(&format!("ws://{nobody}/"), &[]);
    let mut client = client_of(&tap).await;
    client.send(SAMPLE_REQUEST.replace("localhost", "rebound.example")).await;
    let mut heard = String::new();
    guarded("the answer", client.into_inner().read_to_string(&mut heard)).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 421 ") && heard.contains("rebound.example"), "{heard}");
    let failed = tap.events.nth(1).unwrap();
    assert!(failed["error"].as_str().unwrap().contains("rebound.example"), "{failed}");
}

/// FK-05: a further request on the connection never reaches the server.
#[tokio::test]
async fn a_second_request_does_not_pass() {
    let first = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody";
    let refused = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n";
    for (request, body) in [(first, ""), (post, "body"), (refused, "")] {
        let server = script(async |mut peer: Peer| {
            let head = peer.read_head().await;
            // The server would keep the connection open.
            peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
            let mut rest = Vec::new();
            peer.into_inner().read_to_end(&mut rest).await.ok();
            (head, rest)
        })
        .await;
        let mut tap = Tap::start(&server.url(), &["-H", "Cookie: of=user"]);
        let mut client = client_of(&tap).await;
        client.send(format!("{request}GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        let mut heard = String::new();
        guarded("the answer", client.into_inner().read_to_string(&mut heard)).await.ok();
        let (head, rest) = server.finish().await;
        assert!(head.contains("cookie: of=user"), "{head}");
        assert_eq!(String::from_utf8_lossy(&rest), body, "{request}");
        tap.until_over();
    }
}
