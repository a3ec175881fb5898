//! The examples of the guide, compiled.

macro_rules! chapters {
    ($($name:ident = $file:literal,)*) => {$(
        #[doc = include_str!(concat!("../../../docs/guide/src/", $file, ".md"))]
        struct $name;
    )*};
}

chapters! {
    Client = "client",
    Compression = "compression",
    Events = "events",
    FromAxum = "from-axum",
    FromFastwebsockets = "from-fastwebsockets",
    FromTokioTungstenite = "from-tokio-tungstenite",
    FromWs = "from-ws",
    Http2 = "http2",
    Hub = "hub",
    Introduction = "introduction",
    Limits = "limits",
    Observability = "observability",
    Proxies = "proxies",
    Reconnection = "reconnection",
    ReverseProxies = "reverse-proxies",
    Rooms = "rooms",
    Server = "server",
    Tls = "tls",
}
