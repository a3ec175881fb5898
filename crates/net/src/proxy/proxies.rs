use std::sync::Arc;

use fullduplex_proto::Url;

use super::no_proxy::NoProxy;
use super::{Proxy, ProxyUrlError};

/// Which connections go through which proxy. By default none does, whatever the environment says: ask
/// for [`from_env`](Self::from_env) where a program is to obey it.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    ws: Option<Arc<Proxy>>,
    wss: Option<Arc<Proxy>>,
    directly: NoProxy,
}

impl Proxies {
    /// What the environment says, as curl reads it:
    ///
    /// - for `wss`, the first of `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy` and
    ///   `ALL_PROXY` that is not empty;
    /// - for `ws`, the first of `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy` and `ALL_PROXY`; but
    ///   not `HTTP_PROXY`, which in a CGI program is a header of the client;
    /// - and `no_proxy`, or else `NO_PROXY`, lists the hosts that are connected to directly, as
    ///   [`except`](Self::except) reads it.
    ///
    /// # Errors
    /// [`ProxyUrlError`] if one of these is not the URL of a proxy.
    pub fn from_env() -> Result<Self, ProxyUrlError> {
        // What is no text is no proxy either, and is not passed over: a connection would be a direct one.
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self::from_variables(variable)
    }

    /// As [`from_env`](Self::from_env), with the variables that `variable` finds.
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
        let (_, directly) = find(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
        Ok(Self {
            ws: ws.map(Arc::new),
            wss: wss.map(Arc::new),
            directly: NoProxy::parse(&directly),
        })
    }

    /// Connects directly with the hosts of a list, with commas or spaces between them: domains, which
    /// stand for all within them; addresses, and networks such as `10.0.0.0/8` or `fd00::/8`; and `*` for
    /// all hosts. It takes the place of the list before.
    pub fn except(mut self, list: &str) -> Self {
        self.directly = NoProxy::parse(list);
        self
    }

    /// The proxy to a URL's host, if there is one.
    pub fn find(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.is_secure() { &self.wss } else { &self.ws };
        proxy.as_deref().filter(|_| !self.directly.contains(url.host()))
    }
}

/// All connections go through this one.
impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        Self { ws: Some(Arc::clone(&proxy)), wss: Some(proxy), directly: NoProxy::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxies to `ws://a.b/` and to `wss://a.b/`.
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
    fn variables() {
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
    fn a_bad_variable_is_named() {
        let error = Proxies::from_variables(|name| (name == "ALL_PROXY").then(|| "ftp://p".into()));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("ALL_PROXY") && error.contains("`ftp`"), "{error}");
    }
}
