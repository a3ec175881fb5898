use fork::{Fork, fork, waitpid};
use fullduplex_lab::script::{BINARY, FIN, Peer};
use fullduplex_net::{ConnectOptions, connect_over};
use tokio::io::duplex;

/// The number of messages. Together, two connections use fewer keys than one read from the system returns.
const KEYS: usize = 100;

pub(crate) fn main() {
    // Fills the pool of this thread. The runtime ends before the fork, so the processes share only their memory.
    run(1);
    match fork().unwrap() {
        Fork::Child => println!("child {}", run(KEYS).join(" ")),
        Fork::Parent(child) => {
            println!("parent {}", run(KEYS).join(" "));
            waitpid(child).unwrap();
        }
    }
}

/// Sends messages over a new connection, and returns their masking keys.
fn run(count: usize) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (client, server) = duplex(1 << 20);
        let mut peer = Peer::over(server);
        let options = ConnectOptions::default();
        let opened = connect_over(client, "ws://localhost/", &options);
        let (opened, _) = tokio::join!(opened, peer.shake_hands());
        let mut socket = opened.unwrap().0;
        let mut keys = Vec::new();
        for _ in 0..count {
            // The masked form of a payload of zeros is the key.
            socket.send(vec![0; 4]).await.unwrap();
            let frame = peer.read_raw_payload(FIN | BINARY).await;
            keys.push(frame.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        keys
    })
}
