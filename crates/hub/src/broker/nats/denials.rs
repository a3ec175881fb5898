//! What the server does not allow the user. NATS does not answer such a request. It sends an error that names the subject.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::broker::link::LinkError;

/// The maximum number of subjects that are remembered.
const MAX_SUBJECTS: usize = 1024;

/// The denials that arrived on a connection and made no request fail yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Denials(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<HashMap<String, Denial>>,
    changed: Notify,
}

#[derive(Debug)]
struct Denial {
    reason: String,
    count: u64,
}

impl Denials {
    /// Records an error of the server, if it is a denial.
    pub(super) fn record(&self, error: &str) {
        let Some((subject, reason)) = parse(error) else { return };
        tracing::warn!(reason, "the broker denied a request");
        let mut pending = self.pending();
        if pending.len() >= MAX_SUBJECTS {
            pending.clear();
        }
        pending.entry(subject).or_insert(Denial { reason, count: 0 }).count += 1;
        drop(pending);
        self.0.changed.notify_waiters();
    }

    /// Runs a request that uses a subject, or the stream with this name. Fails if the server denies it. Each denial makes
    /// one request fail. A denial that arrives after the end of its request makes the next one fail before it is sent.
    pub(super) async fn check<T>(
        &self,
        name: &str,
        request: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        tokio::select! {
            biased;
            reason = self.denied(name) => Err(LinkError::Refused(reason)),
            result = request => match self.take(name) {
                Some(reason) => Err(LinkError::Refused(reason)),
                None => result,
            },
        }
    }

    /// Waits for a denial.
    async fn denied(&self, name: &str) -> String {
        loop {
            let changed = self.0.changed.notified();
            if let Some(reason) = self.take(name) {
                return reason;
            }
            changed.await;
        }
    }

    fn take(&self, name: &str) -> Option<String> {
        let mut pending = self.pending();
        let is_named = |subject: &str| subject == name || subject.split('.').any(|it| it == name);
        // Answers to requests to a stream arrive at an inbox.
        let concerns = |subject: &str| is_named(subject) || subject.starts_with("_INBOX.");
        let subject = pending.keys().find(|subject| concerns(subject))?.clone();
        let denial = pending.get_mut(&subject)?;
        denial.count -= 1;
        let (reason, is_last) = (denial.reason.clone(), denial.count == 0);
        if is_last {
            pending.remove(&subject);
        }
        Some(reason)
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<String, Denial>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the subject of a denial, and a reason for people.
fn parse(error: &str) -> Option<(String, String)> {
    let (_, denial) = error.split_once("Permissions Violation for ")?;
    let (verb, rest) = denial.split_once(" to \"")?;
    let (subject, _) = rest.split_once('"')?;
    let verb = if verb == "Publish" { "publish" } else { "subscribe" };
    let first = subject.split('.').next().unwrap_or(subject);
    let reason = format!(
        "the user may not {verb} to the subject {subject}; add `{first}.>` to the user's permissions to {verb}"
    );
    Some((subject.to_owned(), reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIAL: &str = "nats: Permissions Violation for Publish to \"fullduplex.live.room\"";

    #[test]
    fn a_denial_names_the_subject_and_what_to_do() {
        let (subject, reason) = parse(DENIAL).unwrap();
        assert_eq!(subject, "fullduplex.live.room");
        assert!(reason.contains("may not publish to the subject fullduplex.live.room"), "{reason}");
        assert!(reason.contains("`fullduplex.>`"), "{reason}");
        let of_subscription = "Permissions Violation for Subscription to \"a.b\" using queue \"c\"";
        assert!(parse(of_subscription).unwrap().1.contains("may not subscribe to the subject a.b"));
        for other in ["", "Permissions Violation for Publish to \"a", "Invalid Subject"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn each_denial_fails_one_request_of_its_subject() {
        let denials = Denials::default();
        let room = "fullduplex.live.room";
        let check = async |name| denials.check(name, async { Ok(()) }).await.is_ok();
        denials.record(DENIAL);
        assert!(check("fullduplex.live.room2").await, "another subject");
        assert!(!check(room).await && check(room).await);
        let denied_meanwhile = async {
            denials.record(DENIAL);
            Ok(())
        };
        assert!(denials.check(room, denied_meanwhile).await.is_err());
        let unanswered = std::future::pending::<Result<(), LinkError>>();
        let (refused, ()) = tokio::join!(denials.check("room", unanswered), async {
            denials.record(DENIAL);
        });
        assert!(matches!(refused, Err(LinkError::Refused(_))));
        assert!(check(room).await);
    }
}
