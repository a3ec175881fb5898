//! A node: a server whose clients subscribe and publish to topics of a hub.
//!
//! The path is the name of a topic. A client of `/TOPIC?after=POSITION` receives `welcome`, then the events: a message
//! is a position, a space and a text; a gap is `gap`. A client of `/publish/TOPIC` sends texts, and receives `yes` or
//! `no` for each. A client of `/about` receives a description of the node.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_hub::{Delivery, Event, History, Hub, HubOptions, SubscribeOptions, Topic};
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions, Socket};

use crate::Failure;

/// How long a dead node remains listed.
pub(crate) const PRESENCE_TTL: Duration = Duration::from_secs(6);

/// Topics with a history begin with this.
pub(crate) const WITH_HISTORY: &str = "log/";

/// The topic of which each node is a member.
const NODES: &str = "nodes";

/// Prints its address, and serves until stdin ends.
pub(crate) async fn serve(url: &str, history: usize) -> Result<(), Failure> {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
    let history = History::new(history, Duration::from_secs(300));
    let mut options = HubOptions::default().with_history(WITH_HISTORY, history);
    options.timeout = Duration::from_secs(2);
    options.keepalive = Duration::from_secs(1);
    options.presence_ttl = PRESENCE_TTL;
    let hub = match url.split_once(':') {
        Some(("nats", _)) => Hub::nats(url, options).await?,
        _ => Hub::redis(url, options).await?,
    };
    let mut options = ServerOptions::default();
    (options.connections, options.connections_per_address) = (usize::MAX, usize::MAX);
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
    let address = server.local_addr()?.to_string();
    let _member = hub.join(&Topic::new(NODES)?, address.clone()).await?;
    println!("{address}");
    server.serve(move |request| handle(request, hub.clone())).await;
    Ok(())
}

async fn handle(request: Request, hub: Hub) -> HandlerResult {
    let uri = request.uri().clone();
    let path = uri.path().trim_start_matches('/');
    if path == "about" {
        return about(request.accept().await?, &hub).await;
    }
    if let Some(topic) = path.strip_prefix("publish/") {
        let topic = Topic::new(topic)?;
        return publish(request.accept().await?, &hub, &topic).await;
    }
    let after = uri.query().and_then(|query| query.strip_prefix("after="));
    let options = SubscribeOptions::default().recover(after.map(str::parse).transpose()?);
    let mut subscription = hub.subscribe(&Topic::new(path)?, options).await?;
    let mut socket = request.accept().await?;
    socket.send("welcome").await?;
    loop {
        tokio::select! {
            message = socket.recv() => if message?.is_none() { return Ok(()) },
            event = subscription.recv() => match event {
                Some(Event::Message(delivery)) => socket.send(line(&delivery)).await?,
                Some(Event::Gap(_)) => socket.send("gap").await?,
                None => return Ok(()),
            },
        }
    }
}

fn line(delivery: &Delivery) -> String {
    let position = delivery.position.map(|position| position.to_string());
    let text = delivery.message.message().to_text().unwrap_or_default();
    format!("{} {text}", position.unwrap_or_default())
}

async fn publish(mut socket: Socket, hub: &Hub, topic: &Topic) -> HandlerResult {
    while let Some(message) = socket.recv().await? {
        let published = hub.publish(topic, message).await;
        socket.send(if published.is_ok() { "yes" } else { "no" }).await?;
    }
    Ok(())
}

/// Sends the numbers of reconnects, gaps and fetches, and then the names of all nodes.
async fn about(mut socket: Socket, hub: &Hub) -> HandlerResult {
    let stats = hub.stats();
    let members = hub.members(&Topic::new(NODES)?).await?;
    let names = members.iter().map(|member| String::from_utf8_lossy(&member.data).into_owned());
    let names = names.collect::<Vec<_>>().join(" ");
    let numbers = format!("{} {} {}", stats.reconnects, stats.gaps, stats.fetches);
    socket.send(format!("{numbers} {names}")).await?;
    Ok(())
}
