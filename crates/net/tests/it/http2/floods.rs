//! Clients that send frames of HTTP/2 which cost the server more than themselves. The frames are bytes.

use std::time::Duration;

use fullduplex_lab::script::guarded;
use fullduplex_lab::served::Served;
use fullduplex_net::{HandlerResult, Http2Options, Request, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::raw::{Client, serve};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET / HTTP/2` for the host `a`, in HPACK.
const REQUEST: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];

/// The error code ENHANCE_YOUR_CALM.
const CALM: [u8; 4] = 11u32.to_be_bytes();

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

async fn server() -> Served {
    let answer = |request: Request| async {
        request.accept().await?;
        HandlerResult::Ok(())
    };
    serve(ServerOptions::default(), Http2Options::default(), answer).await
}

/// Connects, and sends the preface and settings.
async fn connect(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Reads frames until GOAWAY, and returns its error code.
async fn read_goaway(stream: &mut TcpStream) -> [u8; 4] {
    let reading = async {
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == GOAWAY {
                return payload[4..8].try_into().unwrap();
            }
        }
    };
    guarded("GOAWAY", reading).await
}

/// CVE-2023-44487, "rapid reset": requests that are reset at once.
#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let served = server().await;
    let mut stream = connect(&served).await;
    let mut flood = Vec::new();
    for number in 0..1000 {
        let id = 2 * number + 1;
        flood.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, REQUEST));
        flood.extend(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
    }
    stream.write_all(&flood).await.unwrap();
    assert_eq!(read_goaway(&mut stream).await, CALM);
    Client::connect(&served).await.open().await;
}

/// CVE-2024-27316: headers that do not end.
#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let served = server().await;
    let mut stream = connect(&served).await;
    stream.write_all(&frame(HEADERS, END_STREAM, 1, REQUEST)).await.unwrap();
    // A header without indexing, `x: y`.
    let part = frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y']);
    let flood = part.repeat(100_000);
    // The server may end the connection while the client is still sending.
    stream.write_all(&flood).await.ok();
    let mut rest = Vec::new();
    guarded("the end", stream.read_to_end(&mut rest)).await.ok();
    Client::connect(&served).await.open().await;
}

/// A client that reads no answers to its frames is not read any more.
#[tokio::test]
async fn a_flood_of_settings_or_pings_is_not_read_without_end() {
    for part in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[0; 8])] {
        const LIMIT: usize = 64 << 20;
        let served = server().await;
        let mut stream = connect(&served).await;
        let flood = part.repeat(10_000);
        let mut sent = 0;
        // Until the server reads no more, or has ended the connection.
        while let Ok(Ok(count)) = timeout(Duration::from_secs(2), stream.write(&flood)).await {
            sent += count;
            assert!(sent < LIMIT, "the server has read {sent} bytes");
        }
        Client::connect(&served).await.open().await;
    }
}
