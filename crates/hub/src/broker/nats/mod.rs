//! NATS: core subjects for topics without a history, and a JetStream stream for all topics with the same history.
//!
//! The stream republishes each entry that it stores. The republished message contains the sequence of the entry and the
//! sequence of the previous entry of the same topic. Nodes subscribe to the republished messages, so a stream has
//! consumers only while a node reads missed messages.

mod denials;
mod link;
mod names;
mod streams;

use std::sync::Arc;

use async_nats::{ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use percent_encoding::percent_decode_str;

use self::denials::Denials;
use self::link::NatsLink;
use self::names::Names;
use self::streams::Streams;
use super::link::{Connector, Inbox, Link, LinkError};
use crate::backend::Boxed;
use crate::error::ConnectError;
use crate::hub::Hub;
use crate::options::HubOptions;

/// The oldest version of the server: before it, streams do not republish.
const OLDEST: (i64, i64) = (2, 9);

#[derive(Debug)]
struct Nats {
    servers: Vec<ServerAddr>,
    names: Names,
    options: HubOptions,
}

impl Hub {
    /// Creates a hub on NATS. It connects all processes that use the same servers and the same [`HubOptions::prefix`].
    ///
    /// `urls` is one URL, or the URLs of a cluster, separated by commas. The scheme is `nats://`, or `tls://` for TLS,
    /// such as `tls://user:password@nats.example:4222`. The server needs version 2.9 or newer. Topics with a history, and
    /// members, need JetStream.
    ///
    /// The function connects immediately, so that a wrong address, a wrong password or a missing JetStream is an error.
    /// Later, the hub reconnects when a connection is lost. The connection ends when the last clone, subscription and
    /// member of the hub are dropped.
    ///
    /// # Errors
    /// [`ConnectError`] if no server can be used.
    ///
    /// # Cancel safety
    /// Safe: a connection that was not returned is closed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn nats(urls: &str, options: HubOptions) -> Result<Self, ConnectError> {
        let servers: Result<Vec<ServerAddr>, _> =
            urls.split(',').map(|url| url.trim().parse()).collect();
        let unusable = |reason: &str| ConnectError {
            broker: "NATS".into(),
            reason: format!(
                "the URL cannot be used: {reason}; write it as nats://user:password@host:4222, with % escapes in user \
                 and password"
            ),
        };
        let servers = servers.map_err(|error| unusable(&error.to_string()))?;
        if servers.iter().any(|server| server.host().is_empty()) {
            return Err(unusable("it has no host"));
        }
        let names = Names::new(&options);
        super::connect(Box::new(Nats { servers, names, options: options.clone() }), options).await
    }
}

/// Returns options with the user and the password, or the token, of the first URL that has them.
fn credentials(servers: &[ServerAddr]) -> ConnectOptions {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let options = ConnectOptions::new();
    let Some(server) = servers.iter().find(|server| server.has_user_pass()) else { return options };
    match (server.username(), server.password()) {
        (Some(user), Some(password)) => options.user_and_password(decoded(user), decoded(password)),
        (Some(token), None) => options.token(decoded(token)),
        (None, _) => options,
    }
}

impl Connector for Nats {
    fn connect(&self, inbox: Inbox) -> Boxed<'_, Result<Arc<dyn Link>, LinkError>> {
        Box::pin(async move {
            let timeout = inbox.timeout;
            let events = inbox.clone();
            let denials = Denials::default();
            let denied = denials.clone();
            let mut options = credentials(&self.servers);
            if let Some(file) = &self.options.ca_file {
                options = options.add_root_certificates(file.clone());
            }
            let client = options
                .connection_timeout(timeout)
                // The node replaces a lost connection, and then fetches missed messages.
                .max_reconnects(1)
                .event_callback(move |event| {
                    match event {
                        Event::Disconnected | Event::Closed => {
                            events.lost("the server closed the connection");
                        }
                        Event::SlowConsumer(_) => events.lost("messages came too fast"),
                        Event::ServerError(error) => denied.record(&error.to_string()),
                        _ => {}
                    }
                    std::future::ready(())
                })
                .connect(self.servers.clone())
                .await
                .map_err(|error| {
                    let hint = match error.kind() {
                        ConnectErrorKind::Authentication
                        | ConnectErrorKind::AuthorizationViolation => {
                            "; give user and password in the URL"
                        }
                        ConnectErrorKind::TimedOut => "; check the address",
                        _ if error.to_string().contains("InvalidContentType") => {
                            "; the server does not use TLS, so write nats:// for tls://"
                        }
                        _ => "",
                    };
                    LinkError::Refused(format!("{error}{hint}"))
                })?;
            if !client.is_server_compatible(OLDEST.0, OLDEST.1, 0) {
                let version = client.server_info().version;
                return Err(LinkError::Refused(format!(
                    "the server has version {version:?}; use {}.{} or newer",
                    OLDEST.0, OLDEST.1
                )));
            }
            let streams =
                Streams::new(client.clone(), self.names.clone(), timeout, denials.clone());
            for (_, history) in &self.options.histories {
                streams.log(*history).await?;
            }
            let link = NatsLink::start(client, self.names.clone(), streams, inbox, denials).await?;
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        let servers = self.servers.iter();
        let servers = servers.map(|server| format!("{}:{}", server.host(), server.port()));
        format!("NATS at {}", servers.collect::<Vec<_>>().join(", "))
    }
}
