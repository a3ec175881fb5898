use redis::RedisError;

use super::connection::Connection;

/// The digests of the scripts that all servers have loaded.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) append: String,
    pub(super) end: String,
    pub(super) fetch: String,
    pub(super) join: String,
    pub(super) members: String,
}

impl Scripts {
    pub(super) async fn load(connection: &Connection) -> Result<Self, RedisError> {
        let load =
            async |text: &str| connection.query(redis::cmd("SCRIPT").arg("LOAD").arg(text)).await;
        Ok(Self {
            append: load(include_str!("append.lua")).await?,
            end: load(include_str!("end.lua")).await?,
            fetch: load(include_str!("fetch.lua")).await?,
            join: load(include_str!("join.lua")).await?,
            members: load(include_str!("members.lua")).await?,
        })
    }
}
