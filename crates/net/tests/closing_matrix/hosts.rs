//! Hosts: code that uses a socket, starts to close it, and reads slowly, wrongly or not at all.

use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use fullduplex_net::Socket;
use fullduplex_net::proto::Misuse;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

/// A way to close a connection.
#[derive(Clone, Copy)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    /// Closes the connection, and keeps the socket.
    pub(crate) run: fn(Socket) -> Run,
}

pub(crate) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How long a slow host pauses after each step.
const PAUSE: Duration = Duration::from_millis(20);
/// The number of bytes that a host queues. The system's buffers hold fewer, so that a peer that reads nothing
/// blocks our Close.
const BACKLOG: usize = 8 << 20;

macro_rules! hosts {
    ($($name:literal: $run:path,)*) => {
        [$(Host { name: $name, run: |socket| Box::pin(async move { $run(socket).await; }) }),*]
    };
}

pub(crate) const HOSTS: [Host; 30] = hosts! {
    // One task uses the socket, and nothing else polls it.
    "receives": receives,
    "receives slowly": receives_slowly,
    "receives parts slowly": receives_parts_slowly,
    "polls for events slowly": polls_for_events_slowly,
    "is a slow stream": is_a_slow_stream,
    "closes": closes,
    "waits for the end": waits_for_the_end,
    "only writes": only_writes,
    "only flushes": only_flushes,
    "closes the sink, receives slowly": closes_the_sink,
    "closes by a sender, receives slowly": closes_by_a_sender,
    "splits, receives slowly": splits,
    "splits, closes the sink in another task": splits_in_two_tasks,
    "reads bytes slowly": reads_bytes_slowly,
    "only shuts bytes down": only_shuts_bytes_down,
    "closes within a batch, receives slowly": closes_within_a_batch,
    "closes by a sender within a batch": closes_by_a_sender_within_a_batch,
    "closes by a sender within a batch, receives parts": receives_parts_within_a_batch,
    "splits, closes within a batch": splits_within_a_batch,
    "closes behind a backlog, receives slowly": backlog_receives_slowly,
    "closes behind a backlog, only flushes": backlog_only_flushes,
    "closes the sink behind a backlog": backlog_closes_the_sink,
    "sends while a sender closes": sends_while_a_sender_closes,
    "writes bytes while a sender closes": writes_bytes_while_a_sender_closes,
    // The task of a handler drives the socket.
    "handler waits for something else": handler_waits,
    "handler receives once": handler_receives_once,
    "handler receives slowly": handler_receives_slowly,
    "handler returns": handler_returns,
    "handler gives the socket to a task that never looks": handler_gives_away,
    "handler closes by a sender behind a backlog": handler_closes_by_a_sender,
};

async fn receives(mut socket: Socket) -> Socket {
    socket.start_close(None);
    while let Ok(Some(_)) = socket.recv().await {}
    hold(socket).await
}

async fn receives_slowly(mut socket: Socket) -> Socket {
    socket.start_close(None);
    receive_slowly(socket).await
}

async fn receives_parts_slowly(mut socket: Socket) -> Socket {
    socket.start_close(None);
    receive_parts_slowly(socket).await
}

async fn polls_for_events_slowly(mut socket: Socket) -> Socket {
    socket.start_close(None);
    while poll_fn(|cx| socket.poll_event(cx)).await.is_some() {
        sleep(PAUSE).await;
    }
    hold(socket).await
}

async fn is_a_slow_stream(mut socket: Socket) -> Socket {
    socket.start_close(None);
    while let Some(Ok(_)) = socket.next().await {
        sleep(PAUSE).await;
    }
    hold(socket).await
}

async fn closes(mut socket: Socket) -> Socket {
    socket.close(None).await.ok();
    hold(socket).await
}

async fn waits_for_the_end(mut socket: Socket) -> Socket {
    socket.start_close(None);
    socket.closed().await;
    hold(socket).await
}

async fn only_writes(mut socket: Socket) -> Socket {
    socket.start_close(None);
    while socket.close_result().is_none() {
        poll_fn(|cx| socket.poll_without_reading(cx)).await.ok();
        sleep(PAUSE).await;
    }
    hold(socket).await
}

async fn only_flushes(mut socket: Socket) -> Socket {
    socket.start_close(None);
    flush_until_closed(socket).await
}

async fn closes_the_sink(mut socket: Socket) -> Socket {
    SinkExt::close(&mut socket).await.ok();
    receive_slowly(socket).await
}

async fn closes_by_a_sender(mut socket: Socket) -> Socket {
    socket.sender().close(None);
    receive_slowly(socket).await
}

async fn splits(socket: Socket) {
    let (mut sink, mut stream) = socket.split();
    sink.start_close(None);
    while let Some(Ok(_)) = stream.next().await {
        sleep(PAUSE).await;
    }
    hold((sink, stream)).await;
}

async fn splits_in_two_tasks(socket: Socket) {
    let (mut sink, mut stream) = socket.split();
    tokio::join!(sink.close(), async {
        while let Some(Ok(_)) = stream.next().await {
            sleep(PAUSE).await;
        }
    })
    .0
    .ok();
    hold((sink, stream)).await;
}

async fn reads_bytes_slowly(socket: Socket) {
    let mut stream = socket.into_byte_stream();
    stream.shutdown().await.ok();
    // Reading returns an error, because the peer sends texts.
    loop {
        stream.read_u8().await.ok();
        sleep(PAUSE).await;
    }
}

async fn only_shuts_bytes_down(socket: Socket) {
    let mut stream = socket.into_byte_stream();
    loop {
        stream.shutdown().await.ok();
        sleep(PAUSE).await;
    }
}

async fn closes_within_a_batch(mut socket: Socket) -> Socket {
    receive_once(&mut socket).await;
    socket.start_close(None);
    receive_slowly(socket).await
}

async fn closes_by_a_sender_within_a_batch(mut socket: Socket) -> Socket {
    receive_once(&mut socket).await;
    socket.sender().close(None);
    receive_slowly(socket).await
}

async fn receives_parts_within_a_batch(mut socket: Socket) -> Socket {
    receive_once(&mut socket).await;
    socket.sender().close(None);
    receive_parts_slowly(socket).await
}

async fn splits_within_a_batch(mut socket: Socket) {
    receive_once(&mut socket).await;
    splits(socket).await;
}

async fn backlog_receives_slowly(mut socket: Socket) -> Socket {
    queue_backlog(&mut socket).unwrap();
    socket.start_close(None);
    receive_slowly(socket).await
}

async fn backlog_only_flushes(mut socket: Socket) -> Socket {
    queue_backlog(&mut socket).unwrap();
    socket.start_close(None);
    flush_until_closed(socket).await
}

async fn backlog_closes_the_sink(mut socket: Socket) -> Socket {
    queue_backlog(&mut socket).unwrap();
    SinkExt::close(&mut socket).await.ok();
    receive_slowly(socket).await
}

async fn sends_while_a_sender_closes(mut socket: Socket) -> Socket {
    let sender = socket.sender();
    let sending = async { while socket.send(vec![0; BACKLOG]).await.is_ok() {} };
    tokio::join!(sending, async { sender.close(None) });
    flush_until_closed(socket).await
}

async fn writes_bytes_while_a_sender_closes(mut socket: Socket) {
    let sender = socket.sender();
    let mut stream = socket.into_byte_stream();
    let block = [0; 64 << 10];
    let writing = async { while stream.write_all(&block).await.is_ok() {} };
    tokio::join!(writing, async { sender.close(None) });
    loop {
        stream.flush().await.ok();
        sleep(PAUSE).await;
    }
}

async fn handler_waits(socket: Socket) {
    let handler = async |mut socket: Socket| {
        socket.start_close(None);
        hold(socket).await;
    };
    socket.drive(handler).await.ok();
}

async fn handler_receives_once(socket: Socket) {
    let handler = async |mut socket: Socket| {
        socket.start_close(None);
        socket.recv().await.ok();
        hold(socket).await;
    };
    socket.drive(handler).await.ok();
}

async fn handler_receives_slowly(socket: Socket) {
    let handler = async |mut socket: Socket| {
        socket.start_close(None);
        receive_slowly(socket).await;
    };
    socket.drive(handler).await.ok();
}

async fn handler_returns(socket: Socket) {
    socket.drive(async |_| ()).await.ok();
    hold(()).await;
}

async fn handler_gives_away(socket: Socket) {
    let handler = async |mut socket: Socket| {
        socket.start_close(None);
        tokio::spawn(async move {
            sleep(crate::HANG).await;
            drop(socket);
        });
        pending::<()>().await;
    };
    socket.drive(handler).await.ok();
}

async fn handler_closes_by_a_sender(socket: Socket) {
    let handler = async |mut socket: Socket| {
        queue_backlog(&mut socket).unwrap();
        let sender = socket.sender();
        tokio::spawn(async move { sender.close(None) });
        hold(socket).await;
    };
    socket.drive(handler).await.ok();
}

fn queue_backlog(socket: &mut Socket) -> Result<(), Misuse> {
    socket.queue(vec![0; BACKLOG])
}

/// Receives a message and the messages that arrived with it, if the peer sends any.
async fn receive_once(socket: &mut Socket) {
    timeout(PAUSE, socket.recv()).await.ok();
}

async fn receive_slowly(mut socket: Socket) -> Socket {
    while let Ok(Some(_)) = socket.recv().await {
        sleep(PAUSE).await;
    }
    hold(socket).await
}

async fn receive_parts_slowly(mut socket: Socket) -> Socket {
    while let Ok(Some(_)) = socket.recv_part().await {
        sleep(PAUSE).await;
    }
    hold(socket).await
}

async fn flush_until_closed(mut socket: Socket) -> Socket {
    while socket.close_result().is_none() {
        poll_fn(|cx| socket.poll_flush(cx)).await.ok();
        sleep(PAUSE).await;
    }
    hold(socket).await
}

/// Keeps a value whose drop would end the connection.
async fn hold<T>(held: T) -> T {
    pending::<()>().await;
    held
}
