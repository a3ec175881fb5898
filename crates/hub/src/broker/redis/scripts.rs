use redis::RedisError;
use redis::aio::MultiplexedConnection;

/// The digests of the scripts that a server has loaded.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) append: String,
    pub(super) end: String,
    pub(super) fetch: String,
    pub(super) join: String,
    pub(super) members: String,
}

impl Scripts {
    pub(super) async fn load(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        let mut load = async |text: &str| {
            redis::cmd("SCRIPT").arg("LOAD").arg(text).query_async(connection).await
        };
        Ok(Self {
            append: load(include_str!("append.lua")).await?,
            end: load(include_str!("end.lua")).await?,
            fetch: load(include_str!("fetch.lua")).await?,
            join: load(include_str!("join.lua")).await?,
            members: load(include_str!("members.lua")).await?,
        })
    }
}
