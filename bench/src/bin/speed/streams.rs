use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fullduplex_bench::client::Offer;
use fullduplex_bench::http2::{self, MAX_PAYLOAD, MAX_WINDOW, Received};

use crate::generator::{BUFFER, Load, PATIENCE};
use crate::replies::{Check, Replies};
use crate::script::Script;
use crate::traffic::Traffic;
use crate::workload::Workload;

/// Sends the bursts of a workload in the streams of one HTTP/2 connection, each of which is a WebSocket.
pub(crate) struct Streams {
    workload: Workload,
    connection: http2::Connection,
    /// The first one has the number 1, and the others the next odd numbers.
    streams: Vec<Stream>,
    /// How many bytes the server takes on the connection.
    window: u32,
    unread: Unread,
    buffer: Vec<u8>,
    /// How many bytes at the beginning of `buffer` are part of an incomplete frame.
    kept: usize,
}

/// A stream of the load generator.
struct Stream {
    script: Script,
    /// The number of bytes of the burst that were sent.
    sent: usize,
    /// How many bytes the server takes.
    window: u32,
    since: Instant,
    replies: Replies,
    unread: Unread,
}

/// The received bytes whose window is not opened again.
#[derive(Default)]
struct Unread(u32);

impl Streams {
    /// Connects, and opens the streams.
    pub(crate) fn open(address: SocketAddr, workload: &Workload, is_raw: bool) -> io::Result<Self> {
        let mut connection = http2::Connection::open(address)?;
        let stream = |number| Stream {
            script: Script::new(workload, number, is_raw),
            sent: 0,
            window: connection.initial_window,
            since: Instant::now(),
            replies: Replies::new(Offer::Nothing),
            unread: Unread::default(),
        };
        let streams: Vec<Stream> = (0..workload.connections).map(stream).collect();
        for number in 0..streams.len() {
            connection.connect(id(number), &address.to_string());
        }
        let mut this = Self {
            workload: *workload,
            connection,
            streams,
            window: http2::FIRST_WINDOW,
            unread: Unread::default(),
            buffer: vec![0; BUFFER],
            kept: 0,
        };
        let mut open = 0;
        while open < this.streams.len() {
            this.receive(|_, received| {
                open += usize::from(matches!(received, Received::Accepted(_)));
                Ok(())
            })?;
        }
        Ok(this)
    }

    /// Waits until something is received, and passes each frame to `on_frame`. Returns the time that it waited.
    ///
    /// Polls without sleeping, as the generator for HTTP/1.1 does.
    fn receive(
        &mut self,
        mut on_frame: impl FnMut(&mut Self, Received<'_>) -> io::Result<()>,
    ) -> io::Result<Duration> {
        let mut waited = Duration::ZERO;
        self.connection.flush()?;
        let start = Instant::now();
        let count = loop {
            match self.connection.read(&mut self.buffer[self.kept..])? {
                0 => waited = start.elapsed(),
                count => break count,
            }
            if waited > PATIENCE {
                return Err(io::Error::other("the server does not answer"));
            }
            self.connection.flush()?;
        };
        // The buffer leaves its place, so that the frames can borrow it.
        let mut buffer = std::mem::take(&mut self.buffer);
        let end = self.kept + count;
        let mut bytes = &buffer[..end];
        while let Some(received) = self.connection.take(&mut bytes)? {
            if let Received::Window(0, room) = received {
                self.window += room;
            }
            on_frame(self, received)?;
        }
        self.kept = bytes.len();
        buffer.copy_within(end - self.kept..end, 0);
        self.buffer = buffer;
        Ok(waited)
    }

    fn start(&mut self, number: usize, now: Instant) {
        self.streams[number].since = now;
        self.streams[number].sent = 0;
        self.send(number);
    }

    /// Sends the rest of a burst, as far as the windows allow.
    fn send(&mut self, number: usize) {
        let stream = &mut self.streams[number];
        let frames = &stream.script.bursts[0].frames;
        while stream.sent < frames.len() {
            let room = self.window.min(stream.window) as usize;
            let count = (frames.len() - stream.sent).min(room).min(MAX_PAYLOAD);
            if count == 0 {
                return;
            }
            self.connection.send(id(number), &frames[stream.sent..stream.sent + count]);
            stream.sent += count;
            stream.window -= count as u32;
            self.window -= count as u32;
        }
    }

    /// Handles a frame. Returns the stream whose burst is complete with it.
    fn handle(&mut self, received: &Received<'_>, check: Check) -> io::Result<Option<usize>> {
        match *received {
            Received::Data(id, bytes) => {
                let number = number(id);
                let stream = &mut self.streams[number];
                let is_complete =
                    stream.replies.take(bytes, &stream.script.bursts[0].replies, check)?;
                let len = bytes.len() as u32;
                for (id, unread) in [(id, &mut stream.unread), (0, &mut self.unread)] {
                    if let Some(count) = unread.take(len) {
                        self.connection.release(id, count);
                    }
                }
                return Ok(is_complete.then_some(number));
            }
            Received::Window(0, _) => (0..self.streams.len()).for_each(|number| self.send(number)),
            Received::Window(id, room) => {
                self.streams[number(id)].window += room;
                self.send(number(id));
            }
            Received::Accepted(_) | Received::Other => {}
        }
        Ok(None)
    }

    fn received(&self) -> u64 {
        self.streams.iter().map(|stream| stream.replies.bytes).sum()
    }
}

impl Load for Streams {
    fn run(&mut self, time: Duration, check: Check) -> io::Result<Traffic> {
        let start = Instant::now();
        let received = self.received();
        let mut traffic = Traffic::default();
        let mut active = self.streams.len();
        (0..active).for_each(|number| self.start(number, start));
        while active > 0 {
            let mut round_trips = Vec::new();
            traffic.waited += self.receive(|this, frame| {
                let Some(number) = this.handle(&frame, check)? else { return Ok(()) };
                let now = Instant::now();
                round_trips.push(now - this.streams[number].since);
                if now - start < time {
                    this.start(number, now);
                } else {
                    active -= 1;
                }
                Ok(())
            })?;
            traffic.messages += (round_trips.len() * self.workload.burst) as u64;
            traffic.round_trips.append(&mut round_trips);
        }
        traffic.bytes = self.received() - received;
        Ok(traffic)
    }
}

impl Unread {
    /// Counts received bytes. Returns how many to release, which is rare.
    fn take(&mut self, count: u32) -> Option<u32> {
        self.0 += count;
        (self.0 > MAX_WINDOW / 2).then(|| std::mem::take(&mut self.0))
    }
}

fn id(number: usize) -> u32 {
    number as u32 * 2 + 1
}

fn number(id: u32) -> usize {
    id as usize / 2
}
