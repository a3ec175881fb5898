//! Handshake requests and responses: the result does not depend on how the bytes are split, and a client
//! accepts the server's answer to its request.
#![no_main]

use std::fmt::Debug;
use std::mem::discriminant;

use bytes::BytesMut;
use fullduplex_fuzz::pieces;
use fullduplex_proto::handshake::head::{self, HeadError, HeadReader};
use fullduplex_proto::handshake::{Answer, Nonce, Offer, Subprotocols};
use fullduplex_proto::{Limits, Url};
use http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    is_response: bool,
    lengths: [u8; 4],
    wire: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let Input { is_response, lengths, wire } = input;
    if is_response {
        if let Some(response) = read(HeadReader::response, of_response, wire, lengths) {
            check_response(&response);
        }
    } else if let Some(request) = read(HeadReader::request, of_request, wire, lengths) {
        check_request(&request);
    }
});

/// Reads a head at once and in pieces, and compares what `essence` returns for both.
fn read<T, E: PartialEq + Debug>(
    handle: fn(&mut HeadReader, &mut BytesMut) -> Result<Option<T>, HeadError>,
    essence: fn(&T) -> E,
    wire: &[u8],
    lengths: [u8; 4],
) -> Option<T> {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut reader, mut input, mut arrived) =
            (HeadReader::new(Limits::default()), BytesMut::new(), 0);
        for piece in pieces {
            input.extend_from_slice(piece);
            arrived += piece.len();
            if let Some(outcome) = handle(&mut reader, &mut input).transpose() {
                return Some(outcome.map(|head| (head, arrived - input.len())));
            }
            assert!(input.len() <= Limits::default().head_bytes);
        }
        None
    };
    // The text of an error shows the bytes that had arrived, which differ.
    let comparable = |outcome: &Option<Result<(T, usize), HeadError>>| {
        outcome.as_ref().map(|outcome| match outcome {
            Ok((head, len)) => Ok((essence(head), *len)),
            Err(error) => Err(discriminant(error)),
        })
    };
    let whole = read(&mut [wire].into_iter());
    assert_eq!(comparable(&read(&mut pieces(wire, lengths))), comparable(&whole));
    whole?.ok().map(|(head, _)| head)
}

fn of_request(request: &Request<()>) -> (Method, Uri, Version, HeaderMap) {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    (method, uri, request.version(), request.headers().clone())
}

fn of_response(response: &Response<()>) -> (StatusCode, Version, HeaderMap) {
    (response.status(), response.version(), response.headers().clone())
}

fn check_request(request: &Request<()>) {
    let offer = match Offer::from_request(request) {
        Ok(offer) => offer,
        Err(rejection) => {
            let response = over_the_wire(&rejection.to_response());
            assert_eq!(response.status(), rejection.status());
            assert!(rejection.status().is_client_error());
            return;
        }
    };
    assert!(is_opening_request(request), "{request:?}");
    let answer = Answer::choosing(&offer, &subprotocols());
    let response = over_the_wire(&answer.to_response(&offer));
    assert_eq!(Answer::from_response(&offer, &response).as_ref(), Ok(&answer));
    // The parsed offer makes an equivalent request.
    let url = Url::parse("ws://example.com/").expect("a URL");
    let request = offer.to_request(&url, &HeaderMap::new()).expect("no further headers");
    let mut wire = Vec::new();
    head::encode_request(&request, &mut wire);
    let read = HeadReader::new(Limits::default()).request(&mut BytesMut::from(&wire[..]));
    let request = read.expect("our own request").expect("it is complete");
    let again = Offer::from_request(&request).expect("our own offer");
    assert_eq!(again.subprotocols(), offer.subprotocols());
    assert_eq!(answer.to_response(&again).headers(), answer.to_response(&offer).headers());
}

fn check_response(response: &Response<()>) {
    let offer = Offer::new(Nonce(*b"the sample nonce"), subprotocols());
    if let Ok(answer) = Answer::from_response(&offer, response) {
        assert!(is_opening_response(response), "{response:?}");
        let response = over_the_wire(&answer.to_response(&offer));
        assert_eq!(Answer::from_response(&offer, &response), Ok(answer));
    }
}

/// Returns whether a request has the required headers of the handshake (RFC6455-4.2.1-2).
fn is_opening_request(request: &Request<()>) -> bool {
    let headers = request.headers();
    let key = only(headers, SEC_WEBSOCKET_KEY);
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && headers.get_all(HOST).iter().count() == 1
        && lists(headers, UPGRADE, "websocket")
        && lists(headers, CONNECTION, "upgrade")
        && only(headers, SEC_WEBSOCKET_VERSION) == Some("13")
        && key.is_some_and(|key| key.len() == 24 && key.ends_with("=="))
}

/// Returns whether a response has the required headers for our offer (RFC6455-4.1-25 to RFC6455-4.1-30).
fn is_opening_response(response: &Response<()>) -> bool {
    let headers = response.headers();
    let subprotocol = only(headers, SEC_WEBSOCKET_PROTOCOL);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && response.version() == Version::HTTP_11
        && only(headers, UPGRADE).is_some()
        && lists(headers, UPGRADE, "websocket")
        && lists(headers, CONNECTION, "upgrade")
        && only(headers, SEC_WEBSOCKET_ACCEPT) == Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        && (!headers.contains_key(SEC_WEBSOCKET_PROTOCOL)
            || matches!(subprotocol, Some("chat" | "superchat")))
        && !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
}

/// Returns the value of a header, if there is exactly one.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let values: Vec<_> = headers.get_all(name).iter().collect();
    let [value] = values[..] else {
        return None;
    };
    value.to_str().ok().map(str::trim)
}

fn lists(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(wanted))
}

fn over_the_wire<B>(response: &Response<B>) -> Response<()> {
    let mut wire = Vec::new();
    head::encode_response(response, &mut wire);
    let read = HeadReader::new(Limits::default()).response(&mut BytesMut::from(&wire[..]));
    read.expect("our own response").expect("it is complete")
}

fn subprotocols() -> Subprotocols {
    Subprotocols::new(["chat", "superchat"]).expect("two tokens")
}
