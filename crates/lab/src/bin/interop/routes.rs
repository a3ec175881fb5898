use std::path::PathBuf;

use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_lab::proxy::{Backend, PATIENCE, Proxy, Software};
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
    /// Whether the proxy adds a Sec-WebSocket-Key to one that the client has sent.
    pub(crate) adds_key: bool,
}

/// Starts our server with and without TLS. Returns the port without TLS, and the routes without a proxy.
fn direct(
    identity: &Identity,
    start: impl Fn(Option<&Identity>, Timeouts) -> u16,
) -> (u16, Vec<Route>) {
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(PATIENCE / 4);
    let (server, tls_server) = (start(None, timeouts), start(Some(identity), timeouts));
    let plain = Route::plain("directly".into(), server);
    (server, vec![plain, Route::tls("directly, TLS".into(), tls_server)])
}

impl Routes {
    pub(crate) fn open() -> Result<Self, Failure> {
        let authority = Authority::new();
        let identity = authority.issue(&["127.0.0.1"], Validity::Now);
        let (server, mut all) = direct(&identity, echo::start_with);
        let mut proxies = Vec::new();
        for software in Software::HTTP1 {
            patience::check(software, &identity)?;
            let proxy = Proxy::start(software, server, &identity)?;
            let version = software.version()?;
            all.push(Route::plain(version.clone(), proxy.port()));
            all.push(Route::tls(format!("{version}, TLS"), proxy.tls_port()));
            proxies.push(proxy);
        }
        Ok(Self::new(all, &authority, proxies))
    }

    /// Opens routes to the server over HTTP/2. A proxy uses HTTP/2 or HTTP/1.1 to the server.
    pub(crate) fn open_http2() -> Result<Self, Failure> {
        let authority = Authority::new();
        let identity = authority.issue(&["127.0.0.1"], Validity::Now);
        let (server, mut all) = direct(&identity, echo::start_http2);
        let mut proxies = Vec::new();
        for software in Software::HTTP2 {
            let version = software.version()?;
            for (backend, to_server) in
                [(Backend::Http2, ""), (Backend::Http1, ", HTTP/1.1 to the server")]
            {
                let proxy = Proxy::start_http2(software, server, backend, &identity)?;
                let name = format!("{version}, TLS{to_server}");
                let adds_key = software == Software::Nghttpx && backend == Backend::Http1;
                all.push(Route { adds_key, ..Route::tls(name, proxy.tls_port()) });
                proxies.push(proxy);
            }
        }
        Ok(Self::new(all, &authority, proxies))
    }

    fn new(all: Vec<Route>, authority: &Authority, proxies: Vec<Proxy>) -> Self {
        let folder = Folder::new();
        let ca = folder.write("ca.pem", &authority.root_pem());
        Self { all, ca, _folder: folder, _proxies: proxies }
    }
}

impl Route {
    fn plain(name: String, port: u16) -> Self {
        Self { name, url: format!("ws://127.0.0.1:{port}/"), adds_key: false }
    }

    fn tls(name: String, port: u16) -> Self {
        Self { name, url: format!("wss://127.0.0.1:{port}/"), adds_key: false }
    }

    pub(crate) fn has_tls(&self) -> bool {
        self.url.starts_with("wss:")
    }
}
