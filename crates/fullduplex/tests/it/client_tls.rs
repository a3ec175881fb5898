//! The TLS options of a client: trusted roots, server name, pins and client certificates.

use fullduplex::{Tls, TlsBuilder, TlsConfigError, WebSocket};
use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_lab::folder::Folder;
use fullduplex_lab::script::{Peer, Scripted, close_frame, script};
use fullduplex_lab::trace::Trace;
use tokio_rustls::TlsAcceptor;

/// Starts a server that opens the connection and closes it. Returns the server name that the client
/// sent.
async fn secured(acceptor: TlsAcceptor) -> Scripted<Option<String>> {
    script(async move |peer: Peer| {
        let mut peer = peer.tls(&acceptor).await.ok()?;
        // In TLS 1.3, a client receives the rejection of its certificate only now.
        peer.shake_hands().await;
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        let stream = peer.into_inner();
        let name = stream.get_ref().1.server_name().map(ToOwned::to_owned);
        Peer::over(stream).fin().await;
        name
    })
    .await
}

/// Records a client with these options. Also returns its server name.
async fn try_with(acceptor: TlsAcceptor, host: &str, tls: TlsBuilder) -> (Trace, Option<String>) {
    let server = secured(acceptor).await;
    let socket =
        WebSocket::builder(&server.wss_url(host)).tls(tls.build().expect("the options are valid"));
    server.record_as(socket).await
}

fn root(authority: &Authority) -> Vec<u8> {
    authority.root_pem().into_bytes()
}

fn localhost(authority: &Authority) -> Identity {
    authority.issue(&["localhost"], Validity::Now)
}

/// RFC6455-10.6-1.
#[tokio::test]
async fn only_the_given_roots_are_trusted() {
    let [ours, other] = [Authority::new(), Authority::new()];
    let identity = localhost(&ours);
    let trust = |authority| Tls::builder().only_roots(&root(authority));
    let (trace, _) = try_with(identity.acceptor(), "localhost", trust(&ours)).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    let (trace, _) = try_with(identity.acceptor(), "localhost", trust(&other)).await;
    trace.assert_failed(&[], "signed by an unknown authority");
    // Roots can be added.
    let both = trust(&other).extra_roots(&root(&ours));
    try_with(identity.acceptor(), "localhost", both)
        .await
        .0
        .assert_events(&Trace::OPENED_AND_CLOSED);
    let expired = ours.issue(&["localhost"], Validity::Expired);
    let (trace, _) = try_with(expired.acceptor(), "localhost", trust(&ours)).await;
    trace.assert_failed(&[], "expired");
    let elsewhere = ours.issue(&["elsewhere.example"], Validity::Now);
    let (trace, _) = try_with(elsewhere.acceptor(), "localhost", trust(&ours)).await;
    trace.assert_failed(&[], "not valid for name");
}

#[tokio::test]
async fn a_client_certificate_is_sent_on_request() {
    let [servers, clients] = [Authority::new(), Authority::new()];
    let acceptor = || localhost(&servers).acceptor_for_clients_of(&clients);
    let trusting = || Tls::builder().only_roots(&root(&servers));
    let client = clients.issue(&["somebody"], Validity::Now);
    let showing = |identity: &Identity| {
        trusting().client_certificate(identity.cert_pem.as_bytes(), identity.key_pem.as_bytes())
    };
    let (trace, _) = try_with(acceptor(), "localhost", showing(&client)).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    let (trace, _) = try_with(acceptor(), "localhost", trusting()).await;
    trace.assert_failed(&[], "CertificateRequired");
    let stranger = servers.issue(&["somebody"], Validity::Now);
    let (trace, _) = try_with(acceptor(), "localhost", showing(&stranger)).await;
    trace.assert_failed(&[], "received fatal alert");
}

/// RFC6455-4.1-10.
#[tokio::test]
async fn another_server_name_is_sent_and_verified() {
    let authority = Authority::new();
    let identity = authority.issue(&["inside.example"], Validity::Now);
    let trusting = || Tls::builder().only_roots(&root(&authority));
    let named = trusting().server_name("inside.example");
    let (trace, asked) = try_with(identity.acceptor(), "127.0.0.1", named).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    assert_eq!(asked.as_deref(), Some("inside.example"));
    let wrong = trusting().server_name("outside.example");
    let (trace, _) = try_with(identity.acceptor(), "127.0.0.1", wrong).await;
    trace.assert_failed(&[], "not valid for name");
}

#[tokio::test]
async fn a_pinned_key_is_checked_in_addition_to_the_certificate() {
    let authority = Authority::new();
    let [identity, other] = [localhost(&authority), localhost(&authority)];
    let trusting = || Tls::builder().only_roots(&root(&authority));
    let [pin, other_pin] = [&identity, &other].map(Identity::public_key_sha256);
    for pinned in [
        trusting().pin_public_key(pin),
        trusting().pin_public_key(other_pin).pin_public_key(pin),
        Tls::builder().danger_accept_any_certificate().pin_public_key(pin),
    ] {
        let (trace, _) = try_with(identity.acceptor(), "localhost", pinned).await;
        trace.assert_events(&Trace::OPENED_AND_CLOSED);
    }
    let shown: String = pin.iter().map(|byte| format!("{byte:02x}")).collect();
    for pinned in [
        trusting().pin_public_key(other_pin),
        Tls::builder().danger_accept_any_certificate().pin_public_key(other_pin),
    ] {
        let (trace, _) = try_with(identity.acceptor(), "localhost", pinned).await;
        trace.assert_failed(&[], &format!("public key is {shown}, which is not pinned"));
    }
    // A pin does not replace verification.
    let pinned = Tls::builder().only_roots(&root(&Authority::new())).pin_public_key(pin);
    let (trace, _) = try_with(identity.acceptor(), "localhost", pinned).await;
    trace.assert_failed(&[], "signed by an unknown authority");
}

/// The signature of the handshake is verified even if the certificate is not.
#[tokio::test]
async fn a_certificate_without_its_key_is_rejected() {
    let authority = Authority::new();
    let [identity, other] = [localhost(&authority), localhost(&authority)];
    let trusting = || Tls::builder().only_roots(&root(&authority));
    let anyone = || Tls::builder().danger_accept_any_certificate();
    let pin = identity.public_key_sha256();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for tls in
            [trusting(), trusting().pin_public_key(pin), anyone(), anyone().pin_public_key(pin)]
        {
            let itself = identity.impostor(&identity, version);
            let (trace, _) = try_with(itself, "localhost", tls.clone()).await;
            trace.assert_events(&Trace::OPENED_AND_CLOSED);
            let impostor = identity.impostor(&other, version);
            let (trace, _) = try_with(impostor, "localhost", tls).await;
            trace.assert_failed(&[], "BadSignature");
        }
    }
}

#[tokio::test]
async fn any_certificate_is_accepted_on_request() {
    let expired = Authority::new().issue(&["elsewhere.example"], Validity::Expired);
    let tls = Tls::builder().danger_accept_any_certificate();
    let (trace, _) = try_with(expired.acceptor(), "localhost", tls).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
}

#[test]
fn invalid_options_fail_at_build() {
    let authority = Authority::new();
    let [one, other] = [localhost(&authority), localhost(&authority)];
    let bad = |builder: TlsBuilder| builder.build().unwrap_err();
    let pem = |error: &TlsConfigError, wanted: &str| matches!(error, TlsConfigError::Pem { part, .. } if *part == wanted);
    let error = bad(Tls::builder().only_roots(b"no certificate"));
    assert!(pem(&error, "roots"), "{error:?}");
    let error = bad(Tls::builder().extra_roots(&root(&authority)).extra_roots(b""));
    assert!(pem(&error, "roots"), "{error:?}");
    let error = bad(Tls::builder().server_name("not a name"));
    assert!(
        matches!(&error, TlsConfigError::ServerName(name) if name == "not a name"),
        "{error:?}"
    );
    let (cert, key) = (one.cert_pem.as_bytes(), one.key_pem.as_bytes());
    let error = bad(Tls::builder().client_certificate(b"", key));
    assert!(pem(&error, "client's certificate"), "{error:?}");
    let error = bad(Tls::builder().client_certificate(cert, cert));
    assert!(pem(&error, "client's private key"), "{error:?}");
    let error = bad(Tls::builder().client_certificate(cert, other.key_pem.as_bytes()));
    assert!(matches!(error, TlsConfigError::Client(_)), "{error:?}");
}

/// Runs in another process, because an environment variable names the file.
#[test]
fn tls_secrets_are_logged_on_request_only() {
    const CHILD: &str = "FULLDUPLEX_LAB_LOGS";
    if let Ok(logs) = std::env::var(CHILD) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async {
            let authority = Authority::new();
            let tls = Tls::builder().only_roots(&root(&authority));
            let tls = if logs == "yes" { tls.log_keys() } else { tls };
            let (trace, _) = try_with(localhost(&authority).acceptor(), "localhost", tls).await;
            trace.assert_events(&Trace::OPENED_AND_CLOSED);
        });
    }
    for (logs, expected) in [("yes", true), ("no", false)] {
        let folder = Folder::new();
        let file = folder.path().join("keys");
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "client_tls::tls_secrets_are_logged_on_request_only", "--quiet"])
            .env(CHILD, logs)
            .env("SSLKEYLOGFILE", &file)
            .status();
        assert!(status.unwrap().success());
        let logged = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(logged.contains("CLIENT_TRAFFIC_SECRET_0 "), expected, "{logged}");
    }
}
