//! `Sec-WebSocket-Extensions`: what our code reads from the header must agree with the result of a second
//! parser. Then the negotiation is checked: with our client or another one, and with our server or another
//! one.
#![no_main]

use std::sync::LazyLock;

use fullduplex_fuzz::Agreement;
use fullduplex_proto::handshake::{Answer, Extension, Nonce, Offer, Param, Subprotocols};
use fullduplex_proto::{ContextParams, ContextTakeover, DeflateConfig, Url};
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use http::{HeaderMap, HeaderValue, Request};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    client: Agreement,
    server: Agreement,
    /// The peer's header. LF separates its lines.
    header: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let lines = input.header.split(|&byte| byte == b'\n').map(HeaderValue::from_bytes);
    let Ok(lines) = lines.collect::<Result<Vec<_>, _>>() else {
        return;
    };
    let (client, server) = (input.client.deflate(), input.server.deflate());
    check_ours(client, server);
    let listed = naive(&lines);
    check_foreign_offer(&lines, listed.as_deref(), server);
    check_foreign_answer(&lines, listed.as_deref(), client);
});

/// Checks that our own two ends agree on the same parameters, within what either end wants.
fn check_ours(client: DeflateConfig, server: DeflateConfig) {
    let offer = offer(client);
    let read = Offer::from_request(&request(&offer)).expect("our own request");
    assert_eq!(read.extensions(), offer.extensions());
    let answer = Answer::default().with_deflate(&read, server);
    let parsed = Answer::from_response(&offer, &answer.to_response(&read));
    let parsed = parsed.expect("our own answer");
    assert_eq!(parsed.extensions(), answer.extensions());
    let [agreed, parsed] = [answer, parsed].map(|end| end.deflate().expect("both want it"));
    assert_eq!((agreed.client, agreed.server), (parsed.client, parsed.server));
    for wanted in [client, server] {
        assert!(is_within(agreed.client, wanted.client));
        assert!(is_within(agreed.server, wanted.server));
    }
}

fn check_foreign_offer(lines: &[HeaderValue], listed: Option<&[Extension]>, server: DeflateConfig) {
    let mut request = request(&offer(server));
    set(request.headers_mut(), lines);
    let offer = Offer::from_request(&request);
    assert_eq!(offer.as_ref().ok().map(Offer::extensions), listed);
    let (Ok(offer), Some(listed)) = (offer, listed) else {
        return;
    };
    let agreed = Answer::default().with_deflate(&offer, server).deflate();
    // RFC7692-7-1
    assert_eq!(agreed.is_some(), listed.iter().any(is_deflate));
    assert!(agreed.is_none_or(|agreed| is_within(agreed.server, server.server)));
}

fn check_foreign_answer(
    lines: &[HeaderValue],
    listed: Option<&[Extension]>,
    client: DeflateConfig,
) {
    let offer = offer(client);
    let mut response = Answer::default().to_response(&offer);
    set(response.headers_mut(), lines);
    if let Ok(answer) = Answer::from_response(&offer, &response) {
        // RFC7692-5-10, RFC7692-7-2
        let [extension] = listed.expect("the header matches its grammar") else {
            panic!("not exactly one extension: {listed:?}");
        };
        assert!(is_deflate(extension));
        let agreed = answer.deflate().expect("the server accepted it");
        assert!(is_within(agreed.server, client.server));
        assert!(agreed.client.window_bits <= client.client.window_bits);
    }
}

/// Returns whether a context requires no more of the other end than `limit` does.
fn is_within(context: ContextParams, limit: ContextParams) -> bool {
    context.window_bits <= limit.window_bits
        && (limit.takeover == ContextTakeover::Yes || context.takeover == ContextTakeover::No)
}

fn offer(wanted: DeflateConfig) -> Offer {
    Offer::new(Nonce(*b"the sample nonce"), Subprotocols::default()).with_deflate(wanted)
}

fn request(offer: &Offer) -> Request<()> {
    static URL: LazyLock<Url> = LazyLock::new(|| Url::parse("ws://example.com/").expect("a URL"));
    offer.to_request(&URL, &HeaderMap::new()).expect("no further headers")
}

fn set(headers: &mut HeaderMap, lines: &[HeaderValue]) {
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    for line in lines {
        headers.append(SEC_WEBSOCKET_EXTENSIONS, line.clone());
    }
}

/// Returns whether this is permessage-deflate with valid parameters (RFC 7692 section 7.1).
fn is_deflate(extension: &Extension) -> bool {
    let is_bits = |value: &str| (8..=15).any(|bits: u8| bits.to_string() == value);
    let is_right = |param: &Param| match (param.name.as_str(), param.value.as_deref()) {
        ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
        ("server_max_window_bits" | "client_max_window_bits", Some(value)) => is_bits(value),
        ("client_max_window_bits", None) => true,
        _ => false,
    };
    let params = &extension.params;
    let is_alone =
        |param: &Param| params.iter().filter(|other| other.name == param.name).count() == 1;
    extension.name == "permessage-deflate" && params.iter().all(|p| is_right(p) && is_alone(p))
}

#[derive(Debug, PartialEq)]
enum Lexeme {
    Separator(u8),
    Token(String),
    Quoted(String),
}

/// Parses the grammar of RFC 6455 section 9.1: first into lexemes, then at the separators. Empty elements of
/// a list are ignored (RFC 9110 section 5.6.1.2), but one element must not be empty.
fn naive(lines: &[HeaderValue]) -> Option<Vec<Extension>> {
    let mut extensions = Vec::new();
    for line in lines {
        let lexemes = lexemes(line.as_bytes())?;
        let elements = lexemes.split(|lexeme| *lexeme == Lexeme::Separator(b','));
        for element in elements.filter(|element| !element.is_empty()) {
            let mut parts = element.split(|lexeme| *lexeme == Lexeme::Separator(b';'));
            let [Lexeme::Token(name)] = parts.next()? else {
                return None;
            };
            let params = parts.map(param).collect::<Option<_>>()?;
            extensions.push(Extension { name: name.clone(), params });
        }
    }
    (!extensions.is_empty()).then_some(extensions)
}

fn param(lexemes: &[Lexeme]) -> Option<Param> {
    use Lexeme::{Quoted, Separator, Token};
    match lexemes {
        [Token(name)] => Some(Param { name: name.clone(), value: None }),
        [Token(name), Separator(b'='), Token(value) | Quoted(value)] => {
            Some(Param { name: name.clone(), value: Some(value.clone()) })
        }
        _ => None,
    }
}

fn lexemes(line: &[u8]) -> Option<Vec<Lexeme>> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut lexemes = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => {}
            b',' | b';' | b'=' => lexemes.push(Lexeme::Separator(byte)),
            b'"' => {
                let mut value = String::new();
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        b'\\' => value.push(char::from(bytes.next()?)),
                        byte => value.push(char::from(byte)),
                    }
                }
                let is_value = !value.is_empty() && value.bytes().all(is_token);
                lexemes.push(is_value.then_some(Lexeme::Quoted(value))?);
            }
            byte if is_token(byte) => {
                let mut token = String::from(char::from(byte));
                token
                    .extend(std::iter::from_fn(|| bytes.next_if(|&b| is_token(b)).map(char::from)));
                lexemes.push(Lexeme::Token(token));
            }
            _ => return None,
        }
    }
    Some(lexemes)
}
