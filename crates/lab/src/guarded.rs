use std::time::Duration;

/// How long anything may take before it counts as hanging.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// Awaits `future`, and panics if it takes longer than 30 seconds. `what` names what is awaited.
pub async fn guarded<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(HANG, future).await {
        Ok(output) => output,
        Err(_) => panic!("timed out after {HANG:?}: {what}"),
    }
}
