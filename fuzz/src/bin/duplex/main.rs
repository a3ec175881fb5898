//! A client and a server over a transport that a script controls and may break, compared with a simple
//! model: messages arrive unaltered and in order, and all of them if the connection was closed cleanly.
#![no_main]

mod content;
mod end;
mod frames;
mod pipe;

use std::time::{Duration, Instant};

use content::{Content, Sending};
use end::End;
use fullduplex_fuzz::Agreement;
use fullduplex_proto::{CloseCode, CloseFrame, CloseReason, Role};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    agreement: Option<Agreement>,
    script: Vec<(By, Operation)>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum By {
    Client,
    Server,
}

#[derive(Debug, Arbitrary)]
enum Operation {
    Send(Sending, Content),
    SendPart {
        content: Content,
        last: bool,
    },
    Ping(u8),
    Close {
        code: Option<u16>,
        reason: u8,
    },
    /// The transport takes up to this many bytes from the end.
    Write(u16),
    /// Up to this many bytes arrive at the end.
    Read(u16),
    DeliverInParts(bool),
    /// This many seconds pass, for both ends.
    Wait(u8),
    /// The transport breaks for both ends. Bytes in flight may be lost.
    Cut {
        lossy: bool,
    },
}

fuzz_target!(|input: Input| {
    let mut pair = Pair::new(input.agreement);
    for (by, operation) in input.script {
        pair.operate(by, operation);
    }
    pair.settle();
    let [client, server] = &pair.ends;
    client.check_end(server, pair.is_undisturbed);
    server.check_end(client, pair.is_undisturbed);
});

struct Pair {
    ends: [End; 2],
    now: Instant,
    /// Whether nothing has happened that may prevent a clean close.
    is_undisturbed: bool,
}

impl Pair {
    fn new(agreement: Option<Agreement>) -> Self {
        let ends = [Role::Client, Role::Server].map(|role| End::new(role, agreement));
        Self { ends, now: Instant::now(), is_undisturbed: true }
    }

    fn operate(&mut self, by: By, operation: Operation) {
        let [client, server] = &mut self.ends;
        let (end, peer) = match by {
            By::Client => (client, server),
            By::Server => (server, client),
        };
        if end.has_ended() {
            return;
        }
        match operation {
            Operation::Send(sending, content) => end.send(sending, content),
            Operation::SendPart { content, last } => end.send_part(content, last),
            Operation::Ping(len) => end.ping(len.into()),
            Operation::Close { code, reason } => end.close(close_frame(code, reason)),
            Operation::Write(count) => _ = end.write(count.into()),
            Operation::Read(count) => _ = end.read(peer, count.into()),
            Operation::DeliverInParts(in_parts) => end.deliver_in_parts(in_parts),
            Operation::Wait(seconds) => {
                self.is_undisturbed &= self.ends.iter().all(End::is_open);
                self.wait(seconds.into());
            }
            Operation::Cut { lossy } => {
                self.is_undisturbed = false;
                self.ends.iter_mut().for_each(|end| end.cut(lossy));
            }
        }
        self.ends.iter().for_each(End::check);
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        for end in self.ends.iter_mut().filter(|end| !end.has_ended()) {
            end.wait(self.now);
        }
    }

    /// Exchanges all data, then closes the open ends, then advances the clock. Returns when both ends have
    /// ended.
    fn settle(&mut self) {
        let mut stalls = 0;
        while self.ends.iter().any(|end| !end.has_ended()) {
            if self.exchange() {
                continue;
            }
            stalls += 1;
            assert!(stalls < 8, "an end does not end");
            if stalls == 1 {
                let open = self.ends.iter_mut().filter(|end| end.is_open());
                open.for_each(|end| end.close(None));
            } else {
                self.wait(60);
            }
        }
    }

    fn exchange(&mut self) -> bool {
        let [client, server] = &mut self.ends;
        client.write_and_read(server) | server.write_and_read(client)
    }
}

fn close_frame(code: Option<u16>, reason: u8) -> Option<CloseFrame> {
    let code = CloseCode::new(code?).unwrap_or(CloseCode::NORMAL);
    let len = usize::from(reason) % (CloseReason::MAX_BYTES + 1);
    Some(CloseFrame { code, reason: CloseReason::new("r".repeat(len)).expect("a short reason") })
}
