//! Redis: a stream for the log of each topic with a history, a hash for the members of a topic, and a channel of
//! pub/sub for each topic. The channels are sharded if the server supports it.
//!
//! A script appends an entry to the log and publishes it, so entries are published in the order of the log. The id of
//! an entry consists of its epoch and its offset. Offsets are consecutive.

mod keys;
mod link;
mod scripts;

use std::sync::Arc;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    ProtocolVersion, PushInfo, PushKind, RedisError, TlsCertificates, Value,
};

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
    /// `rediss://` for TLS, such as `rediss://user:password@redis.example:6379/0`. A Redis Cluster is
    /// refused.
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
            reason: format!("the URL cannot be used: {error}"),
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
        let client = match server.addr() {
            ConnectionAddr::TcpTls { .. } if self.authorities.is_some() => {
                let root_cert = self.authorities.clone();
                let certificates = TlsCertificates { client_tls: None, root_cert };
                Client::build_with_tls(server.clone(), certificates)
            }
            _ => Client::open(server.clone()),
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
        let mut connection = connecting.await.map_err(refused)?;
        let info: String =
            redis::cmd("INFO").arg("server").query_async(&mut connection).await.map_err(refused)?;
        if is_cluster(&info) {
            return Err(LinkError::Refused(
                "it is part of a Redis Cluster, which a hub does not support; use a single server"
                    .into(),
            ));
        }
        let sharded = major_version(&info).is_some_and(|version| version >= SHARDED);
        let scripts = Scripts::load(&mut connection).await.map_err(refused)?;
        Ok(RedisLink::new(connection, inbox, self.keys.clone(), scripts, sharded))
    }
}

/// Passes on the messages that the server pushes.
fn receive(inbox: &Inbox, push: PushInfo) {
    match push.kind {
        PushKind::Disconnection => inbox.lost("the server closed the connection"),
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

/// Explains why a connection cannot be used.
fn refused(error: RedisError) -> LinkError {
    let hint = match error.code() {
        Some("WRONGPASS" | "NOAUTH") => "; give user and password in the URL",
        Some("NOPROTO") => "; Redis 6 or newer is needed",
        Some("NOPERM") => "; the user may not run this command",
        _ if error.to_string().contains("HELLO") => "; Redis 6 or newer is needed",
        _ => "",
    };
    LinkError::Refused(format!("{error}{hint}"))
}

fn is_cluster(info: &str) -> bool {
    info.lines().any(|line| line == "redis_mode:cluster")
}

fn major_version(info: &str) -> Option<u32> {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    line.split('.').next()?.parse().ok()
}
