//! The opening handshake over HTTP/2 (RFC 8441): both ends, and requests and responses that are refused.

use fullduplex_proto::handshake::{
    Answer, AnswerError, ConnectProtocol, Endpoint, HostPolicy, Nonce, Offer, Origin, OriginPolicy,
    Rejection, ReservedHeaderError, Subprotocols,
};
use fullduplex_proto::{DeflateConfig, Url};
use http::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, ORIGIN, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
};

/// RFC8441-4-1, RFC8441-4-2, RFC8441-5-1, RFC8441-5-2
#[test]
fn a_request_is_an_extended_connect() {
    for (url, target) in [
        ("ws://example.com/chat?a=b", "http://example.com/chat?a=b"),
        ("wss://example.com:8443", "https://example.com:8443/"),
        ("wss://[::1]/", "https://[::1]/"),
    ] {
        let request = request(url, &HeaderMap::new());
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.uri(), target);
        assert_eq!(request.extensions().get(), Some(&ConnectProtocol::WEBSOCKET));
    }
    assert_eq!(ConnectProtocol::WEBSOCKET.as_str(), "websocket");
}

/// RFC8441-5-3, RFC8441-5-4, RFC8441-5-5: only the headers of HTTP/1.1 are missing.
#[test]
fn a_request_has_the_other_headers_of_an_upgrade() {
    let url = Url::parse("ws://user:secret@example.com/").unwrap();
    let subprotocols = Subprotocols::new(["chat", "superchat"]).unwrap();
    let mut further = HeaderMap::new();
    further.insert(ORIGIN, HeaderValue::from_static("https://example.com"));
    let connect = Offer::extended_connect(subprotocols.clone());
    let upgrade = Offer::new(Nonce([0; 16]), subprotocols);
    let headers = |offer: Offer| {
        let offer = offer.with_deflate(DeflateConfig::default());
        offer.to_request(&url, &further).unwrap().headers().clone()
    };
    let mut expected = headers(upgrade);
    for name in [HOST, UPGRADE, CONNECTION, SEC_WEBSOCKET_KEY] {
        assert!(expected.remove(name).is_some());
    }
    assert_eq!(headers(connect), expected);
    assert!(
        expected.contains_key(SEC_WEBSOCKET_EXTENSIONS) && expected.contains_key(AUTHORIZATION)
    );
}

#[test]
fn a_host_of_the_application_replaces_the_authority() {
    let mut further = HeaderMap::new();
    further.insert(HOST, HeaderValue::from_static("other.example:81"));
    let request = request("wss://example.com/a", &further);
    assert_eq!(request.uri(), "https://other.example:81/a");
    assert!(!request.headers().contains_key(HOST));

    further.insert(HOST, HeaderValue::from_static("not a host"));
    let offer = Offer::extended_connect(Subprotocols::default());
    let url = Url::parse("wss://example.com/a").unwrap();
    assert_eq!(offer.to_request(&url, &further).unwrap_err(), ReservedHeaderError(HOST));
}

/// RFC8441-5-5, RFC8441-5-6: the answer to the offer opens the connection at both ends.
#[test]
fn both_ends_agree_on_a_subprotocol_and_on_compression() {
    let subprotocols = Subprotocols::new(["chat", "superchat"]).unwrap();
    let config = DeflateConfig::default();
    let offer = Offer::extended_connect(subprotocols).with_deflate(config);
    let url = Url::parse("ws://example.com/").unwrap();
    let received =
        Offer::from_request(&offer.to_request(&url, &HeaderMap::new()).unwrap()).unwrap();
    let spoken = Subprotocols::new(["superchat"]).unwrap();
    let response =
        Answer::choosing(&received, &spoken).with_deflate(&received, config).to_response(&received);
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    let names: Vec<_> = response.headers().keys().collect();
    assert_eq!(names, [SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_EXTENSIONS]);
    let answer = Answer::from_response(&offer, &response).unwrap();
    assert_eq!(answer.subprotocol().unwrap().as_str(), "superchat");
    assert!(answer.deflate().is_some());
}

/// The change of a valid request, the status of the rejection, and the part of its reason.
type Case = (fn(&mut Request<()>), u16, &'static str);

const REFUSED: &[Case] = &[
    (|request| *request.method_mut() = Method::GET, 405, "an extended CONNECT"),
    (|request| *request.method_mut() = Method::POST, 405, "an extended CONNECT"),
    // RFC8441-4-3: no tunnel to the authority is opened.
    (
        |request| {
            request.extensions_mut().remove::<ConnectProtocol>();
        },
        501,
        "not a proxy",
    ),
    // RFC8441-5-1, RFC9220-3-2
    (
        |request| {
            request.extensions_mut().insert(ConnectProtocol::new("connect-udp"));
        },
        501,
        "`connect-udp`",
    ),
    (
        |request| {
            request.extensions_mut().insert(ConnectProtocol::new("WebSocket"));
        },
        501,
        "`WebSocket`",
    ),
    (|request| *request.uri_mut() = Uri::from_static("ftp://a/"), 400, "target"),
    (|request| *request.uri_mut() = Uri::from_static("https://u@a/"), 400, "authority"),
    (|request| *request.uri_mut() = Uri::from_static("/"), 400, "one Host header"),
    (|request| add(request, HOST, "other"), 400, "differs from the authority"),
    // RFC8441-5-3
    (|request| add(request, CONNECTION, "Upgrade"), 400, "not allowed"),
    (|request| add(request, UPGRADE, "websocket"), 400, "not allowed"),
    (|request| add(request, CONTENT_LENGTH, "5"), 400, "no body"),
    (|request| add(request, TRANSFER_ENCODING, "chunked"), 400, "no body"),
    // RFC8441-5-5
    (|request| add(request, SEC_WEBSOCKET_VERSION, "13"), 400, "repeated"),
    (|request| set(request, SEC_WEBSOCKET_VERSION, "8"), 400, "must be 13"),
    (|request| add(request, SEC_WEBSOCKET_PROTOCOL, "a b"), 400, "Sec-WebSocket-Protocol"),
    (|request| add(request, SEC_WEBSOCKET_EXTENSIONS, "=;"), 400, "Sec-WebSocket-Extensions"),
];

#[test]
fn invalid_requests_are_refused() {
    for (index, (change, status, reason)) in REFUSED.iter().enumerate() {
        let mut request = request("wss://example.com/chat", &HeaderMap::new());
        change(&mut request);
        let rejection = Offer::from_request(&request).unwrap_err();
        let shown = rejection.to_string();
        assert_eq!(rejection.status().as_u16(), *status, "case {index}: {shown}");
        assert!(shown.contains(reason), "case {index}: {shown}");
    }
}

/// RFC 9110 section 15.5.6, RFC6455-4.4-1
#[test]
fn a_rejection_says_what_is_supported() {
    let header = |change: fn(&mut Request<()>), name: HeaderName| {
        let mut request = request("wss://example.com/", &HeaderMap::new());
        change(&mut request);
        let rejection: Rejection = Offer::from_request(&request).unwrap_err();
        rejection.to_response().headers()[name].clone()
    };
    assert_eq!(header(|request| *request.method_mut() = Method::GET, ALLOW), "CONNECT");
    let version_8 = |request: &mut Request<()>| set(request, SEC_WEBSOCKET_VERSION, "8");
    assert_eq!(header(version_8, SEC_WEBSOCKET_VERSION), "13");
}

/// RFC8441-5-4
#[test]
fn keys_and_accept_values_are_ignored() {
    let mut request = request("wss://example.com/", &HeaderMap::new());
    add(&mut request, SEC_WEBSOCKET_KEY, "not a key");
    add(&mut request, SEC_WEBSOCKET_KEY, "another one");
    let offer = Offer::from_request(&request).unwrap();
    let mut response = Answer::default().to_response(&offer);
    response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("nonsense"));
    Answer::from_response(&offer, &response).unwrap();
}

/// RFC8441-5-6: any status of success opens the connection, and no other status.
#[test]
fn a_status_of_success_opens_the_connection() {
    let offer = Offer::extended_connect(Subprotocols::default());
    let answer = |status: u16, version| {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        *response.version_mut() = version;
        Answer::from_response(&offer, &response)
    };
    for status in [200, 201, 204, 299] {
        answer(status, Version::HTTP_2).unwrap();
        answer(status, Version::HTTP_3).unwrap();
    }
    for status in [101, 199, 300, 302, 401, 404, 500] {
        let expected = AnswerError::Status(StatusCode::from_u16(status).unwrap());
        assert_eq!(answer(status, Version::HTTP_2), Err(expected));
    }
    let expected = AnswerError::HttpVersion(Version::HTTP_11);
    assert_eq!(answer(200, Version::HTTP_11), Err(expected));
}

/// RFC8441-5-5: what was not offered is refused.
#[test]
fn a_server_cannot_choose_what_was_not_offered() {
    let offer = Offer::extended_connect(Subprotocols::default());
    for (name, value) in
        [(SEC_WEBSOCKET_PROTOCOL, "chat"), (SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate")]
    {
        let mut response = Answer::default().to_response(&offer);
        response.headers_mut().insert(name, HeaderValue::from_static(value));
        assert!(Answer::from_response(&offer, &response).is_err(), "{value}");
    }
}

/// RFC8441-4-3, RFC8441-5-5: the policies read the authority as they read `Host`.
#[test]
fn policies_check_the_authority() {
    let mut request = request("ws://app.example:81/", &HeaderMap::new());
    let local = Endpoint { address: Some([127, 0, 0, 1].into()), is_tls: false };
    let refused = HostPolicy::Auto.check(&request, local).unwrap_err();
    assert_eq!(refused.status(), StatusCode::MISDIRECTED_REQUEST);
    for (origin, is_allowed) in
        [("http://app.example:81", true), ("http://app.example", false), ("http://a:81", false)]
    {
        set(&mut request, ORIGIN, origin);
        let checked = OriginPolicy::Same.check(&request, Endpoint::default());
        assert_eq!(checked.is_ok(), is_allowed, "{origin}");
        let listed = OriginPolicy::Listed(vec![Origin::parse(origin).unwrap()]);
        listed.check(&request, Endpoint::default()).unwrap();
    }
}

/// RFC 9113 section 8.3.1: without `:authority`, the request has a `Host` header.
#[test]
fn a_host_header_may_take_the_place_of_the_authority() {
    let mut request = request("wss://example.com/", &HeaderMap::new());
    *request.uri_mut() = "/".parse().unwrap();
    add(&mut request, HOST, "example.com");
    add(&mut request, COOKIE, "a=b");
    Offer::from_request(&request).unwrap();
}

fn request(url: &str, further: &HeaderMap) -> Request<()> {
    let offer = Offer::extended_connect(Subprotocols::default());
    offer.to_request(&Url::parse(url).expect("a URL"), further).expect("a request")
}

fn add(request: &mut Request<()>, name: HeaderName, value: &'static str) {
    request.headers_mut().append(name, HeaderValue::from_static(value));
}

fn set(request: &mut Request<()>, name: HeaderName, value: &'static str) {
    request.headers_mut().insert(name, HeaderValue::from_static(value));
}
