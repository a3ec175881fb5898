//! Topics for WebSocket servers: on one machine, or across machines over NATS or Redis.
//!
//! A [`Hub`] delivers each message of a [`Topic`] to all its subscribers, in order and once. With a [`History`], a
//! client that reconnects sends the [`Position`] of its last message and receives the messages after it. If messages
//! may be missing, the subscriber receives [`Event::Gap`]. A hub also lists the members of a topic ([`Hub::members`]).
//!
//! [`Hub::local`] needs no broker. `Hub::nats` and `Hub::redis` connect many processes. They need the feature `nats`
//! or `redis`. The rest of the program stays the same.
//!
//! A hub does not use sockets. The handler of a server subscribes, and sends the messages that it receives:
//!
//! ```no_run
//! # struct Socket;
//! # impl Socket {
//! #     async fn recv(&mut self) -> Result<Option<String>, std::io::Error> { Ok(None) }
//! #     async fn send(&mut self, _: fullduplex_proto::Prepared) -> Result<(), std::io::Error> { Ok(()) }
//! # }
//! use fullduplex_hub::{Event, Hub, Topic};
//!
//! async fn chat(mut socket: Socket, hub: Hub, room: Topic) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut subscription = hub.subscribe(&room, Default::default()).await?;
//!     loop {
//!         tokio::select! {
//!             message = socket.recv() => match message? {
//!                 Some(message) => { hub.publish(&room, message).await?; }
//!                 None => return Ok(()),
//!             },
//!             event = subscription.recv() => match event {
//!                 Some(Event::Message(delivery)) => socket.send(delivery.message).await?,
//!                 Some(Event::Gap(_)) => {} // tell the client to reload its state
//!                 None => return Ok(()),
//!             },
//!         }
//!     }
//! }
//! ```
//!
//! The chapter "Rooms across machines" of the guide lists the cost of each guarantee. [`feed`] follows the log of a
//! topic on one node, without I/O.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
#[cfg(any(feature = "nats", feature = "redis"))]
mod broker;
mod counters;
mod entry;
mod error;
mod event;
pub mod feed;
mod history;
mod hub;
mod ids;
mod local;
mod member;
mod options;
mod position;
mod presence;
mod queue;
#[cfg(test)]
mod simulation;
#[cfg_attr(
    not(any(feature = "nats", feature = "redis")),
    allow(dead_code, reason = "parts of it are for brokers only")
)]
mod slot;
mod subscription;
mod topic;
mod topics;

pub use counters::HubStats;
pub use entry::{Content, Entry};
pub use error::{ConnectError, PresenceError, PublishError, SubscribeError};
pub use event::{Delivery, Event, Gap};
pub use feed::GapReason;
pub use fullduplex_proto as proto;
pub use history::History;
pub use hub::Hub;
pub use member::Member;
pub use options::{HubOptions, Outbox, Prefix, PrefixError, SlowPolicy, SubscribeOptions};
pub use position::{Position, PositionError};
pub use presence::MemberInfo;
pub use subscription::{SubscriberId, Subscription};
pub use topic::{Topic, TopicError};
