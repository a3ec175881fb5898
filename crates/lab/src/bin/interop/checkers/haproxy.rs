//! HAProxy, with a backend for each form of check, and its statistics.

use std::thread::sleep;
use std::time::Instant;

use fullduplex_lab::proxy::{Proxy, Software};

use super::{Check, HANG, Servers, ask};
use crate::Failure;

/// A form of check in the configuration.
struct Form {
    /// The lines of the backend.
    lines: &'static [&'static str],
    /// Additional words for the `server` lines.
    options: &'static str,
    transport: Transport,
    /// The status that the statistics must show for the server that answers 500.
    ill: &'static str,
}

#[derive(PartialEq, Eq)]
enum Transport {
    Tcp,
    Tls,
}

impl Form {
    /// Returns a check that evaluates the status of the response.
    const fn http(lines: &'static [&'static str]) -> Self {
        Self { lines, options: "", transport: Transport::Tcp, ill: "DOWN L7STS 500" }
    }

    /// Returns a check that only connects.
    const fn tcp(lines: &'static [&'static str]) -> Self {
        Self { ill: "UP L4OK", ..Self::http(lines) }
    }
}

/// A check that opens a WebSocket succeeds with both servers, because only plain requests reach the fallback.
const WEBSOCKET: &[&str] = &[
    "option httpchk",
    "http-check send meth GET uri / ver HTTP/1.1 hdr Host localhost hdr Connection Upgrade hdr Upgrade websocket hdr Sec-WebSocket-Version 13 hdr Sec-WebSocket-Key dGhlIHNhbXBsZSBub25jZQ==",
    "http-check expect status 101",
];

const FORMS: [Form; 15] = [
    Form::tcp(&[]),
    Form::http(&["option httpchk"]),
    Form::http(&["option httpchk /health"]),
    Form::http(&["option httpchk GET /health"]),
    Form::http(&["option httpchk HEAD /health"]),
    Form::http(&["option httpchk GET /health HTTP/1.0"]),
    Form::http(&[r"option httpchk GET /health HTTP/1.1\r\nHost:\ localhost"]),
    Form::http(&["option httpchk HEAD /health HTTP/1.1", "http-check send hdr Host localhost"]),
    Form::http(&[
        "option httpchk",
        "http-check send meth GET uri /health ver HTTP/1.1 hdr Host localhost",
    ]),
    Form::http(&["option httpchk GET /health", "http-check expect status 200-399"]),
    Form {
        ill: "DOWN L7STS 500",
        ..Form::http(&["option httpchk GET /health", "http-check expect rstatus ^2"])
    },
    Form::http(&[
        "option httpchk",
        "http-check connect",
        "http-check send meth GET uri /health ver HTTP/1.1 hdr Host localhost",
        "http-check expect status 200",
        "http-check expect string well",
    ]),
    Form {
        ill: "DOWN L7RSP",
        ..Form::http(&[
            "option tcp-check",
            "tcp-check connect",
            r"tcp-check send GET\ /health\ HTTP/1.0\r\n\r\n",
            r"tcp-check expect string HTTP/1.1\ 200\ OK",
        ])
    },
    Form {
        options: "check-ssl verify none",
        transport: Transport::Tls,
        ..Form::http(&["option httpchk GET /health HTTP/1.1", "http-check send hdr Host localhost"])
    },
    Form { ill: "UP L7OK 101", ..Form::http(WEBSOCKET) },
];

/// Runs HAProxy until it has checked each server with each form of check.
pub(super) fn checks(servers: &Servers) -> Result<Vec<Check>, Failure> {
    let config = FORMS.iter().enumerate().map(|(number, form)| form.backend(number, servers));
    let config = DEFAULTS.to_owned() + &config.collect::<String>() + STATISTICS;
    let haproxy = Proxy::start_with(Software::Haproxy, &config, servers.well, &servers.identity)?;
    let begun = Instant::now();
    loop {
        let csv = ask(haproxy.port(), "GET /;csv HTTP/1.0\r\n\r\n")?;
        let checks = read(&csv)?;
        let wrong = checks.iter().zip(&FORMS).find(|(check, form)| !form.is_met(check));
        match wrong {
            None => return Ok(checks),
            Some((Check { form, well, ill, .. }, wanted)) if begun.elapsed() > HANG => {
                let wanted = wanted.ill;
                return Err(format!(
                    "HAProxy, {form}: the servers are {well} and {ill}, not UP and {wanted}"
                )
                .into());
            }
            Some(_) => sleep(std::time::Duration::from_millis(50)),
        }
    }
}

const DEFAULTS: &str = "\
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
";

const STATISTICS: &str = "\
frontend statistics
    bind 127.0.0.1:@PLAIN@
    bind 127.0.0.1:@TLS@
    stats enable
    stats uri /
";

impl Form {
    fn backend(&self, number: usize, servers: &Servers) -> String {
        let lines: String = self.lines.iter().map(|line| format!("    {line}\n")).collect();
        let (well, ill) = match self.transport {
            Transport::Tcp => (servers.well, servers.ill),
            Transport::Tls => (servers.well_tls, servers.ill_tls),
        };
        let server = |name: &str, port: u16| {
            let options = self.options;
            format!(
                "    server {name} 127.0.0.1:{port} check inter 100ms rise 1 fall 1 {options}\n"
            )
        };
        format!("backend form{number}\n{lines}{}{}", server("well", well), server("ill", ill))
    }

    fn is_met(&self, check: &Check) -> bool {
        check.well.starts_with("UP L") && check.ill == self.ill
    }

    fn words(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| format!("`{line}`")).collect();
        let mut words = lines.join(", ");
        if self.lines.is_empty() {
            words = "`check`".into();
        }
        if self.lines == WEBSOCKET {
            words =
                "`option httpchk` that opens a WebSocket, `http-check expect status 101`".into();
        }
        if self.transport == Transport::Tls {
            words += ", `check-ssl`";
        }
        words
    }
}

/// Reads the statistics.
fn read(answer: &str) -> Result<Vec<Check>, Failure> {
    let csv = answer.split_once("# ").ok_or("HAProxy shows no statistics")?.1;
    let mut lines = csv.lines();
    let names: Vec<_> = lines.next().unwrap_or_default().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |name: &str| {
        let found = names.iter().position(|known| *known == name);
        found.ok_or_else(|| format!("the statistics of HAProxy have no column {name}"))
    };
    let [backend, server] = [column("pxname")?, column("svname")?];
    let columns = [column("status")?, column("check_status")?, column("check_code")?];
    let state = |number: usize, name: &str| {
        let backend_name = format!("form{number}");
        let row = rows.iter().find(|row| {
            row.get(backend) == Some(&backend_name.as_str()) && row.get(server) == Some(&name)
        });
        let row = row.ok_or("the statistics of HAProxy lack a server")?;
        let words = columns.map(|column| row.get(column).copied().unwrap_or_default());
        Ok::<_, Failure>(words.join(" ").trim_end().to_owned())
    };
    let checker = Software::Haproxy.version()?;
    let check = |(number, form): (usize, &Form)| {
        let (well, ill) = (state(number, "well")?, state(number, "ill")?);
        Ok(Check { checker: checker.clone(), form: form.words(), well, ill })
    };
    FORMS.iter().enumerate().map(check).collect()
}
