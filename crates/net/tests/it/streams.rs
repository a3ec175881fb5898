//! `ByteStream` and `MessageStream`.

use std::io::ErrorKind;

use fullduplex_lab::script::{BINARY, FIN, Peer, TEXT, frame, guarded, script};
use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{
    AcceptOptions, ConnectOptions, SendError, Socket, accept, connect, connect_over,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex,
};

/// Returns both ends of a connection in memory.
async fn pair() -> (Socket<DuplexStream>, Socket<DuplexStream>) {
    let (ours, theirs) = duplex(1 << 14);
    let url = Url::parse("ws://memory.test/").unwrap();
    let options = ConnectOptions::default();
    let accepting = AcceptOptions::default();
    let (client, server) =
        tokio::join!(connect_over(ours, &url, &options), accept(theirs, &accepting));
    (client.unwrap().0, server.unwrap())
}

/// Returns pseudo-random bytes.
fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(len)
    .collect()
}

/// Tunnels bytes through a WebSocket in both directions at once, in pieces of many sizes.
#[tokio::test]
async fn bytes_pass_both_ways_in_pieces_of_all_sizes() {
    let (client, server) = pair().await;
    let (mut application, inner) = duplex(1 << 12);
    let (outer, mut service) = duplex(1 << 12);
    let tunnel = |mut end: DuplexStream, socket: Socket<DuplexStream>| async move {
        copy_bidirectional(&mut end, &mut socket.into_byte_stream()).await
    };
    let tunnels = [tokio::spawn(tunnel(inner, client)), tokio::spawn(tunnel(outer, server))];
    let (up, down) = (content(8 << 20, 1), content(8 << 20, 2));
    let expected = up.clone();
    let serving = tokio::spawn(async move {
        let mut received = vec![0; expected.len()];
        let (mut read, mut write) = tokio::io::split(&mut service);
        let writing = async {
            for piece in content(8 << 20, 2).chunks(70_001) {
                write.write_all(piece).await.unwrap();
            }
        };
        let reading = async { read.read_exact(&mut received).await.unwrap() };
        tokio::join!(writing, reading);
        assert!(received == expected);
        service
    });
    let (mut read, mut write) = tokio::io::split(&mut application);
    let writing = async {
        let (mut rest, mut size) = (&up[..], 1);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(size.min(rest.len()));
            write.write_all(piece).await.unwrap();
            rest = behind;
            size = size * 7 % 30_011;
        }
    };
    let mut received = vec![0; down.len()];
    let reading = async { read.read_exact(&mut received).await.unwrap() };
    guarded("the bytes", async { tokio::join!(writing, reading) }).await;
    assert!(received == down);
    let service = guarded("the service", serving).await.unwrap();
    // The tunnel ends when its streams are dropped.
    drop((application, service));
    for tunnel in tunnels {
        guarded("the end of the tunnel", tunnel).await.unwrap().ok();
    }
}

#[tokio::test]
async fn bytes_sent_before_the_end_are_read() {
    let (client, server) = pair().await;
    let (mut client, mut server) = (client.into_byte_stream(), server.into_byte_stream());
    client.write_all(b"one line\nand ").await.unwrap();
    client.write_all(b"the rest").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut line = String::new();
    server.read_line(&mut line).await.unwrap();
    assert_eq!(line, "one line\n");
    let mut rest = String::new();
    let reading = server.read_to_string(&mut rest);
    let mut nothing = Vec::new();
    let (read, ended) = tokio::join!(reading, client.read_to_end(&mut nothing));
    assert_eq!((read.unwrap(), ended.unwrap()), (12, 0));
    assert_eq!(rest, "and the rest");
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "further reads return the end too");
    assert!(server.into_inner().unwrap().close_result().unwrap().was_clean());
}

#[tokio::test]
async fn text_and_an_end_without_a_close_are_errors() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send([frame(FIN | BINARY, "bytes"), frame(FIN | TEXT, "text")].concat()).await;
        peer.fin().await;
    })
    .await;
    let url = Url::parse(&server.url()).unwrap();
    let (socket, _) = connect(&url, &ConnectOptions::default()).await.unwrap();
    let mut stream = socket.into_byte_stream();
    let mut bytes = [0; 5];
    guarded("the bytes", stream.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"bytes");
    let error = guarded("the text", stream.read(&mut bytes)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    let error = guarded("the end", stream.read(&mut bytes)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    server.finish().await;
}

#[tokio::test]
async fn writing_waits_for_the_peer() {
    let (client, server) = pair().await;
    let (mut client, mut server) = (client.into_byte_stream(), server.into_byte_stream());
    let data = content(4 << 20, 3);
    let mut written = 0;
    while let Some(Ok(count)) = futures_util::FutureExt::now_or_never(client.write(&data)) {
        written += count;
        assert!(written < 1 << 20, "a megabyte waits");
    }
    assert!(written > 0);
    let mut read = vec![0; written];
    let mut reading = std::pin::pin!(server.read_exact(&mut read));
    loop {
        tokio::select! {
            read = &mut reading => break assert_eq!(read.unwrap(), written),
            flushed = client.flush() => flushed.unwrap(),
        }
    }
    assert!(read.chunks(64 << 10).all(|message| data.starts_with(message)));
}

#[tokio::test]
async fn a_message_stream_is_a_stream_and_a_sink() {
    let (client, server) = pair().await;
    let echo = tokio::spawn(async move {
        let (mut sink, mut stream) = server.split();
        while let Some(message) = stream.next().await {
            sink.send(message.unwrap()).await.unwrap();
        }
    });
    let mut client = client;
    let sent: Vec<Message> = vec!["one".into(), vec![2; 100_000].into(), "".into()];
    for message in &sent {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), *message);
    }
    SinkExt::<Message>::close(&mut client).await.unwrap();
    let refused = client.send(Message::from("late")).await;
    assert!(matches!(refused, Err(SendError::Misuse(_))), "{refused:?}");
    assert!(client.next().await.is_none());
    assert!(client.close_result().unwrap().was_clean());
    guarded("the echo", echo).await.unwrap();
}

#[tokio::test]
async fn a_message_stream_returns_one_error_and_then_ends() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "news")).await;
        peer.fin().await;
    })
    .await;
    let url = Url::parse(&server.url()).unwrap();
    let (socket, _) = connect(&url, &ConnectOptions::default()).await.unwrap();
    let received: Vec<_> = guarded("the end", socket.collect()).await;
    assert!(matches!(&received[..], [Ok(news), Err(_)] if *news == "news".into()), "{received:?}");
    server.finish().await;
}

#[tokio::test]
async fn two_tasks_use_the_halves_of_a_byte_stream() {
    let (client, server) = pair().await;
    let echo = tokio::spawn(async move {
        let mut stream = server.into_byte_stream();
        let mut buffer = vec![0; 1 << 15];
        loop {
            let count = stream.read(&mut buffer).await.unwrap();
            if count == 0 {
                break;
            }
            stream.write_all(&buffer[..count]).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let (mut read, mut write) = tokio::io::split(client.into_byte_stream());
    let data = content(4 << 20, 4);
    let expected = data.clone();
    let writing = tokio::spawn(async move {
        write.write_all(&data).await.unwrap();
        write.flush().await.unwrap();
        write
    });
    let reading = tokio::spawn(async move {
        let mut received = vec![0; expected.len()];
        read.read_exact(&mut received).await.unwrap();
        assert!(received == expected);
        read
    });
    let (write, read) = guarded("both tasks", async { tokio::join!(writing, reading) }).await;
    read.unwrap().unsplit(write.unwrap()).shutdown().await.unwrap();
    echo.abort();
}

#[tokio::test]
async fn two_tasks_use_the_halves_of_a_message_stream() {
    let (client, server) = pair().await;
    let echo = tokio::spawn(async move {
        let mut server = server;
        while let Some(message) = server.recv().await.unwrap() {
            server.send(message).await.unwrap();
        }
    });
    let (mut sink, mut stream) = client.split();
    let writing = tokio::spawn(async move {
        for _ in 0..200 {
            sink.send(vec![7; 50_000].into()).await.unwrap();
        }
        sink
    });
    let reading = tokio::spawn(async move {
        for _ in 0..200 {
            assert_eq!(stream.next().await.unwrap().unwrap().len(), 50_000);
        }
        stream
    });
    let (sink, stream) = guarded("both tasks", async { tokio::join!(writing, reading) }).await;
    drop((sink.unwrap(), stream.unwrap()));
    echo.abort();
}

/// The halves work in a handler too. The client reads nothing until it has written everything, so
/// the server must read while it cannot write.
#[tokio::test]
async fn two_tasks_use_the_halves_of_a_driven_byte_stream() {
    const LEN: usize = 4 << 20;
    let (client, server) = pair().await;
    let handling = server.drive(async |socket| {
        let (mut read, mut write) = tokio::io::split(socket.into_byte_stream());
        let reading = tokio::spawn(async move {
            read.read_exact(&mut vec![0; LEN]).await.unwrap();
            read
        });
        let writing = tokio::spawn(async move {
            write.write_all(&vec![1; LEN]).await.unwrap();
            write.flush().await.unwrap();
            write
        });
        // Keeps both halves until both are done.
        let _halves = (reading.await?, writing.await?);
        fullduplex_net::HandlerResult::Ok(())
    });
    let handling = tokio::spawn(handling);
    let mut client = client.into_byte_stream();
    guarded("writing", client.write_all(&vec![2; LEN])).await.unwrap();
    guarded("what is left", client.flush()).await.unwrap();
    guarded("reading", client.read_exact(&mut vec![0; LEN])).await.unwrap();
    let end = guarded("the end", client.read(&mut [0; 1])).await;
    assert_eq!(end.unwrap(), 0);
    guarded("the handler", handling).await.unwrap().unwrap();
}
