//! `fdx bench` with servers that answer, stall, fail and disconnect, and with stalls of `fdx`.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::process::Output;
use std::time::Duration;

use fullduplex_lab::folder::Folder;
#[cfg(unix)]
use fullduplex_lab::process::signal;
use fullduplex_lab::script::{
    BINARY, CLOSE, FIN, Frame, Peer, TEXT, close_frame, deaf, frame, script,
};
use serde_json::Value;
use tokio::time::sleep;

#[cfg(unix)]
use support::fdx;
use support::{Listening, pipe, run_blocking, stderr, stdout};

fn bench(arguments: &[&str], url: &str) -> Output {
    let common = ["bench", url, "--no-compression", "--json", "-", "--warmup", "0"];
    pipe(&[&common[..], arguments].concat(), "")
}

#[track_caller]
fn result(output: &Output) -> Value {
    serde_json::from_str(stdout(output))
        .unwrap_or_else(|error| panic!("{error}: {}{}", stdout(output), stderr(output)))
}

/// Answers each message with `answer`, until the client closes.
async fn serve(mut peer: Peer, mut answer: impl AsyncFnMut(&mut Peer, Frame, usize)) {
    peer.shake_hands().await;
    let mut number = 0;
    while let Some(received) = peer.read_frame().await {
        if received.first_byte == FIN | CLOSE {
            peer.send(close_frame(1000, "")).await;
            return peer.fin().await;
        }
        answer(&mut peer, received, number).await;
        number += 1;
    }
}

/// The connections are more than the streams that the server allows in one HTTP/2 connection.
#[test]
fn many_sockets_share_connections_of_http2() {
    let server = Listening::start(&["--http2"]);
    let arguments = ["--http2", "-c", "300", "--rate", "1000", "--duration", "0.5"];
    let output = bench(&arguments, &server.url);
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!(result["connections"]["opened"], 300, "{result}");
}

#[test]
fn the_text_shows_the_latency_of_all_messages() {
    let server = Listening::start(&[]);
    // On a busy machine, an open loop may delay all messages itself, and then has no percentiles.
    for (load, latency) in [(&["--rate", "1000"][..], "latency "), (&["--in-flight", "3"], "p99.9")]
    {
        let common = ["bench", &server.url, "-c", "5", "--duration", "0.5", "--warmup", "0.1"];
        let output = pipe(&[&common[..], load].concat(), "");
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
        for expected in [
            "5 connections",
            "5 of 5 opened",
            "0 wrong  0 lost",
            "messages/s",
            latency,
            "this tool",
        ] {
            assert!(text.contains(expected), "`{expected}` is missing in {text}");
        }
        assert!(
            stderr(&output).is_empty() && !text.contains('\x1b'),
            "no progress line in scripts"
        );
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_draws_a_picture() {
    let server = Listening::start(&[]);
    let folder = Folder::new();
    let svg = folder.path().join("latency.svg");
    let arguments = ["--rate", "400", "--duration", "0.5", "--svg", svg.to_str().unwrap()];
    for kind in [&["--size", "5"][..], &["--binary", "--size", "2k", "--content", "random"]] {
        let output = bench(&[&arguments[..], kind].concat(), &server.url);
        let result = result(&output);
        assert!(output.status.success(), "{result}");
        assert_eq!((&result["sent"], &result["answered"]), (&200.into(), &200.into()), "{result}");
    }
    let svg = std::fs::read_to_string(svg).unwrap();
    // The percentiles on the axis depend on the messages that were sent in time.
    assert!(svg.starts_with("<svg") && svg.contains("percentile"), "{svg}");
    assert!(svg.ends_with("</svg>\n"), "{svg}");
}

/// No coordinated omission: a server stall delays all messages that were due during it.
#[tokio::test]
async fn a_stall_of_the_server_delays_all_messages_that_were_due() {
    const STALL: Duration = Duration::from_millis(300);
    let server = script(|peer| {
        serve(peer, async |peer, received, number| {
            if number == 50 {
                sleep(STALL).await;
            }
            peer.send(frame(received.first_byte, received.payload)).await;
        })
    })
    .await;
    let url = server.url();
    let arguments = ["-c", "1", "--rate", "200", "--duration", "1"];
    let output = run_blocking(move || bench(&arguments, &url)).await;
    server.finish().await;
    let result = result(&output);
    assert!(output.status.success(), "{result}");
    let [latency, apart] = [&result["latency"], &result["tool"]["apart"]];
    let counted = latency["count"].as_u64().unwrap();
    assert_eq!(counted + apart["count"].as_u64().unwrap(), 200);
    // On a busy machine, some messages are recorded separately. Few of them waited for a long time.
    assert!(counted >= 40, "{result}");
    // 60 of 200 messages waited for 0 to 300 ms, evenly distributed, so half of them waited over
    // 150 ms.
    let [max, p90] = ["max", "p90"].map(|part| latency[part].as_f64().unwrap());
    assert!(max >= 0.25 && p90 >= 0.1, "{result}");
}

/// The system stops the process. The latency of the server does not include this time, not even for
/// the message in flight.
#[cfg(unix)]
#[tokio::test]
async fn a_stall_of_the_tool_is_kept_separate() {
    const STALL: Duration = Duration::from_millis(600);
    let (stop, stopping) = tokio::sync::oneshot::channel();
    let (stopped, is_stopped) = tokio::sync::oneshot::channel();
    let mut channels = Some((stop, is_stopped));
    let server = script(|peer| {
        serve(peer, async move |peer, received, number| {
            if number == 50 {
                let (stop, is_stopped) = channels.take().unwrap();
                stop.send(()).unwrap();
                is_stopped.await.unwrap();
            }
            peer.send(frame(received.first_byte, received.payload)).await;
        })
    })
    .await;
    let url = server.url();
    let arguments = ["bench", &url, "--no-compression", "--json", "-", "--warmup", "0"];
    let arguments = [&arguments[..], &["-c", "1", "--rate", "200", "--duration", "1.5"]].concat();
    let process = fdx(&arguments).spawn().unwrap();
    stopping.await.unwrap();
    signal(&process, "STOP");
    stopped.send(()).unwrap();
    sleep(STALL).await;
    signal(&process, "CONT");
    let output = run_blocking(move || process.wait_with_output().unwrap()).await;
    server.finish().await;
    let result = result(&output);
    assert!(output.status.success(), "{result}");
    assert_eq!(result["answered"], 300, "{result}");
    let tool = &result["tool"];
    assert!(tool["stalled"].as_f64().unwrap() >= 0.55, "{result}");
    assert!(tool["late"]["max"].as_f64().unwrap() >= 0.5, "{result}");
    // 120 messages were due during the stall.
    assert!(tool["apart"]["count"].as_u64().unwrap() >= 100, "{result}");
    assert!(
        result["latency"]["max"].as_f64().unwrap() < 0.3,
        "the stall counts for the server: {result}"
    );
}

#[tokio::test]
async fn a_wrong_answer_is_an_error() {
    let server = script(|peer| {
        serve(peer, async |peer, received, number| match number {
            20 => {
                let payload = [&received.payload[..20], &[b'x'; 108]].concat();
                peer.send(frame(FIN | TEXT, payload)).await;
            }
            21 => peer.send(frame(FIN | BINARY, received.payload)).await,
            _ => peer.send(frame(received.first_byte, received.payload)).await,
        })
    })
    .await;
    let url = server.url();
    let run = move || bench(&["-c", "1", "--rate", "100", "--duration", "0.5"], &url);
    let output = run_blocking(run).await;
    server.finish().await;
    let result = result(&output);
    assert_eq!(
        (output.status.code(), &result["wrong"], &result["lost"]),
        (Some(1), &2.into(), &0.into())
    );
    assert_eq!(result["errors"]["an answer differs from its message: is it an echo server?"], 2);
}

/// FK-02: messages that are not answers, answers out of order, and a duplicate answer.
#[tokio::test]
async fn messages_that_are_not_answers_are_counted_separately() {
    let server = script(|peer| {
        let mut held = None;
        serve(peer, async move |peer, received, number| {
            let answer = frame(received.first_byte, received.payload);
            if number == 0 {
                peer.send(frame(FIN | TEXT, "welcome")).await;
                peer.send(frame(FIN | TEXT, "x".repeat(128))).await;
            }
            match number {
                10 => held = Some(answer),
                11 => peer.send([answer.clone(), held.take().unwrap(), answer].concat()).await,
                _ => peer.send(answer).await,
            }
        })
    })
    .await;
    let url = server.url();
    let run = move || bench(&["-c", "1", "--rate", "100", "--duration", "0.5"], &url);
    let output = run_blocking(run).await;
    server.finish().await;
    let result = result(&output);
    assert_eq!(output.status.code(), Some(0), "{result}");
    assert_eq!((&result["answered"], &result["wrong"]), (&50.into(), &0.into()), "{result}");
    assert_eq!(result["unasked"], 3, "{result}");
}

/// FK-02
#[tokio::test]
async fn a_server_that_answers_nothing_is_a_failure() {
    let server = script(|peer| serve(peer, async |_: &mut Peer, _, _| {})).await;
    let url = server.url();
    let run = move || bench(&["-c", "1", "--duration", "0.2"], &url);
    let output = run_blocking(run).await;
    server.finish().await;
    let result = result(&output);
    assert_eq!((output.status.code(), &result["answered"]), (Some(1), &0.into()), "{result}");
    assert!(result["errors"].to_string().contains("no message was answered"), "{result}");
}

#[tokio::test]
async fn a_server_that_vanishes_ends_it_early() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_frame().await;
        peer.reset_after(b"").await;
    })
    .await;
    let url = server.url();
    let run = move || bench(&["-c", "1", "--duration", "60"], &url);
    let output = run_blocking(run).await;
    server.finish().await;
    let result = result(&output);
    assert_eq!(output.status.code(), Some(1), "{result}");
    assert_eq!(result["answered"], 0);
    assert!(result["errors"].to_string().contains("lost"), "{result}");
    assert!(result["seconds"].as_f64().unwrap() < 30.0, "{result}");
}

#[test]
fn a_refused_connection_is_exit_code_3() {
    let (_held, nobody) = deaf();
    let output = pipe(&["bench", &format!("ws://{nobody}/")], "");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("refused") && output.stdout.is_empty(), "{output:?}");
    for arguments in [&["bench"][..], &["bench", "ws://[::1]/", "--rate", "0"]] {
        assert_eq!(pipe(arguments, "").status.code(), Some(2));
    }
}

/// Ctrl-C during the measurement.
#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_run_shows_its_result() {
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let mut begun = Some(begun);
    let server = script(|peer| {
        serve(peer, async move |peer, received, number| {
            peer.send(frame(received.first_byte, received.payload)).await;
            if number == 100 {
                begun.take().unwrap().send(()).unwrap();
            }
        })
    })
    .await;
    let url = server.url();
    let arguments = ["bench", &url, "--no-compression", "-c", "1", "--warmup", "0"];
    let arguments = [&arguments[..], &["--rate", "200", "--duration", "600"]].concat();
    let process = fdx(&arguments).spawn().unwrap();
    beginning.await.unwrap();
    signal(&process, "INT");
    let output = run_blocking(move || process.wait_with_output().unwrap()).await;
    server.finish().await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout(&output).contains("cut short"), "{}", stdout(&output));
}
