use std::sync::Arc;

use fullduplex_proto::Url;

use super::no_proxy::NoProxy;
use super::{Proxy, ProxyUrlError};
use crate::tls::Tls;

/// The rules that choose the proxy of a connection. By default, no proxy is used. The environment is only
/// read by [`from_env`](Self::from_env).
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    ws: Option<Arc<Proxy>>,
    wss: Option<Arc<Proxy>>,
    no_proxy: NoProxy,
}

impl Proxies {
    /// Reads the environment as curl does:
    ///
    /// - For `wss`, the first of `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy` and
    ///   `ALL_PROXY` that is not empty.
    /// - For `ws`, the first of `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy` and `ALL_PROXY` that is not
    ///   empty. `HTTP_PROXY` is not read: in a CGI program, it contains a header that the client has sent.
    /// - `no_proxy` lists the hosts that are connected to directly, in the format of
    ///   [`except`](Self::except). If it is empty or not set, `NO_PROXY` is read.
    ///
    /// # Errors
    /// [`ProxyUrlError`] if one of these is not the URL of a proxy.
    pub fn from_env() -> Result<Self, ProxyUrlError> {
        // Text that is not UTF-8 must be an error. If it were ignored, connections would be direct.
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::from_variables(variable)
    }

    /// Reads variables as [`from_env`](Self::from_env) does, with `variable` instead of the environment.
    ///
    /// # Errors
    /// [`ProxyUrlError`] if one of these is not the URL of a proxy.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProxyUrlError> {
        let find = |names: &[&'static str]| {
            let values = names.iter().filter_map(|&name| Some((name, variable(name)?)));
            values.into_iter().find(|(_, value)| !value.is_empty())
        };
        let proxy = |names: &[&'static str]| {
            find(names)
                .map(|(name, url)| Proxy::parse(&url).map_err(|error| error.of(name)))
                .transpose()
        };
        let ws = proxy(&["ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"])?;
        let wss = proxy(&[
            "wss_proxy",
            "WSS_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ])?;
        let (_, no_proxy) = find(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Ok(Self {
            ws: ws.map(Arc::new),
            wss: wss.map(Arc::new),
            no_proxy: NoProxy::parse(&no_proxy),
        })
    }

    /// Connects directly to the hosts of a list, as curl reads `NO_PROXY`. The list replaces the previous one.
    ///
    /// Entries are separated by commas or spaces. An entry is a domain, which includes its subdomains; an
    /// address; or a network such as `10.0.0.0/8` or `fd00::/8`. A list that is only `*` means all hosts.
    pub fn except(mut self, list: &str) -> Self {
        self.no_proxy = NoProxy::parse(list);
        self
    }

    /// Sets the TLS options for `https` proxies for which [`Proxy::with_tls`] was not called.
    pub fn with_tls(mut self, tls: &Tls) -> Self {
        for proxy in [&mut self.ws, &mut self.wss].into_iter().flatten() {
            *proxy = Arc::new(Proxy::clone(proxy).with_default_tls(tls));
        }
        self
    }

    /// Returns the proxy for a URL, or `None` for a direct connection.
    pub fn find(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.is_secure() { &self.wss } else { &self.ws };
        proxy.as_deref().filter(|_| !self.no_proxy.contains(url.host()))
    }
}

/// All connections go through this proxy.
impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        Self { ws: Some(Arc::clone(&proxy)), wss: Some(proxy), no_proxy: NoProxy::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the proxies for `ws://a.b/` and for `wss://a.b/`.
    fn found(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxies = Proxies::from_variables(value).unwrap();
        ["ws://a.b/", "wss://a.b/"]
            .map(|url| proxies.find(&Url::parse(url).unwrap()).map(ToString::to_string))
    }

    #[test]
    fn excepted_hosts_are_reached_directly() {
        let proxies = Proxies::from(Proxy::parse("http://one:1").unwrap()).except("a.b");
        let has_proxy = |url| proxies.find(&Url::parse(url).unwrap()).is_some();
        assert_eq!(["ws://a.b/", "ws://c.b/"].map(has_proxy), [false, true]);
    }

    #[test]
    fn variables_have_the_precedence_of_curl() {
        let [one, two] = ["http://one:1", "http://two:2"];
        let some = |proxy: &str| Some(proxy.to_owned());
        assert_eq!(found(&[]), [None, None]);
        assert_eq!(found(&[("HTTP_PROXY", one)]), [None, None]);
        assert_eq!(found(&[("http_proxy", one)]), [some(one), None]);
        assert_eq!(found(&[("HTTPS_PROXY", one)]), [None, some(one)]);
        assert_eq!(found(&[("https_proxy", two), ("HTTPS_PROXY", one)]), [None, some(two)]);
        assert_eq!(found(&[("https_proxy", ""), ("HTTPS_PROXY", one)]), [None, some(one)]);
        assert_eq!(found(&[("ALL_PROXY", one), ("http_proxy", two)]), [some(two), some(one)]);
        assert_eq!(found(&[("all_proxy", one), ("wss_proxy", two)]), [some(one), some(two)]);
        assert_eq!(found(&[("all_proxy", one), ("NO_PROXY", "b")]), [None, None]);
        assert_eq!(
            found(&[("all_proxy", one), ("no_proxy", "c"), ("NO_PROXY", "b")]),
            [some(one), some(one)]
        );
    }

    #[test]
    fn an_error_names_the_variable() {
        let error = Proxies::from_variables(|name| (name == "ALL_PROXY").then(|| "ftp://p".into()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("ALL_PROXY") && error.contains("`ftp`"), "{error}");
    }
}
