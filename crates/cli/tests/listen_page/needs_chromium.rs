//! The page of `fdx listen` in Chromium.

use fullduplex_lab::page::Page;
use serde_json::{Value, json};

use crate::support::Listening;
use crate::tapping::Tap;

/// Returns a script that enters and sends a message on the page.
fn say(text: &str, kind: &str) -> String {
    format!(
        "document.getElementById('message').value = {};
         document.getElementById('kind').value = {kind:?};
         document.getElementById('submit').click();",
        json!(text)
    )
}

/// Returns a condition: the last line of the page's log has this sign and this text.
fn logged(sign: &str, text: &str) -> String {
    format!(
        "document.querySelector('#log li:last-child b')?.textContent === {sign:?}
         && document.querySelector('#log li:last-child pre').textContent === {}",
        json!(text)
    )
}

fn state(state: &str) -> String {
    format!("document.getElementById('state').textContent === {state:?}")
}

#[tokio::test]
#[ignore = "needs chromium"]
async fn the_page_connects_sends_shows_and_closes() {
    let mut server = Listening::start(&["--protocol", "chat"]);
    let mut page = Page::open(&server.url.replace("ws:", "http:")).await;
    page.wait_for(&state("1 OPEN")).await;
    page.wait_for(&logged("·", &format!("open {}", server.url))).await;
    assert_eq!(
        page.run("document.getElementById('extensions').textContent").await,
        "\"permessage-deflate\""
    );

    page.run(&say("Grüße, <b>世界</b>", "text")).await;
    page.wait_for(&logged("←", "Grüße, <b>世界</b>")).await;
    page.run(&say("00 ff:1A", "hex")).await;
    page.wait_for(&logged("←", "00 ff 1a")).await;
    page.run(&say("not hex", "hex")).await;
    page.wait_for("document.querySelector('#log li:last-child.bad')").await;
    page.run("document.getElementById('pretty').click()").await;
    page.run(&say("{\"a\":[1]}", "text")).await;
    page.wait_for(&logged("←", "{\n  \"a\": [\n    1\n  ]\n}")).await;
    assert_eq!(page.run("document.getElementById('buffered').textContent").await, "0");

    page.run(
        "document.getElementById('code').value = '4001';
              document.getElementById('reason').value = 'that was all';
              document.getElementById('close').click();",
    )
    .await;
    page.wait_for(&state("3 CLOSED")).await;
    page.wait_for(&logged("·", "close, code 4001 \"that was all\", clean")).await;
    assert_eq!(page.run("document.getElementById('submit').disabled").await, true);

    page.run(
        "document.getElementById('protocols').value = 'nope, chat';
              document.getElementById('connect').click();",
    )
    .await;
    page.wait_for(&state("1 OPEN")).await;
    assert_eq!(page.run("document.getElementById('protocol').textContent").await, "\"chat\"");
    server.interrupt();
    page.wait_for(&logged("·", "close, code 1001, clean")).await;
    assert_eq!(page.complaints, Vec::<Value>::new());
}

/// The page and its connection pass through the tap, and the server accepts its origin.
#[tokio::test]
#[ignore = "needs chromium"]
async fn a_tap_forwards_the_page() {
    let server = Listening::start_mode("--broadcast", &[]);
    let mut tap = Tap::start(&server.url, &[]);
    let mut page = Page::open(&format!("http://{}/", tap.address)).await;
    page.wait_for(&state("1 OPEN")).await;
    page.run(&say("seen", "text")).await;
    assert!(tap.events.any(|event| event["text"] == "seen" && event["from"] == "client"));
    assert_eq!(page.complaints, Vec::<Value>::new());
}

/// FS-05: a name of another site resolves to this machine (DNS rebinding). The server refuses the page under this
/// name, and the WebSockets under this name.
#[tokio::test]
#[ignore = "needs chromium"]
async fn a_rebound_name_is_refused() {
    const OPEN: &str = "new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/`);
        socket.onopen = () => done('open');
        socket.onerror = () => done('refused');
    })";
    const STATUS: &str = "performance.getEntriesByType('navigation')[0].responseStatus";
    let rules = ["--host-resolver-rules=MAP evil.example 127.0.0.1"];
    let server = Listening::start(&[]);
    let tap = Tap::start(&server.url, &[]);
    let listening = server.url.trim_start_matches("ws://").trim_end_matches('/');
    for address in [listening, &tap.address] {
        let port = address.rsplit(':').next().unwrap();
        for (host, status, outcome) in
            [("localhost", 200, "open"), ("evil.example", 421, "refused")]
        {
            let mut page = Page::open_with(&format!("http://{host}:{port}/"), &rules).await;
            assert_eq!(page.run("location.hostname").await, host, "{address}");
            assert_eq!(page.run(STATUS).await, status, "{host} at {address}");
            assert_eq!(page.run(OPEN).await, outcome, "{host} at {address}");
        }
    }
}
