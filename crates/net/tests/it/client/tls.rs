//! Unusual certificates that are in use, and certificates that are renewed.

use fullduplex_lab::ca::{self, Authority, Validity};
use fullduplex_net::{
    ConnectError, ConnectOptions, HandlerResult, Http, Http2Options, Identity, IdentityError,
    Proxies, Proxy, Request, Server, ServerOptions, Tls, TlsBuilder, TlsConfigError, connect,
};
use http::Version;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// X.509 version 1, as `openssl x509 -req -signkey` creates it.
const VERSION_1: &[u8] = include_bytes!("../../../src/tls/testdata/v1.pem");
const RSA_1024: &[u8] = include_bytes!("testdata/rsa1024.pem");
const P_521: &[u8] = include_bytes!("testdata/p521.pem");

/// Starts a server with `identity` on a free port. Returns the port.
async fn serve(identity: Identity) -> u16 {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_tls(&identity);
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.serve(|request: Request| async {
        let mut socket = request.accept().await?;
        while socket.recv().await?.is_some() {}
        HandlerResult::Ok(())
    }));
    port
}

async fn open(host: &str, port: u16, tls: TlsBuilder) -> Result<(), String> {
    let options = ConnectOptions::new().tls(tls.build().unwrap());
    let connected = connect(format!("wss://{host}:{port}/"), &options).await;
    connected.map(|_| ()).map_err(|error| error.to_string())
}

fn trusting(pem: impl AsRef<[u8]>) -> TlsBuilder {
    Tls::builder().only_roots(pem.as_ref())
}

/// FC-03
#[tokio::test]
async fn a_given_self_signed_certificate_is_trusted() {
    for alternative in [true, false] {
        let identity = Authority::self_signed("localhost", alternative);
        let port = serve(identity.of_server()).await;
        open("localhost", port, trusting(&identity.cert_pem)).await.unwrap();
        let extra = Tls::builder().extra_roots(identity.cert_pem.as_bytes());
        open("localhost", port, extra).await.unwrap();
        let name = open("127.0.0.1", port, trusting(&identity.cert_pem)).await.unwrap_err();
        assert!(name.contains("not valid for name"), "{name}");
        let other = Authority::self_signed("localhost", alternative);
        let unknown = open("localhost", port, trusting(&other.cert_pem)).await.unwrap_err();
        assert!(unknown.contains("could not establish TLS with localhost:"), "{unknown}");
    }
}

/// The platform does not know the extra root, so only the other verifier can name what is wrong.
#[tokio::test]
async fn an_extra_root_verifies_names_and_dates() {
    let authority = Authority::new();
    let extra = || Tls::builder().extra_roots(authority.root_pem().as_bytes());
    for (validity, host, expected) in [
        (Validity::Now, "localhost", Ok(())),
        (Validity::Now, "127.0.0.1", Err("not valid for name")),
        (Validity::Expired, "localhost", Err("expired")),
    ] {
        let port = serve(authority.issue(&["localhost"], validity).of_server()).await;
        match (open(host, port, extra()).await, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (opened, expected) => panic!("{opened:?}, not {expected:?}"),
        }
        open("localhost", port, trusting(Authority::new().root_pem())).await.unwrap_err();
    }
}

/// FC-03: the file of `SSL_CERT_FILE` is trusted too. The test sets the variable for a child
/// process, which runs this test as the client.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_self_signed_certificate_in_ssl_cert_file_is_trusted() {
    const PORT: &str = "FULLDUPLEX_TEST_PORT";
    if let Ok(port) = std::env::var(PORT) {
        open("localhost", port.parse().unwrap(), Tls::builder()).await.unwrap();
        return;
    }
    let identity = Authority::self_signed("localhost", true);
    let port = serve(identity.of_server()).await;
    let folder = fullduplex_lab::folder::Folder::new();
    folder.write("ca.pem", &identity.cert_pem);
    let name = "client::tls::a_self_signed_certificate_in_ssl_cert_file_is_trusted";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name]).env(PORT, port.to_string());
    child.env("SSL_CERT_FILE", folder.path().join("ca.pem"));
    let output = tokio::task::spawn_blocking(move || child.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// FC-03
#[test]
fn a_text_without_a_key_and_a_damaged_key_are_told_apart() {
    let certificate = Authority::self_signed("localhost", true).cert_pem;
    let damaged = "-----BEGIN PRIVATE KEY-----\n?\n-----END PRIVATE KEY-----\n";
    for (key, is_missing) in [(&*certificate, true), ("", true), (damaged, false)] {
        let server = Identity::from_pem(certificate.as_bytes(), key.as_bytes());
        let Err(IdentityError::Pem { reason, .. }) = server else { panic!("{key}") };
        assert_eq!(reason == "it contains no private key", is_missing, "{reason}");
        assert!(!reason.contains("encrypted"), "{reason}");
    }
}

/// FC-03
#[test]
fn an_encrypted_key_is_called_encrypted() {
    let certificate = Authority::self_signed("localhost", true).cert_pem;
    for key in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n\
         -----END RSA PRIVATE KEY-----\n",
    ] {
        let client = Tls::builder().client_certificate(certificate.as_bytes(), key.as_bytes());
        let Err(TlsConfigError::Pem { reason, .. }) = client.build() else { panic!("{key}") };
        assert!(reason.contains("it is encrypted; decrypt it with `openssl"), "{reason}");
        let server = Identity::from_pem(certificate.as_bytes(), key.as_bytes());
        let Err(IdentityError::Pem { reason, .. }) = server else { panic!("{key}") };
        assert!(reason.contains("it is encrypted"), "{reason}");
    }
}

/// FC-12
#[tokio::test]
async fn a_given_version_1_certificate_is_trusted() {
    let port = serve(Identity::from_pem(VERSION_1, VERSION_1).unwrap()).await;
    open("localhost", port, Tls::builder().danger_accept_any_certificate()).await.unwrap();
    open("127.0.0.1", port, Tls::builder().danger_accept_any_certificate()).await.unwrap();
    open("localhost", port, trusting(VERSION_1)).await.unwrap();
    let name = open("127.0.0.1", port, trusting(VERSION_1)).await.unwrap_err();
    assert!(name.contains("not valid for name"), "{name}");
    let other = Authority::self_signed("localhost", true).cert_pem;
    open("localhost", port, trusting(other)).await.unwrap_err();
}

/// FC-12: the client's own certificate may be of version 1 too.
#[tokio::test]
async fn a_client_may_present_a_version_1_certificate() {
    let identity = Authority::self_signed("localhost", true);
    let port = serve(identity.of_server()).await;
    let client = trusting(&identity.cert_pem).client_certificate(VERSION_1, VERSION_1);
    open("localhost", port, client).await.unwrap();
    let key = Authority::self_signed("x", true).key_pem;
    let mismatch = Tls::builder().client_certificate(VERSION_1, key.as_bytes()).build();
    let Err(TlsConfigError::Client(reason)) = mismatch else { panic!("{mismatch:?}") };
    assert!(reason.contains("does not belong to the first certificate"), "{reason}");
}

/// FC-12: the error names a key whose signatures cannot be checked. In this test, the server signs with
/// another key. The client cannot detect this.
#[tokio::test]
async fn a_key_that_cannot_be_checked_is_named() {
    let identity = Authority::self_signed("localhost", true);
    for (certificate, kind) in
        [(RSA_1024, "an RSA key of 1024 bits"), (P_521, "a key on the curve P-521")]
    {
        let shown = ca::Identity {
            cert_pem: String::from_utf8(certificate.to_vec()).unwrap(),
            key_pem: identity.key_pem.clone(),
        };
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let acceptor = shown.impostor(&identity, version);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                acceptor.accept(stream).await.ok();
            });
            let any = Tls::builder().danger_accept_any_certificate();
            let error = open("localhost", port, any).await.unwrap_err();
            assert!(error.contains(&format!("the server has {kind}")), "{error}");
        }
    }
}

/// FC-16: the alert of a server that has only CBC, DHE or RSA key exchange.
#[tokio::test]
async fn a_server_without_a_common_cipher_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
        stream.read_exact(&mut rest).await.unwrap();
        // TLS 1.2, a fatal alert: handshake_failure.
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        stream.read_exact(&mut hello).await.ok();
    });
    let error = open("localhost", port, Tls::builder()).await.unwrap_err();
    assert!(error.contains("refused all offered versions, ciphers"), "{error}");
    assert!(error.contains("CBC, DHE, RSA key exchange"), "{error}");
}

/// FC-13
#[tokio::test]
async fn tls_options_for_all_proxies() {
    let identity = Authority::self_signed("localhost", true);
    let acceptor = identity.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await?;
                stream.write_all(b"HTTP/1.1 502 It is the proxy\r\n\r\n").await?;
                stream.read(&mut [0; 1024]).await
            });
        }
    });
    let variable = |name: &str| (name == "all_proxy").then(|| proxy.clone());
    let proxies = Proxies::from_variables(variable).unwrap();
    let through = async |proxies: Proxies| {
        let options = ConnectOptions::new().proxies(proxies);
        connect("ws://server.example/", &options).await.unwrap_err().to_string()
    };
    let untrusted = through(proxies.clone()).await;
    assert!(untrusted.contains("could not establish TLS with the proxy"), "{untrusted}");
    let tls = trusting(&identity.cert_pem).build().unwrap();
    let trusted = through(proxies.with_tls(&tls)).await;
    assert!(trusted.contains("the proxy answered 502"), "{trusted}");
    // Options of the proxy itself take precedence.
    let other = trusting(Authority::self_signed("localhost", true).cert_pem).build().unwrap();
    let own = Proxy::parse(&proxy).unwrap().with_tls(other);
    let refused = through(Proxies::from(own).with_tls(&tls)).await;
    assert!(refused.contains("could not establish TLS with the proxy"), "{refused}");
}

/// FS-10
#[tokio::test]
async fn an_identity_is_replaced_while_it_serves() {
    let [old, new] = [true, true].map(|_| Authority::self_signed("localhost", true));
    let identity = old.of_server();
    let port = serve(identity.clone()).await;
    open("localhost", port, trusting(&old.cert_pem)).await.unwrap();
    let mismatch = identity.replace(new.cert_pem.as_bytes(), old.key_pem.as_bytes());
    assert!(matches!(mismatch, Err(IdentityError::Mismatch(_))), "{mismatch:?}");
    open("localhost", port, trusting(&old.cert_pem)).await.unwrap();
    identity.replace(new.cert_pem.as_bytes(), new.key_pem.as_bytes()).unwrap();
    open("localhost", port, trusting(&new.cert_pem)).await.unwrap();
    open("localhost", port, trusting(&old.cert_pem)).await.unwrap_err();
}

/// FS-10
#[tokio::test]
async fn client_certificates_are_required_or_requested() {
    let server = Authority::self_signed("localhost", true);
    let [clients, strangers] = [Authority::new(), Authority::new()];
    let roots = clients.root_pem();
    let required = server.of_server().require_client_certificate(roots.as_bytes()).unwrap();
    let requested = server.of_server().request_client_certificate(roots.as_bytes()).unwrap();
    let (required, requested) = (serve(required).await, serve(requested).await);
    let presenting = |authority: &Authority| {
        let own = authority.issue(&["somebody"], Validity::Now);
        trusting(&server.cert_pem)
            .client_certificate(own.cert_pem.as_bytes(), own.key_pem.as_bytes())
    };
    let anonymous = || trusting(&server.cert_pem);
    open("localhost", required, presenting(&clients)).await.unwrap();
    open("localhost", required, presenting(&strangers)).await.unwrap_err();
    open("localhost", required, anonymous()).await.unwrap_err();
    open("localhost", requested, presenting(&clients)).await.unwrap();
    open("localhost", requested, presenting(&strangers)).await.unwrap_err();
    open("localhost", requested, anonymous()).await.unwrap();
    let bad = server.of_server().require_client_certificate(b"");
    assert!(matches!(bad, Err(IdentityError::ClientRoots(_))), "{bad:?}");
}

/// FS-10: the handler sees the verified chain of a client, also when the session is resumed, and over HTTP/2.
#[tokio::test]
async fn a_request_has_the_certificates_of_its_client() {
    let server = Authority::self_signed("localhost", true);
    let clients = Authority::new();
    let own = clients.issue(&["somebody"], Validity::Now);
    let roots = clients.root_pem();
    let identity = server.of_server().request_client_certificate(roots.as_bytes()).unwrap();
    let listening = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let listening = listening.with_tls(&identity).with_http2(Http2Options::default());
    let url = format!("wss://localhost:{}/", listening.local_addr().unwrap().port());
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(listening.serve(move |request: Request| {
        let chain: Vec<Vec<u8>> = request.client_certificates().map(<[u8]>::to_vec).collect();
        tx.send(chain).unwrap();
        async { request.accept().await.map(drop) }
    }));
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    let chain_pem = own.cert_pem.clone() + &roots;
    for (presented, chain) in [
        (Some(&own.cert_pem), vec![der(&own.cert_pem)]),
        (Some(&chain_pem), vec![der(&own.cert_pem), der(&roots)]),
        (None, vec![]),
    ] {
        let mut tls = trusting(&server.cert_pem);
        if let Some(presented) = presented {
            tls = tls.client_certificate(presented.as_bytes(), own.key_pem.as_bytes());
        }
        let options = ConnectOptions::new().tls(tls.build().unwrap());
        for http in [Http::One, Http::One, Http::One, Http::Two, Http::Two] {
            let (mut socket, response) = connect(&url, &options.clone().http(http)).await.unwrap();
            assert_eq!(response.version() == Version::HTTP_2, http == Http::Two);
            socket.close(None).await.unwrap();
            assert_eq!(rx.recv().await.unwrap(), chain);
        }
    }
    let plain = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", plain.local_addr().unwrap());
    tokio::spawn(plain.serve(|request: Request| {
        assert_eq!(request.client_certificates().count(), 0);
        async { request.accept().await.map(drop) }
    }));
    connect(&url, &ConnectOptions::new()).await.unwrap();
}

/// FC-09: an error message does not repeat the message of its source.
#[tokio::test]
async fn a_message_does_not_repeat_its_source() {
    let (_held, nobody) = fullduplex_lab::script::deaf();
    let through_nobody = Proxy::parse(&format!("http://{nobody}")).unwrap();
    let own = Authority::self_signed("localhost", true);
    let port = serve(own.of_server()).await;
    for (url, options) in [
        (format!("ws://{nobody}/"), ConnectOptions::new()),
        ("ws://no-such-host.invalid/".into(), ConnectOptions::new()),
        (format!("wss://localhost:{port}/"), ConnectOptions::new()),
        (format!("ws://localhost:{port}/"), ConnectOptions::new()),
        ("ws://server.example/".into(), ConnectOptions::new().proxies(through_nobody)),
        ("nonsense".into(), ConnectOptions::new()),
    ] {
        let error: ConnectError = connect(&url, &options).await.unwrap_err();
        let text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            assert!(!text.contains(&cause.to_string()), "{text}: {cause}");
            source = cause.source();
        }
    }
}
