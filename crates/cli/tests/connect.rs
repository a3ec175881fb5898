//! `fdx connect` in a pipe: its input, its output and its end.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::io::Write;

use fullduplex_lab::script::{BINARY, CLOSE, FIN, Peer, TEXT, close_frame, frame, script};
use serde_json::Value;

use support::{Listening, fdx, pipe, run_blocking, stderr, stdout};

#[test]
fn lines_can_be_binary_messages() {
    let server = Listening::start(&[]);
    let run = |arguments: &[&str], input| {
        let output = pipe(&[&["connect", &server.url], arguments].concat(), input);
        assert!(output.status.success(), "{}", stderr(&output));
        output.stdout
    };
    assert_eq!(run(&["--input", "hex"], "00 fF\n41\n"), b"00ff\n41\n");
    assert_eq!(run(&["--input", "base64", "--output", "base64"], "AP8=\n"), b"AP8=\n");
    assert_eq!(run(&["--input", "hex", "--output", "raw"], "00 ff\n0a\n"), b"\x00\xff\n");
    assert_eq!(run(&["--input", "file", "--output", "raw"], "one\ntwo\n"), b"one\ntwo\n");
    assert_eq!(run(&["--input", "text-file"], "one\ntwo"), b"one\ntwo\n");
    let bad = pipe(&["connect", &server.url, "--input", "hex"], "00\nxy\n11\n");
    assert_eq!(bad.status.code(), Some(1));
    assert_eq!(stdout(&bad), "00\n", "the line before it is sent and answered");
    assert!(stderr(&bad).contains("`xy` is not hex"), "{}", stderr(&bad));
}

#[test]
fn json_is_indented_and_messages_have_times() {
    let server = Listening::start(&[]);
    let output = pipe(&["connect", &server.url, "--json"], "{\"b\":1,\"a\":[1.10]}\nno json\n");
    assert_eq!(stdout(&output), "{\n  \"b\": 1,\n  \"a\": [\n    1.10\n  ]\n}\nno json\n");
    let output = pipe(&["connect", &server.url, "--timestamps"], "hello\n");
    let (time, text) = stdout(&output).split_once(' ').unwrap();
    assert!(time.parse::<f64>().unwrap() < 60.0 && text == "hello\n");
}

#[test]
fn events_are_json() {
    let server = Listening::start(&[]);
    let mut arguments = vec!["connect", &server.url, "--ndjson", "--protocol", "chat"];
    let refused = pipe(&arguments, "");
    assert_eq!(refused.status.code(), Some(3), "the server selects no subprotocol");
    arguments.truncate(3);
    let output = pipe(&arguments, "hello\n\"\n");
    assert!(output.status.success());
    let events: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["open", "message", "message", "close"]);
    assert_eq!(events[0]["url"], server.url);
    assert_eq!((&events[1]["text"], &events[2]["text"]), (&"hello".into(), &"\"".into()));
    assert_eq!((&events[3]["code"], &events[3]["clean"]), (&1005.into(), &true.into()));
}

/// The server sends more messages than `--count` requests, and stdin is empty.
#[tokio::test]
async fn count_limits_the_messages() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        let news = ["1", "2", "3"].map(|text| frame(FIN | TEXT, text));
        peer.send(news.concat()).await;
        assert_eq!(peer.read_close().await, None);
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["connect", "--count", "2", &url], "")).await;
    server.finish().await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "1\n2\n");
}

#[tokio::test]
async fn wait_forever_ends_when_the_server_closes() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(FIN | BINARY, "late")).await;
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let run = move || pipe(&["connect", "--wait", "forever", &url], "");
    let output = run_blocking(run).await;
    server.finish().await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "6c617465\n");
}

/// The server is killed and restarted at the same address while lines are written.
#[test]
fn connect_reconnects() {
    let server = Listening::start(&[]);
    let address = server.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let mut process = fdx(&["connect", "--reconnect", "--ndjson", &server.url]).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
    let mut until = |name: &str| loop {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        if event["event"] == name {
            return event;
        }
    };
    until("open");
    stdin.write_all(b"before\n").unwrap();
    assert_eq!(until("message")["text"], "before");
    drop(server);
    assert_eq!(until("lost")["code"], 1006);
    let _server = Listening::at(&address, &["--echo"]);
    stdin.write_all(b"after\n").unwrap();
    until("open");
    assert_eq!(until("message")["text"], "after");
    drop(stdin);
    assert_eq!(until("close")["clean"], true);
    assert!(process.wait().unwrap().success());
}

/// If the reader of the output ends, the command ends without an error.
#[cfg(unix)]
#[test]
fn connect_ends_with_the_reader_of_its_output() {
    use std::process::{Command, Stdio};
    let server = Listening::start(&[]);
    let script = "seq 100000 | \"$FDX\" connect \"$URL\" --ndjson | head -2; echo ${PIPESTATUS[1]}";
    let output = Command::new("bash")
        .args(["-c", script])
        .env("FDX", env!("CARGO_BIN_EXE_fdx"))
        .env("URL", &server.url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(stdout(&output).lines().last(), Some("0"), "{output:?}");
    assert_eq!(stderr(&output), "");
}

/// FK-11: `--count 0` closes immediately. The command waits for a missing message for the time that
/// `--wait` specifies. `--wait 0` does not wait for answers.
#[tokio::test]
async fn wait_limits_the_time_for_missing_messages() {
    for (arguments, code, complaint) in [
        (&["--count", "0"][..], 0, ""),
        (&["--count", "2", "--wait", "0.1"], 1, "2 of the messages"),
        (&["--wait", "0.1"], 1, "1 answers did not arrive"),
        (&["--wait", "0"], 0, ""),
    ] {
        let server = script(async |mut peer: Peer| {
            peer.shake_hands().await;
            while let Some(frame) = peer.read_frame().await {
                if frame.first_byte == FIN | CLOSE {
                    break;
                }
            }
            peer.send(close_frame(1000, "")).await;
            peer.fin().await;
        })
        .await;
        let url = server.url();
        let run = move || pipe(&[&["connect", &url], arguments].concat(), "hello\n");
        let output = run_blocking(run).await;
        server.finish().await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(complaint), "{arguments:?}: {}", stderr(&output));
    }
}

/// FK-12, FK-14
#[test]
fn a_url_without_a_scheme_and_messages_without_stdin_work() {
    let server = Listening::start(&[]);
    let address = server.url.trim_start_matches("ws://");
    let output = pipe(&["connect", "-x", "one", "--send", "two", address], "three\n");
    assert_eq!(stdout(&output), "one\ntwo\nthree\n", "{}", stderr(&output));
    let blocked = pipe(&["connect", "127.0.0.1:25"], "");
    assert_eq!(blocked.status.code(), Some(3));
    assert!(stderr(&blocked).contains("--any-port"), "{}", stderr(&blocked));
    let lifted = pipe(&["connect", "--any-port", "127.0.0.1:25"], "");
    assert!(!stderr(&lifted).contains("browsers"), "{}", stderr(&lifted));
}

/// The part of stdin that was read is kept while messages arrive.
#[tokio::test]
async fn a_file_is_sent_whole_while_messages_arrive() {
    let (heard, has_heard) = tokio::sync::oneshot::channel();
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "news")).await;
        assert_eq!(peer.read_payload(FIN | BINARY).await, b"one two");
        peer.send(frame(FIN | TEXT, "thanks")).await;
        heard.send(()).unwrap();
        peer.read_close().await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let arguments = ["connect", "--no-compression", "--input", "file", &url];
    let mut process = fdx(&arguments).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"one").unwrap();
    let mut printed = std::io::BufReader::new(process.stdout.take().unwrap());
    let reading = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut printed, &mut line).unwrap();
        (line, printed)
    });
    let (line, _printed) = reading.await.unwrap();
    assert_eq!(line, "news\n");
    stdin.write_all(b" two").unwrap();
    drop(stdin);
    has_heard.await.unwrap();
    server.finish().await;
    let ended = tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap();
    assert!(ended.success());
}
