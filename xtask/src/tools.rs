//! Compares `fdx` with websocat and wscat. Each row of docs/tools.md is a script for each of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::{Failure, build_fdx, output, root, run};
use crate::shell::{ECHO, Shell};

/// A feature, with a script for each of the three programs. A script succeeds if the program has the feature.
/// It is `None` if the program's help does not mention the feature. In a script, `$URL` is an echo server,
/// `$NEWS` is a server that sends a message after a second, and `$WSS` is a server whose certificate is
/// signed by `cert.pem`.
struct Row {
    what: &'static str,
    fdx: Option<&'static str>,
    websocat: Option<&'static str>,
    wscat: Option<&'static str>,
}

const ROWS: [Row; 14] = [
    Row {
        what: "sends lines, prints answers, and ends",
        fdx: Some("[ \"$(printf 'a\\nb\\n' | fdx connect $URL)\" = $'a\\nb' ]"),
        websocat: Some("[ \"$(printf 'a\\nb\\n' | websocat $URL)\" = $'a\\nb' ]"),
        wscat: Some("[ \"$(printf 'a\\nb\\n' | wscat -c $URL)\" = $'a\\nb' ]"),
    },
    Row {
        what: "waits for an answer that takes a second",
        fdx: Some("[ \"$(echo hi | fdx connect $NEWS)\" = news ]"),
        websocat: Some("[ \"$(echo hi | websocat -n1 $NEWS)\" = news ]"),
        wscat: Some("[ \"$(sleep 3 | wscat -c $NEWS -x hi -w 2)\" = news ]"),
    },
    Row {
        what: "sends a message from the command line and prints the answer",
        fdx: Some("[ \"$(fdx connect $URL <<<hello)\" = hello ]"),
        websocat: Some("[ \"$(websocat -1 $URL <<<hello)\" = hello ]"),
        wscat: Some("[ \"$(sleep 2 | wscat -c $URL -x hello -w 1)\" = hello ]"),
    },
    Row {
        what: "prints the first message only",
        fdx: Some("[ \"$(fdx connect --count 1 $NEWS </dev/null)\" = news ]"),
        websocat: Some("[ \"$(websocat -n1 $NEWS </dev/null)\" = news ]"),
        wscat: None,
    },
    Row {
        what: "ends silently when the reader of its output ends",
        fdx: Some("yes | head -100000 | fdx connect $URL 2>errors | head -1; [ ! -s errors ]"),
        websocat: Some("yes | head -100000 | websocat $URL 2>errors | head -1; [ ! -s errors ]"),
        wscat: Some("yes | head -100000 | wscat -c $URL 2>errors | grep -q y && [ ! -s errors ]"),
    },
    Row {
        what: "a failed connection has a nonzero exit code",
        fdx: Some("! fdx connect $NOBODY </dev/null"),
        websocat: Some("! websocat $NOBODY </dev/null"),
        wscat: Some("! wscat -c $NOBODY </dev/null"),
    },
    Row {
        what: "its exit code differs from that of a lost connection",
        fdx: Some("fdx connect $NOBODY </dev/null; [ $? = 3 ]"),
        websocat: Some("websocat $NOBODY </dev/null; [ $? = 3 ]"),
        wscat: None,
    },
    Row {
        what: "binary data is unchanged",
        fdx: Some("head -c 4096 /dev/urandom >in
            fdx connect --input file --output raw $URL <in | cmp - in"),
        websocat: Some("head -c 4096 /dev/urandom >in; websocat -b $URL <in | cmp - in"),
        wscat: None,
    },
    Row {
        what: "compresses messages",
        fdx: Some("fdx tap 9361 $URL --ndjson >frames & sleep 0.5
            printf '%0300d\\n' 0 | fdx connect ws://127.0.0.1:9361/; kill $!
            grep -q 'permessage-deflate' frames && grep '\"opcode\":1' frames | grep -q '\"reserved\":4'"),
        websocat: Some("fdx tap 9362 $URL --ndjson >frames & sleep 0.5
            printf '%0300d\\n' 0 | websocat ws://127.0.0.1:9362/; kill $!
            grep '\"opcode\":1' frames | grep -q '\"reserved\":4'"),
        wscat: Some("fdx tap 9363 $URL --ndjson >frames & sleep 0.5
            sleep 2 | wscat -c ws://127.0.0.1:9363/ -x \"$(printf '%03000d' 0)\" -w 1; kill $!
            grep '\"opcode\":1' frames | grep -q '\"reserved\":4'"),
    },
    Row {
        what: "trusts a given certificate, and no other",
        fdx: Some("! fdx connect $WSS <<<x && [ \"$(fdx connect --ca cert.pem $WSS <<<hi)\" = hi ]"),
        websocat: Some("! websocat -1 $WSS <<<x
            [ \"$(SSL_CERT_FILE=cert.pem websocat -1 $WSS <<<hi)\" = hi ]"),
        wscat: Some("[ \"$(sleep 2 | wscat --ca cert.pem -c $WSS -x hi -w 1)\" = hi ]"),
    },
    Row {
        what: "prints events as JSON",
        fdx: Some("fdx connect --ndjson $URL <<<hi | grep -q '\"event\":\"message\".*\"text\":\"hi\"'"),
        websocat: None,
        wscat: None,
    },
    Row {
        what: "echo server for tests",
        fdx: Some("fdx listen 9364 --echo >log & sleep 0.5
            fdx connect ws://127.0.0.1:9364/ <<<hi; [ $? = 0 ] && kill $!"),
        websocat: Some("websocat -s 127.0.0.1:9365 mirror: & sleep 0.5
            websocat -t ws-l:127.0.0.1:9366 mirror: & sleep 0.5
            [ \"$(fdx connect ws://127.0.0.1:9366/ <<<hi)\" = hi ]; s=$?; kill %1 %2; exit $s"),
        wscat: None,
    },
    Row {
        what: "diagnosis of a server",
        fdx: Some("fdx probe $URL | grep -q 'Nothing looks wrong'"),
        websocat: None,
        wscat: None,
    },
    Row {
        what: "load test with percentiles",
        fdx: Some("fdx bench --duration 1 $URL | grep -q p99.9"),
        websocat: None,
        wscat: None,
    },
];

const WEBSOCAT: &str = "1.14.1";
const WSCAT: &str = "6.1.0";

/// Runs every row and writes docs/tools.md. Fails if `fdx` fails in a row.
pub(crate) fn tools() -> Result<(), Failure> {
    install()?;
    build_fdx()?;
    let programs =
        [root().join("target/debug"), folder().join("bin"), folder().join("node_modules/.bin")];
    let shell = Shell::new("tools/scratch", &programs)?;
    let server = shell.start(ECHO)?;
    let mut table = format!("| | fdx | websocat {WEBSOCAT} | wscat {WSCAT} |\n|---|---|---|---|\n");
    for row in &ROWS {
        let scripts = [row.fdx, row.websocat, row.wscat];
        let mut cells = Vec::new();
        for script in scripts {
            cells.push(match script {
                Some(script) if try_out(&shell, script, &server.url())? => "yes",
                Some(_) => "no",
                None => "–",
            });
        }
        println!("{}: {}", row.what, cells.join(", "));
        if cells[0] != "yes" {
            return Err(Failure(format!("fdx failed: {}", row.what)));
        }
        table += &format!("| {} | {} |\n", row.what, cells.join(" | "));
    }
    let page = root().join("docs/tools.md");
    fs::write(&page, format!("{ABOUT}\n{table}{BESIDES}"))?;
    println!("wrote {}", page.display());
    Ok(())
}

const ABOUT: &str = "\
# fdx beside websocat and wscat

Written by `cargo xtask tools`, which runs a script for each cell (`xtask/src/tools.rs`). `no`: the script failed, with the
options from the command's help. `–`: the help mentions no such feature.
";

const BESIDES: &str = "
Not covered by the scripts: in a terminal, fdx and wscat have a history and commands (`/ping`, `/close`); websocat does not.
fdx and websocat support SOCKS5 proxies, fdx and wscat HTTP proxies. websocat can connect other kinds of streams, such as a
program for each client; fdx cannot. wscat can close with a code given on the command line.
";

/// Returns whether the script succeeds within the time limit.
fn try_out(shell: &Shell, script: &str, url: &str) -> Result<bool, Failure> {
    let prelude = "
        fdx listen 9367 --echo --tls --write-cert cert.pem >/dev/null 2>&1 & tls=$!
        (sleep 1.5; echo news; sleep 3) | fdx listen 9368 >/dev/null 2>&1 & news=$!
        trap 'kill $tls $news 2>/dev/null' EXIT
        sleep 0.5
        export URL WSS=wss://localhost:9367/ NEWS=ws://127.0.0.1:9368/ NOBODY=ws://127.0.0.1:9369/
        timeout 10 bash -c \"$SCRIPT\"";
    let mut bash = shell.bash(prelude);
    bash.env("URL", url).env("SCRIPT", script);
    bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(bash.status()?.success())
}

fn install() -> Result<(), Failure> {
    let folder = folder();
    fs::create_dir_all(&folder)?;
    let mut websocat = Command::new(folder.join("bin/websocat"));
    if !output(websocat.arg("--version")).is_ok_and(|version| version.contains(WEBSOCAT)) {
        let mut cargo = Command::new("cargo");
        cargo.args(["install", "--quiet", "--locked", "websocat", "--version", WEBSOCAT, "--root"]);
        run(cargo.arg(&folder))?;
    }
    if !folder.join("node_modules/wscat").exists() {
        let package = format!("wscat@{WSCAT}");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]);
        run(npm.arg(&folder).arg(package))?;
    }
    Ok(())
}

/// Returns the folder of the installed programs.
fn folder() -> PathBuf {
    root().join("target/tools")
}
