//! A server with a room of socketioxide, on one machine or with its Redis adapter, as `room.rs` of the lab's example `hub`
//! has rooms of a hub. The argument is the URL of Redis, if any.
//!
//! A client that sends the event `join` is a member of the room, and receives `welcome`. A client sends `publish` with
//! the number of messages to publish, and receives `done` when all were published, one every five milliseconds.

use std::error::Error;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fullduplex_bench::server::{announce, end_with_stdin};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use socketioxide::SocketIo;
use socketioxide::adapter::Adapter;
use socketioxide::extract::{Data, SocketRef};
use socketioxide_redis::drivers::redis::redis_client::Client;
use socketioxide_redis::{RedisAdapter, RedisAdapterCtr};
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval};

const ROOM: &str = "room";
const MESSAGE_BYTES: usize = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// Longer than any measurement. The clients answer only the first ping, which follows the handshake.
const PING_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    end_with_stdin();
    let builder = SocketIo::builder().ping_interval(PING_INTERVAL);
    match std::env::args().nth(1) {
        None => {
            let (service, io) = builder.build_svc();
            io.ns("/", connected);
            serve(service).await
        }
        Some(url) => {
            let client = Client::open(format!("{url}?protocol=resp3"))?;
            let adapter = RedisAdapterCtr::new_with_redis(&client).await?;
            let (service, io) = builder.with_adapter::<RedisAdapter<_>>(adapter).build_svc();
            io.ns("/", connected).await?;
            serve(service).await
        }
    }
}

async fn serve<S, B>(service: S) -> Result<(), Failure>
where
    S: HttpService<Incoming, Future: Send, Error: Into<Failure>, ResBody = B>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Failure>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service.clone())
            .with_upgrades();
        tokio::spawn(async move { connection.await.ok() });
    }
}

async fn connected<A: Adapter>(socket: SocketRef<A>) {
    socket.on("join", async |socket: SocketRef<A>| {
        socket.join(ROOM);
        socket.emit("welcome", "").ok();
    });
    socket.on("publish", publish);
    socket.emit("ready", "").ok(); // an event before this line would be lost
}

async fn publish<A: Adapter>(socket: SocketRef<A>, io: SocketIo<A>, Data(count): Data<u32>) {
    let mut pauses = interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..count {
        pauses.tick().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let message = format!("{now:016x}{:x<1$}", "", MESSAGE_BYTES - 16);
        if io.to(ROOM).emit("m", &message).await.is_err() {
            return; // the clients notice that messages are missing
        }
    }
    socket.emit("done", "").ok();
}
