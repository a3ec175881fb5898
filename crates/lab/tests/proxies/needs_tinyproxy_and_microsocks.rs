//! Our client through tinyproxy and microsocks, with and without a login.

use fullduplex::Tls;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::forward::{Forward, Software};
use fullduplex_lab::script::deaf;
use fullduplex_net::ProxyError;

use crate::{assert_echoes, failure, proxy_error, through};

fn both(software: [Software; 2], login: Option<(&str, &str)>) -> [Forward; 2] {
    software.map(|software| {
        Forward::start(software, login).expect("tinyproxy and microsocks must be installed")
    })
}

const BOTH: [Software; 2] = [Software::Tinyproxy, Software::Microsocks];

/// RFC6455-4.1-6: HTTP CONNECT and SOCKS5, with `ws` and `wss`, by name and by address.
#[tokio::test]
#[ignore = "needs tinyproxy and microsocks"]
async fn connections_go_through_the_proxy() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost", "127.0.0.1"], Validity::Now);
    let [plain, tls] = [echo::start(None), echo::start(Some(&identity))];
    let trust = Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap();
    for (login, user) in [(None, ""), (Some(("user", "p-w")), "user:p%2Dw@")] {
        for proxy in both(BOTH, login) {
            for host in ["127.0.0.1", "localhost"] {
                let proxy = proxy.url(user);
                assert_echoes(through(&format!("ws://{host}:{plain}/"), &proxy)).await;
                let secured = through(&format!("wss://{host}:{tls}/"), &proxy);
                assert_echoes(secured.tls(trust.clone())).await;
            }
        }
    }
}

/// RFC6455-4.1-8
#[tokio::test]
#[ignore = "needs tinyproxy and microsocks"]
async fn a_proxy_rejects_an_unknown_user() {
    let server = format!("ws://127.0.0.1:{}/", echo::start(None));
    let [http, socks] = both(BOTH, Some(("user", "password")));
    for user in ["", "user:wrong@"] {
        let failure = failure(through(&server, &http.url(user))).await;
        let error = proxy_error(&failure);
        let ProxyError::Rejected(refused) = error else { panic!("{error:?}") };
        assert!([401, 407].contains(&refused.status.as_u16()), "{refused:?}");
        let text = failure.to_string();
        assert!(!text.contains("wrong") && text.contains(&http.url("")), "{text}");
    }
    let unknown = failure(through(&server, &socks.url(""))).await;
    assert!(matches!(proxy_error(&unknown), ProxyError::Method(false)), "{unknown:?}");
    let wrong = failure(through(&server, &socks.url("user:wrong@"))).await;
    assert!(matches!(proxy_error(&wrong), ProxyError::Login), "{wrong:?}");
}

/// RFC6455-4.1-8
#[tokio::test]
#[ignore = "needs tinyproxy and microsocks"]
async fn the_proxy_reports_a_refused_connection() {
    let (_held, address) = deaf();
    let [http, socks] = both(BOTH, None);
    let server = format!("ws://{address}/");
    let by_http = failure(through(&server, &http.url(""))).await;
    let error = proxy_error(&by_http);
    let is_server_error =
        matches!(error, ProxyError::Rejected(refused) if refused.status.is_server_error());
    assert!(is_server_error, "{error:?}");
    let by_socks = failure(through(&server, &socks.url(""))).await;
    assert!(matches!(proxy_error(&by_socks), ProxyError::Socks5(5)), "{by_socks:?}");
    let text = by_socks.to_string();
    assert!(text.ends_with("the proxy answered: the connection was refused"), "{text}");
}
