//! `fdx` as a process: arguments, pipes and exit codes.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::io::{BufRead, BufReader, Write};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{FIN, Peer, TEXT, close_frame, deaf, frame, script};

use support::{Listening, fdx, pipe, run_blocking, stderr, stdout};

#[test]
fn the_tour_shows_a_connection_and_a_failure() {
    let output = pipe(&[], "");
    let tour = stdout(&output);
    assert!(output.status.success() && stderr(&output).is_empty(), "{output:?}");
    let mut rest = tour;
    for expected in [
        "0 CONNECTING",
        "InvalidStateError",
        "event open",
        "1 OPEN",
        "\"chat\"",
        "0 → 13",
        "event message  data \"Hello, world!\"",
        "data [0, 1, 2]",
        "2 CLOSING",
        "event close  was_clean true  code 1000",
        "3 CLOSED",
        "0 CONNECTING",
        "event error",
        "was_clean false  code 1006",
        "Connection refused",
        "fdx connect",
    ] {
        let at = rest.find(expected);
        rest = &rest[at.unwrap_or_else(|| panic!("`{expected}` is not next in {rest}"))..];
    }
    assert!((25..=45).contains(&tour.lines().count()), "{}", tour.lines().count());
    assert!(!tour.contains('\x1b'), "no colours where there is no terminal");
    assert!(tour.lines().all(|line| line == line.trim_end()), "{tour}");
}

#[test]
fn each_line_is_a_message_and_each_message_a_line() {
    let server = Listening::start(&[]);
    let input: String = (0..20_000).map(|number| format!("line {number} äöü\n")).collect();
    let output = pipe(&["connect", &server.url], &input);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output) == input, "every line comes back, in order");
    assert_eq!(stderr(&output), "");
}

#[test]
fn an_empty_input_opens_and_closes_a_connection() {
    let server = Listening::start(&[]);
    let output = pipe(&["connect", &server.url], "");
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[tokio::test]
async fn connect_waits_for_one_answer_to_each_message() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_frame().await.unwrap().payload, b"question");
        peer.send(frame(FIN | TEXT, "answer")).await;
        assert_eq!(peer.read_close().await, None);
        peer.send(frame(FIN | TEXT, "afterthought")).await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["connect", &url], "question\n")).await;
    server.finish().await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "answer\nafterthought\n");
}

#[tokio::test]
async fn an_answer_that_does_not_arrive_is_a_failure() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_frame().await.unwrap().payload, b"hello?");
        assert_eq!(peer.read_close().await, None);
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let run = move || pipe(&["connect", "--wait", "0.05", &url], "hello?\n");
    let output = run_blocking(run).await;
    server.finish().await;
    // FK-11
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stderr(&output).contains("1 answers did not arrive"), "{}", stderr(&output));
}

#[tokio::test]
async fn a_server_that_closes_first_is_reported() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_frame().await.unwrap();
        peer.send(close_frame(4000, "enough")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["connect", &url], "1\n2\n3\n")).await;
    server.finish().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("code 4000 \"enough\""), "{}", stderr(&output));
}

#[test]
fn a_failure_is_one_line_and_an_exit_code() {
    let (_held, nobody) = deaf();
    for (url, code, cause) in [
        (format!("ws://{nobody}/"), 3, "refused"),
        ("ftp://127.0.0.1/".to_owned(), 2, "must be ws, wss, http or https"),
        ("ws://127.0.0.1/#top".to_owned(), 2, "must not have a fragment"),
        ("ws://127.0.0.1:25/".to_owned(), 3, "could not connect to port 25"),
        (
            "ws://no-such-host.invalid/".to_owned(),
            3,
            "could not resolve the host `no-such-host.invalid`",
        ),
    ] {
        let output = pipe(&["connect", &url], "x\n");
        assert_eq!(output.status.code(), Some(code), "{url}");
        assert!(stderr(&output).contains(cause), "{url}: {}", stderr(&output));
        assert!(stderr(&output).starts_with("fdx: ") && stderr(&output).lines().count() == 1);
    }
}

#[test]
fn wrong_arguments_are_exit_code_2() {
    for arguments in [&["connect"][..], &["listen"], &["frobnicate"]] {
        let output = pipe(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("Usage: fdx"), "{}", stderr(&output));
    }
}

#[test]
fn closing_stdout_is_not_a_failure() {
    let server = Listening::start(&[]);
    let mut process = fdx(&["connect", &server.url]).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(b"1\n").unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    drop(stdout);
    // Writes until the command has ended.
    while stdin.write_all(b"2\n").is_ok() {}
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Everything was sent and received, so the server may close first.
#[tokio::test]
async fn a_server_that_closes_after_the_last_message_is_not_a_failure() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send([frame(FIN | TEXT, "news"), close_frame(1000, "")].concat()).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["connect", &url], "")).await;
    server.finish().await;
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "news\n");
}

/// `fdx connect --echo`: the server sends, and then closes.
#[tokio::test]
async fn connect_can_be_the_echo() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        for text in ["one", "two"] {
            peer.send(frame(FIN | TEXT, text)).await;
            assert_eq!(peer.read_frame().await.unwrap().payload, text.as_bytes());
        }
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["connect", "--echo", &url], "")).await;
    server.finish().await;
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

#[test]
fn connect_trusts_a_given_ca() {
    let authority = Authority::new();
    let port = fullduplex_lab::echo::start(Some(&authority.issue(&["localhost"], Validity::Now)));
    let url = format!("wss://localhost:{port}/");
    let file = std::env::temp_dir().join(format!("fdx-test-ca-{}.pem", std::process::id()));
    std::fs::write(&file, authority.root_pem()).unwrap();
    let trusted = pipe(&["connect", "--ca", file.to_str().unwrap(), &url], "over TLS\n");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(stdout(&trusted), "over TLS\n", "{}", stderr(&trusted));
}

#[test]
fn connect_rejects_an_unknown_ca() {
    let identity = Authority::new().issue(&["localhost"], Validity::Now);
    let port = fullduplex_lab::echo::start(Some(&identity));
    let url = format!("wss://localhost:{port}/");
    let untrusted = pipe(&["connect", &url], "over TLS\n");
    assert_eq!(untrusted.status.code(), Some(3));
    assert!(
        stderr(&untrusted).contains("signed by an unknown authority"),
        "{}",
        stderr(&untrusted)
    );
}

const COMMANDS: [&str; 7] = ["bench", "completions", "connect", "listen", "man", "probe", "tap"];

#[test]
fn completions_name_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = pipe(&["completions", shell], "");
        assert!(output.status.success(), "{}", stderr(&output));
        for command in COMMANDS {
            assert!(stdout(&output).contains(command), "{shell}: {command}");
        }
    }
}

#[cfg(unix)]
#[test]
fn completions_are_valid_bash() {
    let script = pipe(&["completions", "bash"], "");
    let script = std::str::from_utf8(&script.stdout).unwrap();
    let checked = std::process::Command::new("bash").args(["-n", "-c", script]).status().unwrap();
    assert!(checked.success());
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = pipe(&["man"], "");
    assert!(stdout(&page).contains(".TH fdx 1"), "{}", stdout(&page));
    assert!(stdout(&page).contains("no connection was opened"), "the exit codes");
    for command in COMMANDS {
        let page = pipe(&["man", command], "");
        assert!(stdout(&page).contains(&format!(".TH fdx-{command} 1")), "{}", stdout(&page));
    }
    let none = pipe(&["man", "nonsense"], "");
    assert_eq!(none.status.code(), Some(2));
}
