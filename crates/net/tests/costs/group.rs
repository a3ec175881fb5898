//! A `Group` of a thousand connections, one of which never reads.

use std::net::SocketAddr;
use std::time::Duration;

use allocation_counter::measure;
use fullduplex_lab::process::allow_many_files;
use fullduplex_lab::script::guarded;
use fullduplex_net::proto::{DeflateConfig, Message, Outgoing, Url};
use fullduplex_net::{
    ConnectOptions, Connections, Group, HandlerResult, OverflowPolicy, Request, Sent, Server,
    ServerOptions, Socket, connect,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The number of members that read. There is one more member.
const READERS: usize = 999;
const MEMBERS: usize = READERS + 1;

const PAYLOAD: usize = 64 << 10;

/// The queue limit of the member that never reads, not counting the obstacle.
const CAPACITY: usize = 2 * PAYLOAD;

/// More than the socket buffers of the system hold.
const OBSTACLE: usize = 32 << 20;

/// How much sending one message may allocate. A payload per member would take 64 MB, and a
/// compressor per member hundreds of megabytes.
const ALLOCATED: u64 = 16 << 20;

/// A server on this thread whose connections all belong to `group`. The readers run on another
/// thread.
struct Room {
    runtime: Runtime,
    connections: Connections,
    group: Group,
    /// The messages that the readers receive, once per reader.
    received: mpsc::UnboundedReceiver<Message>,
    /// The member that never reads.
    silent: Option<Socket>,
}

async fn member(request: Request, group: Group) -> HandlerResult {
    let reads = request.uri().path() == "/reads";
    let mut socket = request.accept().await?;
    let sender = socket.sender().with_capacity(CAPACITY);
    if !reads {
        sender.send(Outgoing::uncompressed(vec![0; OBSTACLE])).await?;
    }
    let _member = group.join(sender);
    while socket.recv().await?.is_some() {}
    Ok(())
}

impl Room {
    fn open(deflate: Option<DeflateConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        allow_many_files();
        let mut options = ServerOptions::default();
        options.accept.deflate = deflate;
        options.accept.timeouts.close = Duration::from_millis(100);
        let server = runtime.block_on(Server::bind("127.0.0.1:0", options)).unwrap();
        let address = server.local_addr().unwrap();
        let connections = server.connections().clone();
        let group = Group::new();
        let members = group.clone();
        runtime.spawn(server.serve(move |request| member(request, members.clone())));

        let (tx, received) = mpsc::unbounded_channel();
        std::thread::spawn(move || read_all(address, deflate, tx));
        let silent = runtime.block_on(open(address, "silent", deflate));
        let room = Self { runtime, connections, group, received, silent: Some(silent) };
        room.until(|room| room.group.len() == MEMBERS);
        room
    }

    /// Sends to all members, and waits until all readers have received it.
    fn send(&mut self, message: &Message, when_full: OverflowPolicy) -> Sent {
        let Self { runtime, group, received, .. } = self;
        runtime.block_on(async {
            let sent = group.send(message, when_full);
            for _ in 0..READERS {
                let received = guarded("the next message", received.recv()).await.unwrap();
                assert!(received == *message, "a reader missed a message");
            }
            sent
        })
    }

    fn until(&self, condition: impl Fn(&Self) -> bool) {
        self.runtime.block_on(guarded("the condition", async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }));
    }
}

/// Runs the readers until their connections end.
fn read_all(
    address: SocketAddr,
    deflate: Option<DeflateConfig>,
    tx: mpsc::UnboundedSender<Message>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            let mut socket = open(address, "reads", deflate).await;
            let tx = tx.clone();
            readers.spawn(async move {
                while let Some(message) = socket.recv().await.unwrap() {
                    tx.send(message).ok();
                }
            });
        }
        readers.join_all().await;
    });
}

async fn open(address: SocketAddr, path: &str, deflate: Option<DeflateConfig>) -> Socket {
    let url = Url::parse(&format!("ws://{address}/{path}")).unwrap();
    let options = ConnectOptions::new().deflate(deflate);
    connect(&url, &options).await.unwrap().0
}

/// Returns a compressible message that differs for each number.
fn message(number: usize) -> Message {
    vec![number as u8; PAYLOAD].into()
}

/// Returns the numbers of members queued, dropped and closed.
fn numbers(sent: Sent) -> (usize, usize, usize) {
    (sent.queued, sent.dropped, sent.closed)
}

fn assert_only_the_silent_member_misses_messages(deflate: Option<DeflateConfig>) {
    let mut room = Room::open(deflate);
    let before = room.connections.counts();

    // The queue of the silent member has room for two messages.
    let mut first = None;
    let allocated = measure(|| first = Some(room.send(&message(0), OverflowPolicy::Drop)));
    assert_eq!(numbers(first.unwrap()), (MEMBERS, 0, 0));
    assert!(allocated.bytes_total < ALLOCATED, "{allocated:?}");
    assert_eq!(numbers(room.send(&message(1), OverflowPolicy::Drop)), (MEMBERS, 0, 0));
    for number in 2..5 {
        assert_eq!(numbers(room.send(&message(number), OverflowPolicy::Drop)), (READERS, 1, 0));
    }

    let after = room.connections.counts();
    let received = 5 * (PAYLOAD * READERS) as u64;
    let is_compressed = after.bytes_sent - before.bytes_sent < received / 10;
    assert_eq!(is_compressed, deflate.is_some(), "{after:?}");

    assert_eq!(numbers(room.send(&message(5), OverflowPolicy::Close)), (READERS, 0, 1));
    room.until(|room| room.group.len() == READERS);
    assert_eq!(numbers(room.send(&message(6), OverflowPolicy::Close)), (READERS, 0, 0));
    assert_eq!(room.connections.counts().closed, [(1006, 1)].into());
    drop(room.silent.take());

    let Room { runtime, connections, .. } = &room;
    let drained = runtime.block_on(connections.shutdown(Duration::from_secs(30)));
    assert_eq!((drained.closed, drained.cut), (READERS, 0));
    assert!(room.group.is_empty());
}

#[test]
fn a_group_shares_the_payload() {
    assert_only_the_silent_member_misses_messages(None);
}

#[test]
fn a_group_compresses_once() {
    assert_only_the_silent_member_misses_messages(Some(DeflateConfig::default()));
}
