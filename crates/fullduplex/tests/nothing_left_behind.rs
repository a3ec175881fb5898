//! Failed connections leave no file descriptor and no task behind. This is a separate binary, because
//! other tests in the same process would open files.
#![cfg(target_os = "linux")]

use std::time::Duration;

use fullduplex::{Builder, Tls, WebSocket};
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{FIN, Peer, Scripted, TEXT, deaf, frame, guarded, header, script};
use fullduplex_lab::trace::Trace;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How many times each failure is repeated.
const ROUNDS: usize = 6;

#[tokio::test]
async fn failures_leave_no_descriptor_and_no_task() {
    // The first round makes allocations that the process keeps.
    fail_in_every_way().await;
    let before = held();
    for _ in 0..ROUNDS {
        fail_in_every_way().await;
    }
    let released = tokio::time::timeout(Duration::from_secs(30), async {
        while held() != before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let released = released.await;
    assert!(released.is_ok(), "(descriptors, tasks) were {before:?} and are {:?}", held());
}

/// Returns the numbers of open file descriptors and of running tasks.
fn held() -> (usize, usize) {
    let descriptors = std::fs::read_dir("/proc/self/fd").expect("Linux lists descriptors").count();
    (descriptors, Handle::current().metrics().num_alive_tasks())
}

async fn fail_in_every_way() {
    let mut failing = JoinSet::new();
    failing.spawn(refused());
    failing.spawn(after(async |_| {}));
    failing.spawn(after(async |mut peer| drop(peer.answer(&["HTTP/1.1 500 No"]).await)));
    failing.spawn(after(async |mut peer| {
        peer.read_head().await;
        peer.await_end().await;
    }));
    for cut in [frame(TEXT, "half"), header(FIN | TEXT, 1 << 63), frame(FIN | TEXT, b"\xFF")] {
        let sent = cut.clone();
        failing.spawn(after(async move |mut peer| {
            peer.shake_hands().await;
            peer.send(sent).await;
            peer.fin().await;
        }));
        failing.spawn(after(async move |mut peer| {
            peer.shake_hands().await;
            peer.reset_after(&cut).await;
        }));
    }
    failing.spawn(untrusted());
    failing.spawn(closed_while_connecting());
    assert_eq!(failing.len(), 12);
    for trace in guarded("the end of all failures", failing.join_all()).await {
        assert_eq!(trace.events.last().map(String::as_str), Some(Trace::FAILED), "{trace:?}");
    }
}

async fn refused() -> Trace {
    let (_held, address) = deaf();
    Trace::record(hasty(&format!("ws://{address}/"))).await
}

/// Records the events of a client whose server runs this script.
async fn after<F: Future<Output = ()> + Send + 'static>(
    play: impl FnOnce(Peer) -> F + Send + 'static,
) -> Trace {
    let server: Scripted<()> = script(play).await;
    let socket = hasty(&server.url());
    server.record_as(socket).await.0
}

/// Records a client that does not trust its server's certificate.
async fn untrusted() -> Trace {
    let acceptor = Authority::new().issue(&["localhost"], Validity::Now).acceptor();
    let server = script(async move |peer: Peer| peer.tls(&acceptor).await.is_err()).await;
    let roots = Authority::new().root_pem();
    let tls = Tls::with_extra_roots(roots.as_bytes()).expect("the root is valid");
    let socket = WebSocket::builder(&server.wss_url("localhost")).tls(tls);
    let (trace, distrusted) = server.record_as(socket).await;
    assert!(distrusted);
    trace
}

/// Records a client that closes its socket while connecting.
async fn closed_while_connecting() -> Trace {
    let (tx, rx) = oneshot::channel::<WebSocket>();
    let server = script(async move |mut peer: Peer| {
        peer.read_head().await;
        rx.await.expect("the socket exists").close();
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::builder(&server.url());
    let trace = Trace::record_with(socket, |socket| drop(tx.send(socket.clone()))).await;
    server.finish().await;
    trace
}

fn hasty(url: &str) -> Builder {
    WebSocket::builder(url).handshake_timeout(Duration::from_millis(100))
}
