//! The memory that all connections of a server hold together (FS-07).

use std::io::IoSlice;

use allocation_counter::measure;
use fullduplex_lab::echo;
use fullduplex_lab::figures::show;
use fullduplex_lab::script::{FIN, Peer, SAMPLE_REQUEST, TEXT, guarded};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::{DeflateConfig, Encoder};
use fullduplex_net::{AcceptOptions, Counts, ServerOptions};
use tokio::runtime::Runtime;

const RSV1: u8 = 0x40;

/// The other memory of a connection: its task, its buffers, and bytes that the budget does not track.
const EACH: usize = 8 << 10;

/// The memory that a thread holds for all connections.
const ONCE: usize = 2 << 20;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn options(memory: usize) -> ServerOptions {
    let accept = AcceptOptions::default().deflate(DeflateConfig::default());
    ServerOptions::default().accept(accept).memory_bytes(memory)
}

/// Opens a connection that compresses in both directions.
async fn client(served: &Served) -> Peer {
    let extension = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let mut client = Peer::connect(served.address()).await;
    client.open(&SAMPLE_REQUEST.replace("\r\n\r\n", extension)).await;
    client
}

/// Returns a compressed text of 1,000 bytes, as a client sends it.
fn compressed_request() -> Vec<u8> {
    let mut encoder =
        Encoder::client(Box::new(|| [1, 2, 3, 4])).with_deflate(DeflateConfig::default());
    encoder.send("0123456789".repeat(100)).unwrap();
    let mut slices = [IoSlice::new(&[])];
    assert_eq!(encoder.output(&mut slices), 1);
    slices[0].to_vec()
}

/// Sends `requests` over each of many connections, and returns the server's counts.
async fn load(memory: usize, clients: usize, requests: usize, reads: bool) -> Counts {
    let served = Served::by(options(memory), echo::requests).await;
    let wire = compressed_request().repeat(requests);
    let mut open = Vec::new();
    for index in 1..=clients {
        let mut client = client(&served).await;
        client.send(&wire).await;
        for _ in (0..requests).filter(|_| reads) {
            let frame = guarded("a reply", client.read_frame()).await.unwrap();
            assert_eq!(frame.first_byte & !RSV1, FIN | TEXT);
        }
        let received = (index * requests) as u64;
        served.until(|counts| counts.messages_received == received).await;
        open.push(client);
    }
    served.connections().counts()
}

/// FS-07: a request of a few bytes makes the server allocate contexts of 459 KiB. The contexts of many
/// clients stay within the budget, and all clients are served.
#[test]
fn the_contexts_of_all_clients_stay_within_the_budget() {
    const CLIENTS: usize = 200;
    const BUDGET: usize = 16 << 20;
    for (requests, reads) in [(1, true), (7, false)] {
        let runtime = runtime();
        let mut counts = Counts::default();
        let cost = measure(|| counts = runtime.block_on(load(BUDGET, CLIENTS, requests, reads)));
        let figure = format!("peak {} bytes, {} held", cost.bytes_max, counts.held_bytes);
        show("FS-07", format!("{CLIENTS} clients, budget {BUDGET}, reads: {reads}"), figure);
        assert_eq!((counts.open, counts.evicted), (CLIENTS as u64, 0));
        assert!(counts.held_bytes <= BUDGET as u64);
        let most = BUDGET + CLIENTS * EACH + ONCE;
        assert!(cost.bytes_max <= most as u64, "{} of {most}", cost.bytes_max);
    }
}

/// FS-07: without memory for a context, replies are sent uncompressed.
#[test]
fn replies_go_uncompressed_without_memory_for_a_context() {
    runtime().block_on(async {
        for (memory, is_compressed) in [(100 << 10, false), (1 << 20, true)] {
            let served = Served::by(options(memory), echo::requests).await;
            let mut client = client(&served).await;
            for count in 1..=2 {
                client.send(compressed_request()).await;
                let first_byte = FIN | TEXT | if is_compressed { RSV1 } else { 0 };
                let reply = client.read_payload(first_byte).await;
                assert_eq!(reply.len() == 1000, !is_compressed);
                let counts = served.connections().counts();
                assert_eq!(counts.uncompressed, if is_compressed { 0 } else { count });
                assert_eq!(counts.evicted, 0);
            }
        }
    });
}
