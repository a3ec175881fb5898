pub(crate) use tokio::time::{Instant, sleep_until};
