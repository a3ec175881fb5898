//! Runs the Autobahn test suite, which `crates/lab/autobahn/` converts to Python 3.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;

use crate::run::{Failure, build_fdx, cargo, fdx, output, root, run};
use crate::shell::{ECHO, Shell};

/// The role to test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// `fdx connect --echo`
    Client,
    /// `fdx listen --echo`
    Server,
}

/// The cases to run and their number. Checking the number detects a broken installation, which
/// would pass no cases. The quick form omits the large messages of section 9 and most compression
/// parameters.
const QUICK: (&str, usize) = (
    "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*,\
     12.1.3,12.2.4,12.3.5,12.4.6,12.5.3,13.1.4,13.2.3,13.3.4,13.4.5,13.5.3,13.6.4,13.7.6",
    259,
);
const ALL: (&str, usize) = ("*", 517);

/// Which version of HTTP the tested role uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    /// The suite knows HTTP/1.1 only, so the `bridge` of the lab carries the frames between both versions.
    Http2,
}

/// Runs the suite. Fails unless every case passes strictly.
pub(crate) fn test(role: Option<Role>, version: Version, quick: bool) -> Result<(), Failure> {
    let suite = root().join("target/autobahn");
    if !suite.join("wstest").exists() {
        run(Command::new(scripts().join("setup.sh")).arg(&suite))?;
    }
    build_fdx()?;
    if version == Version::Http2 {
        run(&mut cargo(["build", "--package", "fullduplex-lab", "--bin", "bridge"]))?;
    }
    let (selection, cases) = if quick { QUICK } else { ALL };
    for tested in [Role::Server, Role::Client] {
        if role.is_none_or(|role| role == tested) {
            println!("the {tested:?}'s {cases} cases over {version:?}");
            let summary = match tested {
                Role::Server => test_server(version, selection)?,
                Role::Client => test_client(version, selection)?,
            };
            println!("{summary}");
            judge(&summary, cases)?;
        }
    }
    Ok(())
}

fn test_server(version: Version, selection: &str) -> Result<String, Failure> {
    let shell = Shell::new("autobahn-server", &[root().join("target/debug")])?;
    let (server, bridge);
    let url = match version {
        Version::Http1 => {
            server = shell.start(ECHO)?;
            server.url()
        }
        Version::Http2 => {
            server = shell.start(&format!("{ECHO} --http2"))?;
            bridge = shell.start(&format!("bridge to-http2 {}", address(&server.url())))?;
            bridge.url()
        }
    };
    let mut script = suite_command("run_server.sh", "server");
    output(script.args([&url, "fullduplex", selection]))
}

fn test_client(version: Version, selection: &str) -> Result<String, Failure> {
    let port = free_port()?.to_string();
    let shell = Shell::new("autobahn-client", &[root().join("target/debug")])?;
    let bridge;
    let (url, option) = match version {
        Version::Http1 => (format!("ws://127.0.0.1:{port}"), None),
        Version::Http2 => {
            bridge = shell.start(&format!("bridge to-http1 127.0.0.1:{port}"))?;
            (bridge.url(), Some("--http2"))
        }
    };
    let mut script = suite_command("run_client.sh", "client");
    output(
        script
            .args([&port, "fullduplex", selection, "--"])
            .arg(scripts().join("walk.sh"))
            .arg(fdx())
            .args([&url, "fullduplex"])
            .args(option),
    )
}

/// Returns the address in a URL without a path.
fn address(url: &str) -> &str {
    url.trim_start_matches("ws://").trim_end_matches('/')
}

/// Returns a port that no program uses. Linux gives higher ports to outgoing connections, and one of these could take the
/// port before the suite listens.
fn free_port() -> Result<u16, Failure> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    (20_000..30_000).find(is_free).ok_or(Failure("all ports from 20000 to 29999 are in use".into()))
}

fn suite_command(script: &str, report: &str) -> Command {
    let suite = root().join("target/autobahn");
    let mut command = Command::new(scripts().join(script));
    command.env("WSTEST", suite.join("wstest")).env("OUT", suite.join(report));
    command
}

/// Fails unless `summarize.py` reports that every case passed.
fn judge(summary: &str, cases: usize) -> Result<(), Failure> {
    let all = format!("all  {cases} cases");
    for expected in
        [&all, "bad: none", "close-notes: none", "non-strict: none", "internal errors: 0"]
    {
        if !summary.contains(expected) {
            return Err(Failure(format!("the suite did not report `{expected}`")));
        }
    }
    if summary.contains("UNIMPLEMENTED") {
        return Err(Failure("a case is unimplemented".into()));
    }
    Ok(())
}

fn scripts() -> PathBuf {
    root().join("crates/lab/autobahn")
}
