//! A `Group` and wakers that call back into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fullduplex_net::proto::Role;
use fullduplex_net::{Group, OverflowPolicy, Socket, UpgradedOptions};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

/// A waker that uses the group.
struct UsesGroup {
    group: Group,
    wakes: AtomicUsize,
}

impl Wake for UsesGroup {
    fn wake(self: Arc<Self>) {
        assert!(self.group.len() <= 1);
        self.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Returns a socket of a server in memory, and the client's end of its stream.
fn socket() -> (Socket<DuplexStream>, DuplexStream) {
    let (client, server) = duplex(1 << 12);
    (Socket::from_upgraded(server, Role::Server, UpgradedOptions::default()), client)
}

#[tokio::test]
async fn a_member_sends_to_all_others() {
    let group = Group::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| socket());
    let author = group.join(one.0.sender());
    let _others = [group.join(two.0.sender()), group.join(three.0.sender())];
    assert_eq!(author.send_to_others("hello", OverflowPolicy::Close).queued, 2);
    for ((socket, client), received) in [(&mut one, false), (&mut two, true), (&mut three, true)] {
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(socket.poll_event(&mut cx), Poll::Pending);
        let mut frame = [0; 7];
        let read = client.read_exact(&mut frame).now_or_never();
        assert_eq!(read.is_some(), received);
        assert_eq!(received, frame == *b"\x81\x05hello");
    }
}

// FS-13
#[tokio::test]
async fn a_waker_may_use_the_group() {
    let (mut socket, _client) = socket();
    let group = Group::new();
    let _member = group.join(socket.sender().with_capacity(1));
    let waker = Arc::new(UsesGroup { group: group.clone(), wakes: AtomicUsize::new(0) });
    for (policy, wakes) in [(OverflowPolicy::Close, 1), (OverflowPolicy::Close, 2)] {
        let task = Waker::from(Arc::clone(&waker));
        assert_eq!(socket.poll_event(&mut Context::from_waker(&task)), Poll::Pending);
        let sent = group.send("news", policy);
        assert_eq!((sent.queued, sent.closed), (1, 0));
        assert_eq!(waker.wakes.load(Ordering::SeqCst), wakes);
    }
    // The queue is full, so the member is closed, which wakes its task once more.
    assert_eq!(group.send("too much", OverflowPolicy::Close).closed, 1);
    assert_eq!(waker.wakes.load(Ordering::SeqCst), 3);
}
