use std::time::Duration;

use serde_json::{Value, json};

use super::findings::findings;
use super::report::{Open, Outcome, Report};
use super::talk::EndedBy;
use super::trace::{Attempt, Head, Hop};
use crate::secrets::Secrets;

/// Returns the report as JSON. Times are in seconds.
pub(super) fn value(report: &Report) -> Value {
    let secrets = report.secrets;
    let findings = findings(report);
    let findings = findings
        .iter()
        .map(|finding| json!({ "what": secrets.text(&finding.what), "advice": finding.advice }));
    let error = match &report.outcome {
        Outcome::Failed(error) => Some(secrets.text(&error.to_string())),
        Outcome::Interrupted => Some("interrupted".to_owned()),
        Outcome::Open(_) => None,
    };
    json!({
        "url": secrets.url(report.url.as_str()),
        "error": error,
        "body": match &report.outcome {
            Outcome::Failed(fullduplex_net::ConnectError::Rejected(refused)) => {
                Some(String::from_utf8_lossy(&refused.body))
            }
            _ => None,
        },
        "hops": report.hops.iter().map(|hop| trace(report, hop)).collect::<Vec<_>>(),
        "open": report.open().map(|it| open(it, secrets)),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn trace(report: &Report, hop: &Hop) -> Value {
    let certificates = hop.certificates.iter().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "names": certificate.names,
            "not_before": certificate.not_before.timestamp,
            "not_after": certificate.not_after.timestamp,
            "days_left": certificate.days_left(report.now),
        })
    });
    let phases = hop.phases().into_iter();
    json!({
        "proxy": hop.proxy,
        "host": hop.host,
        "addresses": hop.addresses.iter().map(attempt).collect::<Vec<_>>(),
        "tls": hop.tls.as_ref().map(|tls| json!({
            "version": tls.version,
            "cipher": tls.cipher,
            "alpn": tls.alpn,
            "verified": !report.takes_any_certificate,
        })),
        "certificates": certificates.collect::<Vec<_>>(),
        "request": hop.request.as_ref().map(|it| head(it, report.secrets)),
        "http2": hop.stream.map(|stream| json!({
            "stream": stream.id,
            "max_streams": stream.max_streams,
        })),
        "response": hop.response.as_ref().map(|it| head(it, report.secrets)),
        "phases": phases.map(|(name, took)| (name.to_owned(), seconds(took)))
            .collect::<serde_json::Map<_, _>>(),
    })
}

fn attempt(attempt: &Attempt) -> Value {
    let outcome = match (&attempt.began, &attempt.outcome) {
        (_, Some((_, Ok(())))) => "connected",
        (_, Some((_, Err(_)))) => "failed",
        (Some(_), None) => "given up",
        (None, None) => "not tried",
    };
    let error = attempt.outcome.as_ref().and_then(|(_, outcome)| outcome.as_ref().err());
    json!({
        "address": attempt.address.to_string(),
        "outcome": outcome,
        "error": error,
        "began": attempt.began.map(seconds),
        "ended": attempt.outcome.as_ref().map(|(at, _)| seconds(*at)),
    })
}

fn head(head: &Head, secrets: Secrets) -> Value {
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), secrets.header(name, value)));
    let first_line = head.shown_first_line(secrets);
    json!({ "first_line": first_line, "headers": headers.collect::<Vec<_>>() })
}

fn open(open: &Open, secrets: Secrets) -> Value {
    let talk = &open.talk;
    let end = talk.end.as_ref().map(|end| {
        json!({
            "code": end.closed.code(),
            "reason": end.closed.reason(),
            "clean": end.closed.was_clean(),
            "failure": end.failure,
            "server_closed_first": talk.server_closed_first,
            "answered_after": end.answered.map(seconds),
            "ended_after": seconds(end.ended),
            "ended_by": match end.ended_by {
                EndedBy::Server => "server",
                EndedBy::Client => "client",
            },
        })
    });
    json!({
        "extensions": open.extensions,
        "subprotocol": open.subprotocol.as_ref().map(|name| secrets.subprotocols(name)),
        "messages": talk.messages,
        "pings": talk.asked,
        "round_trips": talk.round_trips.iter().map(|took| seconds(*took)).collect::<Vec<_>>(),
        "p50": talk.percentile(0.5).map(seconds),
        "p99": talk.percentile(0.99).map(seconds),
        "close": end,
    })
}

fn seconds(duration: Duration) -> Value {
    duration.as_secs_f64().into()
}
