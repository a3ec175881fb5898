//! Redis: a stream for the log of each topic with a history, a hash for the members of a topic, and a channel of
//! pub/sub for each topic. The channels are sharded if the server supports it.
//!
//! A script appends an entry to the log and publishes it, so entries are published in the order of the log. The id of
//! an entry consists of its epoch and its offset. Offsets are consecutive.

mod connection;
mod keys;
mod link;
mod scripts;

use std::sync::Arc;

use redis::cluster::ClusterClient;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError, TlsCertificates,
    Value,
};

use self::connection::Connection;
use self::keys::Keys;
use self::link::RedisLink;
use self::scripts::Scripts;
use super::link::{Connector, Inbox, Link, LinkError};
use crate::backend::Boxed;
use crate::error::ConnectError;
use crate::hub::Hub;
use crate::options::HubOptions;

/// The first version with sharded pub/sub.
const SHARDED: u32 = 7;

#[derive(Debug)]
struct Redis {
    servers: Vec<ConnectionInfo>,
    keys: Keys,
    /// The certificate authorities to trust, in PEM; `None` for those of the system.
    authorities: Option<Vec<u8>>,
}

impl Hub {
    /// Creates a hub on a Redis server of version 6 or newer. It connects all processes that use the same server and
    /// the same [`HubOptions::prefix`].
    ///
    /// `urls` is one URL, or several separated by commas, which are tried in order. The scheme is `redis://`, or
    /// `rediss://` for TLS, such as `rediss://user:password@redis.example:6379/0`. Of a Redis Cluster, which needs
    /// version 7, one URL is enough. Each topic is on one of its servers.
    ///
    /// The function connects immediately, so that a wrong address or password is an error. Later the hub reconnects
    /// when a connection is lost. The connection ends when the last clone, subscription and member of the hub are
    /// dropped.
    ///
    /// # Errors
    /// [`ConnectError`] if no server can be used, with the reason of the last one.
    ///
    /// # Cancel safety
    /// Safe: a connection that was not returned is closed.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn redis(urls: &str, options: HubOptions) -> Result<Self, ConnectError> {
        let servers: Result<Vec<_>, _> = urls.split(',').map(|url| info(url.trim())).collect();
        let servers = servers.map_err(|error| ConnectError {
            broker: "Redis".into(),
            reason: format!(
                "the URL cannot be used: {error}; write it as redis://user:password@host:6379/0, with % escapes in user \
                 and password"
            ),
        })?;
        let authorities = match &options.ca_file {
            Some(file) => Some(tokio::fs::read(file).await.map_err(|error| ConnectError {
                broker: "Redis".into(),
                reason: format!("could not read {}: {error}", file.display()),
            })?),
            None => None,
        };
        let keys = Keys::new(&options);
        super::connect(Box::new(Redis { servers, keys, authorities }), options).await
    }
}

fn info(url: &str) -> Result<ConnectionInfo, RedisError> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

impl Connector for Redis {
    fn connect(&self, inbox: Inbox) -> Boxed<'_, Result<Arc<dyn Link>, LinkError>> {
        Box::pin(async move {
            let mut failure = LinkError::NotSent;
            for server in &self.servers {
                match self.connect_to(server, inbox.clone()).await {
                    Ok(link) => return Ok(Arc::new(link) as Arc<dyn Link>),
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        })
    }

    fn address(&self) -> String {
        let servers = self.servers.iter().map(|server| server.addr().to_string());
        format!("Redis at {}", servers.collect::<Vec<_>>().join(", "))
    }
}

impl Redis {
    async fn connect_to(
        &self,
        server: &ConnectionInfo,
        inbox: Inbox,
    ) -> Result<RedisLink, LinkError> {
        let client = match self.certificates(server) {
            Some(certificates) => Client::build_with_tls(server.clone(), certificates),
            None => Client::open(server.clone()),
        };
        let client = client.map_err(refused)?;
        let timeout = inbox.timeout;
        let pushes = inbox.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_push_sender(move |push: PushInfo| {
                receive(&pushes, push);
                Ok::<(), std::convert::Infallible>(())
            });
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let connected = connecting.await.map_err(|error| match refused(error) {
            LinkError::Refused(reason) if is_tls(server) => {
                LinkError::Refused(format!("{reason}; check that the server uses TLS on this port"))
            }
            error => error,
        });
        let mut connection = Connection::Single(connected?);
        let info = connection.query(redis::cmd("INFO").arg("server")).await;
        let info: String = info.map_err(refused)?;
        let sharded = major_version(&info).is_some_and(|version| version >= SHARDED);
        if is_cluster(&info) {
            if !sharded {
                return Err(LinkError::Refused("a Redis Cluster needs version 7 or newer".into()));
            }
            connection = self.connect_to_cluster(server, &inbox).await.map_err(refused)?;
        }
        let scripts = Scripts::load(&connection).await.map_err(refused)?;
        Ok(RedisLink::new(connection, inbox, self.keys.clone(), scripts, sharded))
    }

    /// Connects to all servers of a cluster. If the connection to one of them is lost, the link is lost: the next one
    /// learns which server has which slot, and fetches what was missed.
    async fn connect_to_cluster(
        &self,
        server: &ConnectionInfo,
        inbox: &Inbox,
    ) -> Result<Connection, RedisError> {
        let pushes = inbox.clone();
        let mut builder = ClusterClient::builder([server.clone()])
            .connection_timeout(inbox.timeout)
            .response_timeout(inbox.timeout)
            .retries(0) // a command that is sent again could publish a message twice
            .push_sender(move |push: PushInfo| {
                receive(&pushes, push);
                Ok::<(), std::convert::Infallible>(())
            });
        if let Some(certificates) = self.certificates(server) {
            builder = builder.certs(certificates);
        }
        Ok(Connection::Cluster(builder.build()?.get_async_connection().await?))
    }

    /// Returns the authorities to trust, if the server is reached over TLS and they are not those of the system.
    fn certificates(&self, server: &ConnectionInfo) -> Option<TlsCertificates> {
        let root_cert = self.authorities.clone().filter(|_| is_tls(server))?;
        Some(TlsCertificates { client_tls: None, root_cert: Some(root_cert) })
    }
}

/// Passes on the messages that the server pushes.
fn receive(inbox: &Inbox, push: PushInfo) {
    match push.kind {
        PushKind::Disconnection => inbox.lost("the server closed the connection"),
        // The answer to an unsubscription, or the slot moves to another server.
        PushKind::SUnsubscribe => {
            if let Some(Value::BulkString(channel)) = push.data.first() {
                keys::unsubscribed(inbox, channel);
            }
        }
        PushKind::Message | PushKind::SMessage => {
            let mut data = push.data.into_iter();
            if let (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) =
                (data.next(), data.next())
            {
                keys::receive(inbox, &channel, payload.into());
            }
        }
        _ => {}
    }
}

fn is_tls(server: &ConnectionInfo) -> bool {
    matches!(server.addr(), ConnectionAddr::TcpTls { .. })
}

/// Explains why a connection cannot be used, or a request was refused.
fn refused(error: RedisError) -> LinkError {
    let text = error.to_string();
    let hint = match error.code() {
        Some("WRONGPASS" | "NOAUTH") => "; give user and password in the URL",
        Some("NOPROTO") => "; Redis 6 or newer is needed",
        Some("NOPERM") => PERMISSIONS,
        _ if text.contains("The user executing the script") => PERMISSIONS,
        _ if text.contains("HELLO") => "; Redis 6 or newer is needed",
        _ if error.kind() == ErrorKind::Parse => "; the server at this address is not Redis",
        _ => "",
    };
    LinkError::Refused(format!("{text}{hint}"))
}

/// What to do if the server does not allow the user a command, a key or a channel.
const PERMISSIONS: &str = "; give the user the permissions +@read +@write +@scripting +@pubsub +@connection +info +time, \
                           and the keys and channels of the hub: ~{PREFIX:* &{PREFIX:*";

fn is_cluster(info: &str) -> bool {
    info.lines().any(|line| line == "redis_mode:cluster")
}

fn major_version(info: &str) -> Option<u32> {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    line.split('.').next()?.parse().ok()
}
