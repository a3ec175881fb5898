//! A `Group` and wakers that call back into it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fullduplex_net::proto::Role;
use fullduplex_net::{Group, OverflowPolicy, Socket, UpgradedOptions};
use tokio::io::duplex;

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

// FS-13
#[tokio::test]
async fn a_waker_may_use_the_group() {
    let (_client, server) = duplex(1 << 12);
    let mut socket = Socket::from_upgraded(server, Role::Server, UpgradedOptions::default());
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
