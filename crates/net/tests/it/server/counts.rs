//! A server's counters, and its `tracing` events.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{
    CLOSE, FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, header, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::handshake::Rejection;
use fullduplex_net::{HandlerResult, Request, ServerOptions};
use http::StatusCode;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Handles the request in the way that its path names.
async fn handle(request: Request) -> HandlerResult {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/refused" => {
            request.reject(Rejection::new(StatusCode::NOT_FOUND, "not found")).await?;
            return Ok(());
        }
        "/undecided" => pending().await,
        "/fails" => return Err("failed on purpose".into()),
        "/panics" => panic!("part of the test"),
        _ => {}
    }
    echo::requests(request).await
}

/// Returns an opening request that holds secrets.
fn request(path: &str) -> String {
    let secrets = "Cookie: s3cret-cookie\r\nAuthorization: Bearer s3cret-token\r\n";
    SAMPLE_REQUEST
        .replace("/chat", &format!("{path}?token=s3cret-query"))
        .replace("Upgrade: ", &format!("{secrets}Upgrade: "))
}

/// Connects clients that end in every way. Returns those that stay.
async fn come_and_go(served: &Served) -> Vec<Peer> {
    let mut staying = Vec::new();
    for (path, then) in [
        ("/", "closes"),
        ("/", "closes"),
        ("/", "violates the protocol"),
        ("/", "vanishes"),
        ("/", "stays"),
        ("/refused", ""),
        ("/fails", ""),
        ("/panics", ""),
        ("/undecided", "stays"),
    ] {
        let mut client = Peer::connect(served.address()).await;
        client.send(request(path)).await;
        if path != "/undecided" {
            client.read_head().await;
        }
        match then {
            "closes" => {
                client.send(masked_frame(FIN | TEXT, "s3cret-payload")).await;
                assert_eq!(client.read_payload(FIN | TEXT).await, b"s3cret-payload");
                client.send(masked_frame(FIN | CLOSE, b"\x03\xE8s3cret-reason")).await;
            }
            "violates the protocol" => client.send(header(FIN | TEXT, 5)).await,
            "stays" => {
                staying.push(client);
                continue;
            }
            _ => {}
        }
        if then != "vanishes" {
            client.await_end().await;
        }
    }
    let mut begun = Peer::connect(served.address()).await;
    begun.send("GET /s3cret-path HTTP/1.1\r\nCookie: s3cret").await;
    drop(begun);
    let mut other = Peer::connect(served.address()).await;
    other.send("GET /s3cret-path HTTP/1.1\r\nHost: localhost\r\nCookie: s3cret\r\n\r\n").await;
    other.await_end().await;
    staying
}

/// Collects the text of all events and spans.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<String>>);

impl Visit for Traced {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field} {value:?}").unwrap();
    }
}

impl Subscriber for Traced {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fullduplex")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Fault FT-55: no event of any level contains a secret of a client.
#[tokio::test]
async fn counts_add_up_and_events_contain_no_secrets() {
    let traced = Traced::default();
    let _guard = tracing::subscriber::set_default(traced.clone());
    let served = Served::by(ServerOptions::default(), handle).await;
    let staying = come_and_go(&served).await;
    served.until_open(2).await;

    let counts = served.connections().counts();
    let connections = served.connections().clone();
    assert_eq!((counts.accepted, counts.opened, counts.failed), (11, 5, 1));
    assert_eq!(counts.refused, BTreeMap::from([(404, 1), (426, 1), (500, 2)]));
    assert_eq!(counts.closed, BTreeMap::from([(1000, 2), (1006, 2)]));
    assert_eq!((counts.messages_received, counts.messages_sent), (2, 2));
    assert!(counts.bytes_sent >= 2 * (14 + 2) && counts.bytes_received >= 2 * (14 + 6));

    served.shutdown(Duration::from_millis(10)).await;
    let left = async {
        while connections.counts().open > 0 {
            tokio::task::yield_now().await;
        }
    };
    guarded("the end of all connections", left).await;
    let counts = connections.counts();
    let [refused, closed] = [&counts.refused, &counts.closed].map(|by| by.values().sum::<u64>());
    assert_eq!(counts.opened, closed, "{counts:?}");
    assert_eq!(counts.accepted, refused + counts.failed + counts.opened, "{counts:?}");
    drop(staying);

    let traced = traced.0.lock().unwrap();
    assert!(traced.contains("connection closed"), "{traced}");
    assert!(!traced.contains("s3cret"), "{traced}");
}
