use std::path::PathBuf;

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_lab::proxy::{PATIENCE, Proxy, Software};
use fullduplex_net::proto::Timeouts;

use crate::{Failure, patience};

/// The routes to our echo server, which end on drop.
pub(crate) struct Routes {
    pub(crate) all: Vec<Route>,
    /// The file with the root certificate.
    pub(crate) ca: PathBuf,
    _folder: Folder,
    _proxies: Vec<Proxy>,
}

pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) url: String,
}

impl Routes {
    pub(crate) fn open() -> Result<Self, Failure> {
        let authority = Authority::new();
        let identity = authority.issue(&["127.0.0.1"], Validity::Now);
        let mut timeouts = Timeouts::default();
        timeouts.ping = Some(PATIENCE / 4);
        let server = echo::start_with(None, timeouts);
        let tls_server = echo::start_with(Some(&identity), timeouts);
        let mut all = vec![
            Route::plain("directly".into(), server),
            Route::tls("directly, TLS".into(), tls_server),
        ];
        let mut proxies = Vec::new();
        for software in Software::ALL {
            patience::check(software, &identity)?;
            let proxy = Proxy::start(software, server, &identity)?;
            let version = software.version()?;
            all.push(Route::plain(version.clone(), proxy.port()));
            all.push(Route::tls(format!("{version}, TLS"), proxy.tls_port()));
            proxies.push(proxy);
        }
        let folder = Folder::new();
        let ca = folder.write("ca.pem", &authority.root_pem());
        Ok(Self { all, ca, _folder: folder, _proxies: proxies })
    }
}

impl Route {
    fn plain(name: String, port: u16) -> Self {
        Self { name, url: format!("ws://127.0.0.1:{port}/") }
    }

    fn tls(name: String, port: u16) -> Self {
        Self { name, url: format!("wss://127.0.0.1:{port}/") }
    }
}
