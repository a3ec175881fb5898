//! Streams of JetStream, which are created when they are needed.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, Republish, StorageType, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::Mutex;

use super::denials::Denials;
use super::names::Names;
use crate::broker::link::LinkError;
use crate::history::History;

/// How long a stream remembers the ids of messages, so that it stores no message twice.
const DUPLICATES: Duration = Duration::from_secs(120);

/// How many messages are requested at once.
const BATCH: usize = 1_000;

pub(super) struct Streams {
    pub(super) context: Context,
    names: Names,
    timeout: Duration,
    denials: Denials,
    made: Mutex<HashMap<String, Stored>>,
}

/// A stream that exists.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) stream: Stream,
    /// When the stream was created. This distinguishes it from a stream that was deleted and created again.
    pub(super) epoch: u64,
}

/// A message in a stream.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) payload: Bytes,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Streams {
    pub(super) fn new(client: Client, names: Names, timeout: Duration, denials: Denials) -> Self {
        let mut context = jetstream::new(client);
        context.set_timeout(timeout);
        Self { context, names, timeout, denials, made: Mutex::default() }
    }

    /// Returns the stream of topics with this history.
    pub(super) async fn log(&self, history: History) -> Result<Stored, LinkError> {
        let any = |subject: String| subject.replace("ANY", ">");
        self.get(Config {
            name: self.names.log_stream(history),
            subjects: vec![any(self.names.log(history, "ANY"))],
            max_messages_per_subject: history.size() as i64,
            max_age: history.age(),
            duplicate_window: DUPLICATES.min(history.age()),
            discard: DiscardPolicy::Old,
            storage: StorageType::File,
            republish: Some(Republish {
                source: any(self.names.log(history, "ANY")),
                destination: any(self.names.entries(history, "ANY")),
                headers_only: false,
            }),
            ..Config::default()
        })
        .await
    }

    /// Returns the stream of members.
    pub(super) async fn members(&self) -> Result<Stored, LinkError> {
        self.get(Config {
            name: self.names.member_stream(),
            subjects: vec![self.names.member("*", "*")],
            max_messages_per_subject: 1,
            max_age: self.names.presence_ttl,
            duplicate_window: DUPLICATES.min(self.names.presence_ttl),
            discard: DiscardPolicy::Old,
            storage: StorageType::Memory,
            ..Config::default()
        })
        .await
    }

    async fn get(&self, config: Config) -> Result<Stored, LinkError> {
        let mut made = self.made.lock().await;
        if let Some(stored) = made.get(&config.name) {
            return Ok(stored.clone());
        }
        let name = config.name.clone();
        let creating = async { Ok(self.context.get_or_create_stream(config.clone()).await) };
        let stream = self.denials.check(&name, creating).await?.map_err(|error| {
            let text = error.to_string().to_lowercase();
            if text.contains("jetstream")
                && ["unavailable", "not enabled"].iter().any(|it| text.contains(it))
            {
                return LinkError::Refused(
                    "JetStream is off, which topics with a history and members need; \
                     start nats-server with --jetstream"
                        .into(),
                );
            }
            LinkError::Refused(format!("the stream {name} cannot be created: {error}"))
        })?;
        check_config(&config, &stream.cached_info().config)?;
        let epoch = epoch(stream.cached_info());
        let stored = Stored { stream, epoch };
        made.insert(name, stored.clone());
        Ok(stored)
    }

    /// Fails if a stream was deleted, or was deleted and created again. The sequences of the new stream begin again, so
    /// nodes would take its messages for repetitions.
    pub(super) async fn check(&self) -> Result<(), LinkError> {
        use async_nats::jetstream::context::GetStreamErrorKind as Kind;
        let made = self.made.lock().await.clone();
        for (name, stored) in made {
            let is_gone = match self.context.get_stream(name).await {
                Ok(stream) => epoch(stream.cached_info()) != stored.epoch,
                Err(error) => matches!(error.kind(), Kind::JetStream(error) if error.code() == 404),
            };
            if is_gone {
                return Err(LinkError::Lost("a stream was deleted".into()));
            }
        }
        Ok(())
    }

    /// Publishes a message, and waits until it is stored. Returns its sequence.
    pub(super) async fn publish(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<u64, LinkError> {
        use async_nats::jetstream::context::PublishErrorKind;
        let publishing = async {
            let sent = self.context.publish_with_headers(subject.clone(), headers, payload).await;
            let stored = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(error),
            };
            stored.map(|stored| stored.sequence).map_err(|error| match error.kind() {
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                    LinkError::Lost(error.to_string())
                }
                PublishErrorKind::StreamNotFound => LinkError::Lost("the stream is gone".into()),
                _ => LinkError::Refused(error.to_string()),
            })
        };
        self.denials.check(&subject, publishing).await
    }

    /// Reads the messages of a subject. Fails if the stream counts a message that cannot be read. This does not apply
    /// to [`DeliverPolicy::LastPerSubject`], because publishers replace those messages all the time.
    pub(super) async fn read(
        &self,
        stored: &Stored,
        subject: String,
        deliver_policy: DeliverPolicy,
    ) -> Result<Vec<Message>, LinkError> {
        let name = &stored.stream.cached_info().config.name;
        self.denials.check(name, self.read_all(stored, subject, deliver_policy)).await
    }

    async fn read_all(
        &self,
        stored: &Stored,
        subject: String,
        deliver_policy: DeliverPolicy,
    ) -> Result<Vec<Message>, LinkError> {
        let config = pull::Config {
            deliver_policy,
            filter_subject: subject,
            ack_policy: AckPolicy::None,
            inactive_threshold: self.timeout * 2,
            memory_storage: true,
            ..pull::Config::default()
        };
        let consumer = stored.stream.create_consumer(config).await.map_err(lost)?;
        let name = consumer.cached_info().name.clone();
        let mut missing = consumer.cached_info().num_pending as usize;
        let mut messages = Vec::new();
        while missing > 0 {
            // Ends when there are no more messages.
            let batch = consumer.fetch().max_messages(missing.min(BATCH));
            let mut batch = batch.messages().await.map_err(lost)?;
            let before = messages.len();
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| LinkError::Lost(error.to_string()))?;
                let sequence =
                    message.info().map_err(|error| LinkError::Lost(error.to_string()))?;
                messages.push(Message {
                    sequence: sequence.stream_sequence,
                    subject: message.subject.to_string(),
                    payload: message.payload.clone(),
                });
            }
            let read = messages.len() - before;
            missing = missing.saturating_sub(read);
            if read == 0 {
                // The stream has dropped the other messages since the consumer was created.
                let pending = stored.stream.consumer_info(&name).await.map_err(lost)?.num_pending;
                if pending > 0 && deliver_policy != DeliverPolicy::LastPerSubject {
                    return Err(LinkError::Lost(format!("{pending} messages cannot be read")));
                }
                break;
            }
        }
        let stream = stored.stream.clone();
        tokio::spawn(async move { stream.delete_consumer(&name).await.ok() }); // it also expires
        Ok(messages)
    }
}

fn epoch(info: &Info) -> u64 {
    info.created.unix_timestamp_nanos() as u64
}

/// Fails if a stream with our name has a configuration on which a hub cannot work. An operator may change the rest,
/// such as the number of replicas.
fn check_config(wanted: &Config, found: &Config) -> Result<(), LinkError> {
    let same = wanted.subjects == found.subjects
        && wanted.republish == found.republish
        && wanted.max_messages_per_subject == found.max_messages_per_subject
        && wanted.max_age == found.max_age;
    if same {
        return Ok(());
    }
    Err(LinkError::Refused(format!(
        "the stream {} exists with another configuration; delete it, or use another prefix",
        wanted.name
    )))
}

fn lost(error: impl std::error::Error) -> LinkError {
    LinkError::Lost(error.to_string())
}
