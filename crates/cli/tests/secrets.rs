//! Secrets in URLs, headers and subprotocols are printed only on request.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;
#[path = "support/tapping.rs"]
mod tapping;

use support::{Listening, fdx, pipe, run_blocking, stderr, stdout};
use tapping::Tap;

const SECRET: &str = "hunter2";
const TOKEN: &str = "f3a9c1d2e4b5a6978810";

fn secret_url(url: &str) -> String {
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    format!("ws://me:{SECRET}@{address}/?token={SECRET}&room=a")
}

#[track_caller]
fn assert_hidden(arguments: &[&str], is_hidden: bool) {
    let output = pipe(arguments, "");
    let all = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{arguments:?}: {all}");
    assert_eq!(!all.contains(SECRET) && !all.contains(TOKEN), is_hidden, "{arguments:?}: {all}");
}

/// FK-04
#[test]
fn commands_hide_secrets_by_default() {
    let server = Listening::start(&["--protocol", TOKEN]);
    let url = secret_url(&server.url);
    let request = ["-H", "X-Api-Key: hunter2", "--protocol", TOKEN];
    for command in [
        &["connect", "--ndjson", &url][..],
        &["probe", "--pings", "1", &url],
        &["probe", "--pings", "1", "--json", &url],
        &["bench", "-c", "1", "--duration", "1", "--warmup", "0", "--json", "-", &url],
    ] {
        let arguments = [command, &request].concat();
        assert_hidden(&arguments, true);
        assert_hidden(&[&arguments[..], &["--show-secrets"]].concat(), false);
    }
    let output = pipe(&["connect", "ws://me:hunter2@[::1/"], "");
    assert!(!stderr(&output).contains(SECRET), "{}", stderr(&output));
    let lost = pipe(
        &["connect", "--timeout", "5", &format!("ws://me:{SECRET}@127.0.0.1:1/?token={SECRET}")],
        "",
    );
    assert!(!stderr(&lost).contains(SECRET), "{}", stderr(&lost));
}

/// FK-04
#[tokio::test]
async fn tap_and_listen_hide_secrets_by_default() {
    for asked in [&[][..], &["--show-secrets"]] {
        let mut server = Listening::start_mode("--echo", &[&["--ndjson"], asked].concat());
        let mut tap = Tap::start(&secret_url(&server.url), asked);
        let url = format!("ws://{}/?token={SECRET}", tap.address);
        let client = move || pipe(&["connect", "-H", "Cookie: a=hunter2", &url], "hello\n");
        let output = run_blocking(client).await;
        assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
        let told = format!("{:?}", tap.until_over());
        let open = server.events().next().unwrap().to_string();
        for told in [told, open] {
            assert_eq!(told.contains(SECRET), !asked.is_empty(), "{told}");
        }
    }
}

/// FK-04: the error for an invalid header does not show it.
#[test]
fn the_error_for_an_invalid_header_does_not_show_it() {
    let output = fdx(&["connect", "ws://[::1]/", "-H", "Authorization hunter2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!stderr(&output).contains(SECRET), "{}", stderr(&output));
}
