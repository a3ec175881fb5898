//! A client and a server that sends unusual or invalid frames.

use std::io;

use fullduplex_lab::script::guarded;
use fullduplex_net::{ConnectError, ConnectOptions, Socket, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::client::memory;
use super::floods::frame;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const INITIAL_WINDOW_SIZE: u8 = 4;
const ENABLE_CONNECT_PROTOCOL: u8 = 8;

/// `:status: 200` in HPACK.
const OK: u8 = 0x88;

const URL: &str = "ws://server.example/";

/// A server that writes its frames itself.
struct Raw(DuplexStream);

impl Raw {
    /// Reads the preface of the client and sends settings.
    async fn accept(mut stream: DuplexStream, settings: &[(u8, u8)]) -> Self {
        stream.read_exact(&mut [0; 24]).await.unwrap();
        let mut raw = Self(stream);
        raw.settings(settings).await;
        raw
    }

    async fn settings(&mut self, settings: &[(u8, u8)]) {
        let settings = settings.iter().flat_map(|&(id, value)| [0, id, 0, 0, 0, value]);
        self.send(SETTINGS, 0, 0, &settings.collect::<Vec<_>>()).await;
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
    }

    /// Reads the next frame, and acknowledges it if it has to be. Returns its kind, its stream and its payload.
    async fn read(&mut self) -> io::Result<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).await?;
        if matches!(kind, SETTINGS | PING) && flags & ACK == 0 {
            self.send(kind, ACK, 0, if kind == PING { &payload } else { &[] }).await;
        }
        Ok((kind, u32::from_be_bytes(id), payload))
    }

    /// Reads frames until one of this kind. Returns its stream and its payload.
    async fn expect(&mut self, wanted: u8) -> (u32, Vec<u8>) {
        loop {
            let (kind, stream, payload) = guarded("a frame", self.read()).await.unwrap();
            if kind == wanted {
                return (stream, payload);
            }
        }
    }

    /// Reads frames until the client ends the connection.
    async fn drain(mut self) {
        while self.read().await.is_ok() {}
    }
}

/// Connects to a server that responds with these frames: kind, flags and payload.
async fn connect_to(response: Vec<(u8, u8, Vec<u8>)>) -> Result<Socket, ConnectError> {
    let (options, mut streams) = memory();
    tokio::spawn(async move {
        let stream = streams.recv().await.unwrap();
        let mut raw = Raw::accept(stream, &[(ENABLE_CONNECT_PROTOCOL, 1)]).await;
        let (id, _) = raw.expect(HEADERS).await;
        for (kind, flags, payload) in response {
            raw.send(kind, flags, id, &payload).await;
        }
        raw.drain().await;
    });
    let options: ConnectOptions = options;
    guarded("the connection", connect(URL, &options)).await.map(|(socket, _)| socket)
}

/// RFC 9113 sections 6.1 and 8.1: interim responses and padding are skipped. Trailers end a stream as END_STREAM does.
#[tokio::test]
async fn interim_responses_padding_and_trailers_are_valid() {
    let early_hints = vec![0x08, 3, b'1', b'0', b'3'];
    let padded = [&[5], &b"\x81\x02hi"[..], &[0; 5]].concat();
    let trailers = vec![0, 1, b'x', 1, b'y'];
    let response = vec![
        (HEADERS, END_HEADERS, early_hints),
        (HEADERS, END_HEADERS, vec![OK]),
        (DATA, PADDED, padded),
        (HEADERS, END_HEADERS | END_STREAM, trailers),
    ];
    let mut socket = connect_to(response).await.unwrap();
    assert_eq!(guarded("a message", socket.recv()).await.unwrap(), Some("hi".into()));
    guarded("the end", socket.recv()).await.unwrap_err();
    assert_eq!(socket.close_result().unwrap().code(), 1006);
}

/// RFC 9113 section 5.1: DATA after END_STREAM is an error. The socket ends with what came before.
#[tokio::test]
async fn data_after_the_end_of_a_stream_is_not_received() {
    let message = b"\x81\x02hi".to_vec();
    let response = vec![
        (HEADERS, END_HEADERS, vec![OK]),
        (DATA, END_STREAM, message.clone()),
        (DATA, 0, message),
    ];
    let mut socket = connect_to(response).await.unwrap();
    let mut received = 0;
    while let Ok(Some(_)) = guarded("the end", socket.recv()).await {
        received += 1;
    }
    assert!(received <= 1, "{received} messages");
    assert_eq!(socket.close_result().unwrap().code(), 1006);
}

/// RFC 9113 sections 8.3 and 10.5.1: a malformed response, and one whose headers exceed the limit, open no socket.
#[tokio::test]
async fn invalid_headers_open_no_socket() {
    let twice = vec![(HEADERS, END_HEADERS, vec![OK, OK])];
    let without_status = vec![(HEADERS, END_HEADERS, vec![0, 1, b'x', 1, b'y'])];
    // Ten headers of 10,000 bytes. The length has a prefix of 7 bits, and 10,000 is 127 + 17 + 77 * 128.
    let header = [&[0, 1, b'x', 127, 17 | 128, 77][..], &[b'y'; 10_000]].concat();
    let mut large = vec![(HEADERS, 0, vec![OK])];
    large.extend(
        (0..10).map(|number| {
            (CONTINUATION, if number == 9 { END_HEADERS } else { 0 }, header.clone())
        }),
    );
    for response in [twice, without_status, large] {
        let error = connect_to(response).await.unwrap_err();
        assert!(matches!(error, ConnectError::Http2 { .. }), "{error:?}");
    }
}

/// RFC 9113 section 6.9.2: a stream without a window sends when a change of the settings opens it.
#[tokio::test]
async fn a_window_that_opens_later_is_used() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let closed = [(ENABLE_CONNECT_PROTOCOL, 1), (INITIAL_WINDOW_SIZE, 0)];
        let mut raw = Raw::accept(streams.recv().await.unwrap(), &closed).await;
        let (id, _) = raw.expect(HEADERS).await;
        raw.send(HEADERS, END_HEADERS, id, &[OK]).await;
        raw.send(PING, 0, 0, b"is empty").await;
        while raw.expect(PING).await.1 != b"is empty" {}
        raw.settings(&[(INITIAL_WINDOW_SIZE, 8)]).await;
        let (_, first) = raw.expect(DATA).await;
        raw.settings(&[(INITIAL_WINDOW_SIZE, 100)]).await;
        let (_, second) = raw.expect(DATA).await;
        (first.len(), second.len())
    });
    let (mut socket, _) = connect(URL, &options).await.unwrap();
    guarded("the window", socket.send("hello")).await.unwrap();
    assert_eq!(guarded("the server", serving).await.unwrap(), (8, 3));
}

/// RFC 9113 section 6.8: streams above the last one in GOAWAY were not processed, so the request is repeated in another
/// connection.
#[tokio::test]
async fn a_request_above_the_last_stream_of_goaway_is_repeated() {
    let (options, mut streams) = memory();
    let settings = [(ENABLE_CONNECT_PROTOCOL, 1)];
    let serving = tokio::spawn(async move {
        let mut first = Raw::accept(streams.recv().await.unwrap(), &settings).await;
        first.expect(HEADERS).await;
        first.send(GOAWAY, 0, 0, &[0; 8]).await;
        let mut second = Raw::accept(streams.recv().await.unwrap(), &settings).await;
        let (id, _) = second.expect(HEADERS).await;
        second.send(HEADERS, END_HEADERS, id, &[OK]).await;
        second.send(DATA, 0, id, b"\x81\x02hi").await;
        guarded("the end of the first connection", first.drain()).await;
        second
    });
    let (mut socket, _) = guarded("the connection", connect(URL, &options)).await.unwrap();
    assert_eq!(guarded("a message", socket.recv()).await.unwrap(), Some("hi".into()));
    guarded("the server", serving).await.unwrap();
}
