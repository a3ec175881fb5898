//! A server with one room, for measurements. The room is a `Group` of net, a topic of a hub, or a `Group` that is fed
//! by the bare client of a broker.
//!
//! A client of `/` is a member of the room. A client of `/publish` sends the number of messages to publish, and receives
//! `done` when all were published, one every five milliseconds. A message is a text that begins with the time at which it was
//! published: 16 hexadecimal digits, in nanoseconds since 1970. `bench/` has the same server with socketioxide.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use fullduplex_hub::{Event, History, Hub, HubOptions, Topic};
use fullduplex_net::proto::Text;
use fullduplex_net::{
    Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions, Socket,
};
use futures_util::StreamExt as _;
use redis::aio::MultiplexedConnection;
use tokio::time::{MissedTickBehavior, interval};

use crate::Failure;

const MESSAGE_BYTES: usize = 100;

/// The pause between two messages.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// The room of a hub without, and with a history.
const LIVE: &str = "live";
const LOG: &str = "log";

/// How messages reach the members.
#[derive(Clone)]
enum Room {
    Group(Group),
    Hub(Hub, Topic),
    Nats(async_nats::Client, Group),
    Redis(MultiplexedConnection, Group),
}

impl Room {
    async fn open(kind: &str, url: &str) -> Result<Self, Failure> {
        let options = HubOptions::default().with_history(LOG, History::default());
        Ok(match kind {
            "group" => Self::Group(Group::new()),
            "local" => Self::Hub(Hub::local_with(options), Topic::new(LIVE)?),
            "local-log" => Self::Hub(Hub::local_with(options), Topic::new(LOG)?),
            "hub-nats" => Self::Hub(Hub::nats(url, options).await?, Topic::new(LIVE)?),
            "hub-nats-log" => Self::Hub(Hub::nats(url, options).await?, Topic::new(LOG)?),
            "hub-redis" => Self::Hub(Hub::redis(url, options).await?, Topic::new(LIVE)?),
            "hub-redis-log" => Self::Hub(Hub::redis(url, options).await?, Topic::new(LOG)?),
            "bare-nats" => {
                let (client, group) = (async_nats::connect(url).await?, Group::new());
                let mut messages = client.subscribe("room").await?;
                let room = group.clone();
                tokio::spawn(async move {
                    while let Some(message) = messages.next().await {
                        send_text(&room, message.payload);
                    }
                });
                Self::Nats(client, group)
            }
            "bare-redis" => {
                let (client, group) = (redis::Client::open(url)?, Group::new());
                let mut receiving = client.get_async_pubsub().await?;
                receiving.subscribe("room").await?;
                let room = group.clone();
                tokio::spawn(async move {
                    let mut messages = receiving.into_on_message();
                    while let Some(message) = messages.next().await {
                        send_text(&room, message.get_payload_bytes().to_vec().into());
                    }
                });
                Self::Redis(client.get_multiplexed_async_connection().await?, group)
            }
            _ => return Err("unknown kind of room".into()),
        })
    }

    async fn stay(&self, mut socket: Socket) -> HandlerResult {
        let (hub, topic) = match self {
            Self::Group(group) | Self::Nats(_, group) | Self::Redis(_, group) => {
                let _member = group.join(socket.sender());
                socket.send("welcome").await?;
                while socket.recv().await?.is_some() {}
                return Ok(());
            }
            Self::Hub(hub, topic) => (hub, topic),
        };
        let mut subscription = hub.subscribe(topic, Default::default()).await?;
        socket.send("welcome").await?;
        loop {
            tokio::select! {
                message = socket.recv() => if message?.is_none() { return Ok(()) },
                event = subscription.recv() => match event {
                    Some(Event::Message(delivery)) => socket.send(delivery.message).await?,
                    Some(Event::Gap(gap)) => return Err(format!("a gap: {gap:?}").into()),
                    None => return Ok(()),
                },
            }
        }
    }

    async fn publish(&self, mut socket: Socket) -> HandlerResult {
        while let Some(message) = socket.recv().await? {
            let count: u32 = message.to_text().unwrap_or_default().parse()?;
            let mut pauses = interval(PAUSE);
            pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for _ in 0..count {
                pauses.tick().await;
                let text = format!("{:016x}{:x<1$}", nanos(), MESSAGE_BYTES - 16);
                match self {
                    Self::Group(group) => drop(group.send(text, OverflowPolicy::Close)),
                    Self::Hub(hub, topic) => drop(hub.publish(topic, text).await?),
                    Self::Nats(client, _) => client.publish("room", text.into()).await?,
                    Self::Redis(client, _) => {
                        let mut command = redis::cmd("PUBLISH");
                        command.arg("room").arg(text);
                        command.query_async::<u64>(&mut client.clone()).await?;
                    }
                }
            }
            socket.send("done").await?;
        }
        Ok(())
    }
}

/// Sends a payload from a broker to the members, as the text that it is.
fn send_text(group: &Group, payload: Bytes) {
    if let Ok(text) = Text::from_utf8(payload) {
        group.send(text, OverflowPolicy::Close);
    }
}

/// Prints its address, and serves until stdin ends.
pub(crate) async fn serve(kind: &str, url: &str) -> Result<(), Failure> {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
    let room = Room::open(kind, url).await?;
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0), ServerOptions::default()).await?;
    println!("{}", server.local_addr()?);
    server.serve(move |request| handle(request, room.clone())).await;
    Ok(())
}

async fn handle(request: Request, room: Room) -> HandlerResult {
    let publishes = request.uri().path() == "/publish";
    let socket = request.accept().await?;
    if publishes { room.publish(socket).await } else { room.stay(socket).await }
}

/// Returns the nanoseconds since 1970.
pub(crate) fn nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}
