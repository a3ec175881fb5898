//! `fdx hub`, and the hub of `fdx listen`.

mod args;

use anstyle::Style;
use fullduplex_hub::{Delivery, Event, Hub, HubOptions, SubscribeOptions, Topic};
use fullduplex_net::proto::Message;
use tokio::io::{AsyncBufReadExt, BufReader};

use self::args::{Action, TopicArgs};
pub(crate) use self::args::{HubArgs, HubCommand};
use crate::context::Context;
use crate::exit::{Failure, not_connected, usage};
use crate::output::{Line, Output, Pen};

pub(crate) async fn run(args: HubCommand, context: &Context) -> Result<(), Failure> {
    let working = async {
        match args.action {
            Action::Publish { topic_args, text } => publish(topic_args, text).await,
            Action::Subscribe { topic_args, recover, latest, count, ndjson } => {
                let options = SubscribeOptions::default().recover(recover).latest(latest);
                subscribe(topic_args, options, count, ndjson, context).await
            }
            Action::Presence { topic_args, join } => presence(topic_args, join, context).await,
        }
    };
    tokio::select! {
        outcome = working => outcome,
        () = context.interrupt.first() => Ok(()),
        failure = context.output.until_failed() => Err(failure),
    }
}

/// Connects to the broker. The scheme of the URL specifies the kind of broker.
pub(crate) async fn connect(url: &str, options: HubOptions) -> Result<Hub, Failure> {
    let hub = match url.split_once("://") {
        Some(("nats" | "tls", _)) => Hub::nats(url, options).await,
        Some(("redis" | "rediss", _)) => Hub::redis(url, options).await,
        _ => {
            return Err(usage(
                "could not use the URL of the broker: it must begin with nats://, tls://, redis:// or rediss://",
            ));
        }
    };
    hub.map_err(not_connected)
}

/// Prints a note that messages may be missing.
pub(crate) fn note_gap(output: &Output, topic: &Topic) {
    output.note(format!("fdx: messages of the topic {topic} may be missing here"));
}

async fn publish(topic_args: TopicArgs, text: Option<String>) -> Result<(), Failure> {
    let hub = connect(&topic_args.url, topic_args.hub.options()).await?;
    if let Some(text) = text {
        hub.publish(&topic_args.topic, text).await?;
        return Ok(());
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let unreadable = |error| format!("could not read stdin as text: {error}");
    while let Some(line) = lines.next_line().await.map_err(unreadable)? {
        hub.publish(&topic_args.topic, line).await?;
    }
    Ok(())
}

async fn subscribe(
    topic_args: TopicArgs,
    options: SubscribeOptions,
    count: Option<u64>,
    ndjson: bool,
    context: &Context,
) -> Result<(), Failure> {
    let hub = connect(&topic_args.url, topic_args.hub.options()).await?;
    let mut subscription = hub.subscribe(&topic_args.topic, options).await?;
    let mut missing = count;
    while missing != Some(0) {
        match subscription.recv().await {
            Some(Event::Message(delivery)) => {
                let weight = delivery.message.message().len();
                context.output.print(weight, move |pen| draw(pen, &delivery, ndjson)).await;
                missing = missing.map(|missing| missing - 1);
            }
            Some(Event::Gap(gap)) if ndjson => {
                let reason = format!("{:?}", gap.reason).to_lowercase();
                let draw = move |pen: &mut Pen| pen.event("gap").with("reason", reason).end();
                context.output.print(0, draw).await;
            }
            Some(Event::Gap(_)) => note_gap(&context.output, &topic_args.topic),
            None => return Ok(()),
        }
    }
    Ok(())
}

fn draw(pen: &mut Pen, delivery: &Delivery, ndjson: bool) {
    let message = delivery.message.message();
    if ndjson {
        let mut event = pen.event("message");
        if let Some(position) = delivery.position {
            event = event.with("position", position.to_string());
        }
        match message {
            Message::Text(text) => event.text("text", text.as_str()).end(),
            Message::Binary(bytes) => event.hex("hex", bytes).end(),
        }
        return;
    }
    match message {
        Message::Text(text) => pen.message(&Line::new(), Style::new(), text.as_str()),
        Message::Binary(bytes) => pen.hex_line(&Line::new(), bytes),
    }
}

async fn presence(
    topic_args: TopicArgs,
    join: Option<String>,
    context: &Context,
) -> Result<(), Failure> {
    let hub = connect(&topic_args.url, topic_args.hub.options()).await?;
    if let Some(data) = join {
        let _member = hub.join(&topic_args.topic, data).await?;
        return std::future::pending().await; // until it is interrupted
    }
    for member in hub.members(&topic_args.topic).await? {
        let data = String::from_utf8_lossy(&member.data).into_owned();
        context.output.line(format!("{:016x} {data}", member.id)).await;
    }
    Ok(())
}
