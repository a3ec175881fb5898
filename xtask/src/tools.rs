//! `fdx` beside websocat and wscat: each row of docs/tools.md is a script that is run for each of them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::run::{Failure, build_fdx, output, root, run};
use crate::shell::{ECHO, Shell};

/// What one expects of such a command, and for each of the three a script that succeeds if it is so; none
/// where its help has nothing for it. `$URL` is an echo server, `$NEWS` one that says something after a
/// second, `$WSS` one with a certificate that `cert.pem` vouches for.
struct Row {
    what: &'static str,
    fdx: Option<&'static str>,
    websocat: Option<&'static str>,
    wscat: Option<&'static str>,
}

const ROWS: [Row; 14] = [
    Row {
        what: "lines in, answers out, and then it ends",
        fdx: Some("[ \"$(printf 'a\\nb\\n' | fdx connect $URL)\" = $'a\\nb' ]"),
        websocat: Some("[ \"$(printf 'a\\nb\\n' | websocat $URL)\" = $'a\\nb' ]"),
        wscat: Some("[ \"$(printf 'a\\nb\\n' | wscat -c $URL)\" = $'a\\nb' ]"),
    },
    Row {
        what: "an answer that takes a second is waited for",
        fdx: Some("[ \"$(echo hi | fdx connect $NEWS)\" = news ]"),
        websocat: Some("[ \"$(echo hi | websocat -n1 $NEWS)\" = news ]"),
        wscat: Some("[ \"$(sleep 3 | wscat -c $NEWS -x hi -w 2)\" = news ]"),
    },
    Row {
        what: "a message of the command line is sent, its answer printed",
        fdx: Some("[ \"$(fdx connect $URL <<<hello)\" = hello ]"),
        websocat: Some("[ \"$(websocat -1 $URL <<<hello)\" = hello ]"),
        wscat: Some("[ \"$(sleep 2 | wscat -c $URL -x hello -w 1)\" = hello ]"),
    },
    Row {
        what: "the first message, and no more",
        fdx: Some("[ \"$(fdx connect --count 1 $NEWS </dev/null)\" = news ]"),
        websocat: Some("[ \"$(websocat -n1 $NEWS </dev/null)\" = news ]"),
        wscat: None,
    },
    Row {
        what: "its reader ends, and it does without a word",
        fdx: Some("yes | head -100000 | fdx connect $URL 2>errors | head -1; [ ! -s errors ]"),
        websocat: Some("yes | head -100000 | websocat $URL 2>errors | head -1; [ ! -s errors ]"),
        wscat: Some("yes | head -100000 | wscat -c $URL 2>errors | grep -q y && [ ! -s errors ]"),
    },
    Row {
        what: "the exit code tells that nobody listens",
        fdx: Some("! fdx connect $NOBODY </dev/null"),
        websocat: Some("! websocat $NOBODY </dev/null"),
        wscat: Some("! wscat -c $NOBODY </dev/null"),
    },
    Row {
        what: "and its code differs from that of a connection that is lost",
        fdx: Some("fdx connect $NOBODY </dev/null; [ $? = 3 ]"),
        websocat: Some("websocat $NOBODY </dev/null; [ $? = 3 ]"),
        wscat: None,
    },
    Row {
        what: "bytes go in and come out as they are",
        fdx: Some("head -c 4096 /dev/urandom >in
            fdx connect --input file --output raw $URL <in | cmp - in"),
        websocat: Some("head -c 4096 /dev/urandom >in; websocat -b $URL <in | cmp - in"),
        wscat: None,
    },
    Row {
        what: "messages are compressed",
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
        what: "a certificate of one's own is trusted, and no other",
        fdx: Some("! fdx connect $WSS <<<x && [ \"$(fdx connect --ca cert.pem $WSS <<<hi)\" = hi ]"),
        websocat: Some("! websocat -1 $WSS <<<x
            [ \"$(SSL_CERT_FILE=cert.pem websocat -1 $WSS <<<hi)\" = hi ]"),
        wscat: Some("[ \"$(sleep 2 | wscat --ca cert.pem -c $WSS -x hi -w 1)\" = hi ]"),
    },
    Row {
        what: "events are JSON for machines",
        fdx: Some("fdx connect --ndjson $URL <<<hi | grep -q '\"event\":\"message\".*\"text\":\"hi\"'"),
        websocat: None,
        wscat: None,
    },
    Row {
        what: "a server that echoes, for a test",
        fdx: Some("fdx listen 9364 --echo >log & sleep 0.5
            fdx connect ws://127.0.0.1:9364/ <<<hi; [ $? = 0 ] && kill $!"),
        websocat: Some("websocat -s 127.0.0.1:9365 mirror: & sleep 0.5
            websocat -t ws-l:127.0.0.1:9366 mirror: & sleep 0.5
            [ \"$(fdx connect ws://127.0.0.1:9366/ <<<hi)\" = hi ]; s=$?; kill %1 %2; exit $s"),
        wscat: None,
    },
    Row {
        what: "how a server is reached, and what looks wrong",
        fdx: Some("fdx probe $URL | grep -q 'Nothing looks wrong'"),
        websocat: None,
        wscat: None,
    },
    Row {
        what: "load, with percentiles",
        fdx: Some("fdx bench --duration 1 $URL | grep -q p99.9"),
        websocat: None,
        wscat: None,
    },
];

const WEBSOCAT: &str = "1.14.1";
const WSCAT: &str = "6.1.0";

/// Runs every row and writes docs/tools.md; fails if `fdx` does not do what it says.
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
            return Err(Failure(format!("fdx does not do what it says: {}", row.what)));
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

Written by `cargo xtask tools`, which runs a script for each cell (`xtask/src/tools.rs`): `no` is one that failed, with the
options that the command's help has for it, and `–` stands where its help has nothing.
";

const BESIDES: &str = "
What a script cannot tell: in a terminal, fdx and wscat have a history and commands (`/ping`, `/close`), websocat has not;
fdx and websocat have proxies by SOCKS5, fdx and wscat by HTTP. websocat connects anything with anything, such as a
program for each client, which fdx does not; wscat closes with a code from the command line.
";

/// Whether the script succeeds within a while.
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

/// Where they are installed.
fn folder() -> PathBuf {
    root().join("target/tools")
}
