//! TLS between a hub and its broker.

use std::path::PathBuf;

use fullduplex_hub::{Hub, HubOptions};
use fullduplex_lab::broker::BrokerKind;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::folder::Folder;

use super::{next, topic};
use crate::promises;

/// A certificate for 127.0.0.1 and the authority that issued it, as files.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    root: PathBuf,
    /// An authority that has issued nothing.
    stranger: PathBuf,
    _folder: Folder,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new());
        let identity = authority.issue(&["127.0.0.1"], Validity::Now);
        Self {
            certificate: folder.write("certificate.pem", &identity.cert_pem),
            key: folder.write("key.pem", &identity.key_pem),
            root: folder.write("root.pem", &authority.root_pem()),
            stranger: folder.write("stranger.pem", &Authority::new().root_pem()),
            _folder: folder,
        }
    }

    /// Returns the paths of the certificate, its key, and the root.
    pub(crate) fn paths(&self) -> [String; 3] {
        [&self.certificate, &self.key, &self.root].map(|path| path.display().to_string())
    }

    /// Checks that a hub works if it trusts the authority, and that it is refused otherwise.
    pub(crate) async fn check(&self, kind: BrokerKind, url: &str) {
        let mut trusting = promises::options();
        trusting.ca_file = Some(self.root.clone());
        let hub = promises::hub_at(kind, url, trusting).await;
        for room in ["live/room", "log/room"].map(topic) {
            let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
            hub.publish(&room, "over TLS").await.unwrap();
            assert_eq!(next(&mut subscription).await, "over TLS");
        }
        for ca_file in [None, Some(self.stranger.clone())] {
            let mut options = HubOptions::default();
            options.ca_file = ca_file;
            let refused = match kind {
                BrokerKind::Redis => Hub::redis(url, options).await,
                BrokerKind::Nats => Hub::nats(url, options).await,
            };
            let error = refused.unwrap_err().to_string();
            assert!(error.contains("UnknownIssuer"), "{error}");
        }
    }
}
