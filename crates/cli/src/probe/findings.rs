use std::time::Duration;

use fullduplex_net::{ConnectError, ConnectPhase, Rejected};
use http::StatusCode;

use super::report::{Open, Outcome, Report};
use super::talk::{EndedBy, Talk};
use super::trace::Hop;
use crate::figures::{counted, time};

/// A possible problem, with advice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) what: String,
    pub(super) advice: &'static str,
}

/// A certificate that is valid for fewer days than this should be renewed.
const SOON: i64 = 21;

/// A phase that takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(500);

/// A delay that users notice if everything else is fast.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// The time that a Pong may take in addition to three round trips of TCP.
const PONG_OVERHEAD: Duration = Duration::from_millis(20);

/// Returns the possible problems, in chronological order.
pub(super) fn findings(report: &Report) -> Vec<Finding> {
    let mut list = List::default();
    if report.hops.len() > 1 {
        let what = format!("it took {}", counted(report.hops.len() as u64 - 1, "redirect"));
        list.add(what, "give clients the last URL: each redirect costs a connection");
    }
    let hop = report.last_hop();
    list.way(report, hop);
    list.certificates(report, hop);
    match &report.outcome {
        Outcome::Failed(error) => list.failure(hop, error),
        Outcome::Interrupted => list.add(
            "interrupted before the connection was open",
            "the lines above show the steps that were done; --timeout limits the wait",
        ),
        Outcome::Open(open) => {
            list.agreement(hop, open);
            list.round_trips(hop, &open.talk);
            list.end(&open.talk);
        }
    }
    list.0
}

#[derive(Debug, Default)]
struct List(Vec<Finding>);

impl List {
    fn add(&mut self, what: impl Into<String>, advice: &'static str) {
        self.0.push(Finding { what: what.into(), advice });
    }

    fn way(&mut self, report: &Report, hop: &Hop) {
        let connected =
            hop.addresses.iter().find(|attempt| matches!(attempt.outcome, Some((_, Ok(())))));
        if connected.is_some() {
            for attempt in &hop.addresses {
                let family = if attempt.address.is_ipv6() { "IPv6" } else { "IPv4" };
                match (&attempt.began, &attempt.outcome) {
                    (_, Some((_, Err(error)))) => self.add(
                        format!("could not connect to {} ({family}): {error}", attempt.address),
                        "clients try it too: make the server listen there, or remove the address from DNS",
                    ),
                    (Some(_), None) => self.add(
                        format!("{} ({family}) did not answer before another did", attempt.address),
                        "clients without happy eyeballs hang there: is a firewall in the way?",
                    ),
                    _ => {}
                }
            }
        }
        for name in ["resolve", "TCP", "TLS"] {
            if let Some(took) = hop.phase(name).filter(|took| *took > SLOW) {
                self.add(format!("{name} took {}", time(took)), SLOW_PHASE);
            }
        }
        let is_local = match (&hop.proxy, connected) {
            (None, Some(attempt)) => attempt.address.ip().is_loopback(),
            _ => report.url.host() == "localhost",
        };
        if !report.url.is_secure() && connected.is_some() && !is_local {
            self.add(
                "the connection to another machine is not encrypted",
                "use wss: others on the way can read and change messages",
            );
        }
    }

    fn certificates(&mut self, report: &Report, hop: &Hop) {
        let Some(certificate) = hop.certificates.first() else { return };
        match certificate.days_left(report.now) {
            ..0 => self.add(
                format!("the certificate has expired on {}", certificate.not_after.date),
                "renew it: clients reject it",
            ),
            days @ 0..SOON => self.add(
                format!("the certificate expires in {}", counted(days.unsigned_abs(), "day")),
                "renew it now, and automate the next renewal",
            ),
            _ => {}
        }
        if report.takes_any_certificate {
            self.add("the certificate was not verified, as --insecure asks", TRY_VERIFYING);
        } else if certificate.is_self_signed() && hop.tls.is_none() {
            self.add(
                "the certificate is self-signed",
                "give it to clients with --ca, or get one from an authority that they trust",
            );
        }
        if hop.tls.as_ref().is_some_and(|tls| tls.version == "TLS 1.2") {
            self.add(
                "the server uses TLS 1.2",
                "TLS 1.3 saves a round trip: enable it on the server",
            );
        }
    }

    fn failure(&mut self, hop: &Hop, error: &ConnectError) {
        let advice = match error {
            ConnectError::Resolve { .. } => "check the name, and the DNS of this machine",
            ConnectError::Tcp { .. } => "does the server run, and does it listen at this port?",
            ConnectError::Timeout { phase: ConnectPhase::Handshake, .. } => {
                "it accepts connections and sends nothing: is it another service, or wss in place of ws?"
            }
            ConnectError::Timeout { .. } => "is a firewall in the way? --timeout waits longer",
            ConnectError::Tls { .. } if hop.certificates.is_empty() => {
                "does the server use TLS at this port? try ws://"
            }
            ConnectError::Tls { .. } => "see the certificate above, and --ca and --server-name",
            ConnectError::Proxy { .. } => "check --proxy; `--proxy none` connects directly",
            ConnectError::Rejected(refused) => rejection(refused),
            ConnectError::Redirect { .. } => "use the URL of the redirect, if you trust it",
            ConnectError::Opening { .. } => {
                "does the server use HTTP at this port? try wss:// in place of ws://"
            }
            ConnectError::Answer { .. } => "the server breaks RFC 6455: other clients fail too",
            _ => "check the options",
        };
        self.add(error.to_string(), advice);
    }

    fn agreement(&mut self, hop: &Hop, open: &Open) {
        let offered = |name| hop.request.as_ref().is_some_and(|head| head.header(name).is_some());
        if offered("sec-websocket-extensions") && open.extensions.is_empty() {
            self.add(
                "compression was offered and is not used",
                "text compresses to a fraction: enable permessage-deflate on the server",
            );
        }
        if offered("sec-websocket-protocol") && open.subprotocol.is_none() {
            self.add(
                "the server selected none of the subprotocols offered",
                "it may not support them: many clients then close the connection",
            );
        }
        for window in ["server_max_window_bits", "client_max_window_bits"] {
            let bits = open.extensions.split(';').filter_map(|part| part.trim().split_once('='));
            let bits = bits.filter(|(name, _)| *name == window);
            let bits = bits.filter_map(|(_, bits)| bits.trim_matches('"').parse::<u8>().ok());
            if let Some(bits) = bits.min().filter(|bits| *bits < 11) {
                self.add(
                    format!(
                        "{window} is {bits}: compression uses a window of {} bytes",
                        1u32 << bits
                    ),
                    "it saves memory and compresses badly; 15 compresses best",
                );
            }
        }
    }

    fn round_trips(&mut self, hop: &Hop, talk: &Talk) {
        let answered = talk.round_trips.len();
        if answered < talk.asked && !talk.server_closed_first {
            self.add(
                format!("ping {} had no answer", answered + 1),
                "RFC 6455 5.5.2 requires one: clients with keepalive will drop the connection",
            );
        }
        let (Some(median), Some(p99)) = (talk.percentile(0.5), talk.percentile(0.99)) else {
            return;
        };
        let network = hop.phase("TCP").unwrap_or(SLOW);
        if median > 3 * network + PONG_OVERHEAD {
            let what = format!("a Pong takes {}, TCP took {}", time(median), time(network));
            self.add(
                what,
                "the network is faster: what delays the server, or a proxy in front of it?",
            );
        } else if median > SLOW {
            let what = format!("half of the pings took {} or more", time(median));
            self.add(what, "the network is slow: is there a server closer by?");
        }
        if p99 > 5 * median && p99 > median + NOTICEABLE {
            let what =
                format!("the slowest Pong took {}, half of them {}", time(p99), time(median));
            self.add(
                what,
                "something stalls from time to time: the network, or the event loop of the server",
            );
        }
    }

    fn end(&mut self, talk: &Talk) {
        let Some(end) = &talk.end else {
            return self.add("interrupted while it closed", "the server was slow to close");
        };
        if let Some(failure) = &end.failure {
            self.add(failure.clone(), "fdx sent only pings and a Close: see the log of the server");
        } else if talk.server_closed_first {
            let code = end.closed.code();
            self.add(
                format!("the server closed by itself, with code {code}"),
                "does it expect a login, a subprotocol, or a first message in time?",
            );
        } else if end.answered.is_none() {
            self.add(
                "the server ended the connection without a Close of its own",
                "RFC 6455 5.5.1 requires one: clients see code 1006 and connect again",
            );
        }
        if end.answered.is_some() && end.ended_by == EndedBy::Client {
            self.add(
                format!("after both Closes, the server kept TCP open for {}", time(end.ended)),
                "the server should close TCP (RFC 6455 7.1.1): such connections pile up",
            );
        }
    }
}

fn rejection(refused: &Rejected) -> &'static str {
    match refused.status {
        StatusCode::UNAUTHORIZED => "log in: --user, or --header 'Authorization: Bearer …'",
        StatusCode::FORBIDDEN => "it may require an --origin, a cookie or a login",
        StatusCode::NOT_FOUND => "is the path right? WebSockets often have their own",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "give the proxy's user and password in --proxy"
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            "it is overloaded: try again later"
        }
        StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => {
            "does a proxy in front of it pass the headers Upgrade and Connection on?"
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            "the proxy in front of it does not reach the server: see the log of the proxy"
        }
        status if status.is_redirection() => "use the URL of the redirect, or --redirects 1",
        status if status.is_success() => {
            "the HTTP server has no WebSocket there: is the path right?"
        }
        _ => "see the log of the server",
    }
}

const SLOW_PHASE: &str = "every client waits for this";
const TRY_VERIFYING: &str = "probe without --insecure to see what other clients see";

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::super::certificate::{Certificate, Date};
    use super::super::trace::{Attempt, Times, TlsDetails};
    use super::*;
    use crate::secrets::Secrets;

    const NOW: i64 = 2_000_000_000;
    const DAY: i64 = 24 * 60 * 60;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn report(url: &str, hop: Hop, talk: Talk) -> Report {
        Report {
            url: url.parse().unwrap(),
            hops: vec![hop],
            outcome: Outcome::Open(Open { extensions: String::new(), subprotocol: None, talk }),
            takes_any_certificate: false,
            now: now(),
            secrets: Secrets::Hidden,
        }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())
    }

    fn connected(address: &str) -> Attempt {
        Attempt {
            address: address.parse().unwrap(),
            began: Some(ms(1)),
            outcome: Some((ms(2), Ok(()))),
        }
    }

    #[track_caller]
    fn assert_found(report: &Report, expected: &[&str]) {
        let found: Vec<_> = findings(report).into_iter().map(|finding| finding.what).collect();
        let is_expected = |(found, expected): (&String, &&str)| found.contains(expected);
        assert!(
            // The missing end is an additional finding.
            found.len() == expected.len() + 1 && found.iter().zip(expected).all(is_expected),
            "{found:?}"
        );
    }

    #[test]
    fn addresses_that_do_not_answer_are_found() {
        let refused = Some((ms(2), Err("Connection refused".to_owned())));
        let broken = Attempt { outcome: refused, ..connected("[2001:db8::1]:443") };
        let silent = Attempt { outcome: None, ..connected("192.0.2.1:443") };
        let addresses = vec![broken, silent, connected("192.0.2.2:443")];
        let hop = Hop { addresses, ..Hop::default() };
        assert_found(
            &report("ws://server.example/", hop, Talk::default()),
            &[
                "could not connect to [2001:db8::1]:443 (IPv6): Connection refused",
                "192.0.2.1:443 (IPv4) did not answer",
                "is not encrypted",
            ],
        );
        let hop = Hop { addresses: vec![connected("127.0.0.1:80")], ..Hop::default() };
        assert_found(&report("ws://server.example/", hop, Talk::default()), &[]);
    }

    #[test]
    fn a_certificate_that_is_about_to_expire_is_found() {
        for (days, found) in [
            (-1, &["the certificate has expired on"][..]),
            (0, &["expires in 0 days"]),
            (20, &["expires in 20 days"]),
            (21, &[]),
        ] {
            let day = |days| Date { date: String::new(), timestamp: NOW + days * DAY };
            let certificate = Certificate {
                subject: "CN=a".to_owned(),
                issuer: "CN=b".to_owned(),
                names: vec!["a".to_owned()],
                not_before: day(-100),
                not_after: day(days),
            };
            let tls =
                TlsDetails { version: "TLS 1.3".to_owned(), cipher: String::new(), alpn: None };
            let hop = Hop { certificates: vec![certificate], tls: Some(tls), ..Hop::default() };
            assert_found(&report("wss://server.example/", hop, Talk::default()), found);
        }
    }

    #[test]
    fn a_server_that_is_slower_than_its_network_is_found() {
        let times = Times { connected: Some(ms(10)), ..Times::default() };
        let hop = Hop { times, ..Hop::default() };
        let talk = |round_trips: &[u64]| Talk {
            asked: round_trips.len(),
            round_trips: round_trips.iter().copied().map(ms).collect(),
            ..Talk::default()
        };
        for (round_trips, found) in [
            (&[10, 12, 11][..], &[][..]),
            (&[80, 90, 85], &["a Pong takes 85 ms, TCP took 10 ms"]),
            (&[10, 10, 200], &["the slowest Pong took 200 ms, half of them 10 ms"]),
        ] {
            assert_found(&report("wss://s.example/", hop.clone(), talk(round_trips)), found);
        }
        let unanswered = Talk { asked: 3, ..talk(&[10, 10]) };
        assert_found(&report("wss://s.example/", hop, unanswered), &["ping 3 had no answer"]);
    }
}
