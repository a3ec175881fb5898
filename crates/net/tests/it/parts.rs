//! Messages in parts, and prepared messages, over TCP.

use fullduplex_net::proto::{
    ContextParams, ContextTakeover, DeflateConfig, Message, Outgoing, Part, Prepared, Url,
};
use fullduplex_net::{AcceptOptions, ConnectOptions, Socket, accept, connect};
use tokio::net::{TcpListener, TcpStream};

/// Returns the client and the server of a connection over TCP, with or without compression.
async fn connected(deflate: Option<DeflateConfig>) -> (Socket, Socket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let (mut client, mut server) = (ConnectOptions::default(), AcceptOptions::default());
    (client.deflate, server.deflate) = (deflate, deflate);
    (client.limits.message_bytes, server.limits.message_bytes) = (usize::MAX, usize::MAX);
    let accepting = async { accept(listener.accept().await.unwrap().0, &server).await.unwrap() };
    let (client, server) =
        tokio::join!(async { connect(&url, &client).await.unwrap().0 }, accepting);
    assert_eq!(client.extensions(), server.extensions());
    (client, server)
}

const PARTS: usize = 500;
const PART_LEN: usize = 64 << 10;

/// Returns a byte of a message in which all parts differ.
fn byte_at(position: usize) -> u8 {
    ((position / PART_LEN) >> (position % 2 * 8)) as u8
}

fn part(index: usize) -> Part {
    let content: Vec<u8> = (index * PART_LEN..(index + 1) * PART_LEN).map(byte_at).collect();
    Part { content: content.into(), last: index + 1 == PARTS }
}

/// A message of 31 MiB arrives in parts of at most 128 KiB.
#[tokio::test]
async fn a_message_is_sent_and_received_in_parts() {
    for deflate in [None, Some(DeflateConfig::default())] {
        let (mut client, mut server) = connected(deflate).await;
        let sending = async {
            for index in 0..PARTS {
                client.send_part(&part(index)).await.unwrap();
            }
            client.send("the end").await.unwrap();
        };
        let receiving = async {
            let mut received = 0;
            loop {
                let Part { content, last } = server.recv_part().await.unwrap().unwrap();
                for &byte in content.payload() {
                    assert_eq!(byte, byte_at(received), "at {received}");
                    received += 1;
                }
                assert!(content.len() <= 128 << 10, "{}", content.len());
                if last {
                    break;
                }
            }
            assert_eq!(received, PARTS * PART_LEN);
            assert_eq!(server.recv().await.unwrap(), Some("the end".into()));
        };
        tokio::join!(sending, receiving);
    }
}

/// `recv` returns the rest of a message that `recv_part` has started.
#[tokio::test]
async fn recv_completes_what_recv_part_started() {
    let (mut client, mut server) = connected(None).await;
    let part = |text: &str, last| Part { content: text.into(), last };
    client.send_part(&part("one, ", false)).await.unwrap();
    assert_eq!(server.recv_part().await.unwrap(), Some(part("one, ", false)));
    client.send_part(&part("two, ", false)).await.unwrap();
    client.send_part(&part("three", true)).await.unwrap();
    assert_eq!(server.recv().await.unwrap(), Some("two, three".into()));
    client.send("whole").await.unwrap();
    assert_eq!(server.recv_part().await.unwrap(), Some(part("whole", true)));
}

/// One prepared message is sent on connections with different compression, between other messages.
#[tokio::test]
async fn a_prepared_message_works_on_every_connection() {
    let text = "to whom it may concern, ".repeat(1000);
    let prepared = Prepared::new(text.as_str());
    let no_takeover = ContextParams { takeover: ContextTakeover::No, ..ContextParams::default() };
    let mut alone = DeflateConfig::default();
    alone.server = no_takeover;
    for deflate in [None, Some(DeflateConfig::default()), Some(alone)] {
        for _ in 0..3 {
            let (mut client, mut server) = connected(deflate).await;
            let expected: Message = text.as_str().into();
            for outgoing in [
                Outgoing::from(text.as_str()),
                (&prepared).into(),
                text.as_str().into(),
                Outgoing::uncompressed(text.as_str()),
                (&prepared).into(),
            ] {
                server.send(outgoing).await.unwrap();
                assert_eq!(client.recv().await.unwrap().as_ref(), Some(&expected));
            }
            // A client masks the message with its own keys.
            client.send(&prepared).await.unwrap();
            assert_eq!(server.recv().await.unwrap(), Some(expected));
        }
    }
}
