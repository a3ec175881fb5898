//! The negotiation of compression (RFC 7692 sections 5 and 7.1).

use fullduplex_proto::handshake::{Answer, AnswerError, Nonce, Offer, Subprotocols};
use fullduplex_proto::{
    AgreedDeflate, ContextParams, ContextTakeover, DeflateConfig, Url, WindowBits,
};
use http::{HeaderMap, Request};

use crate::support::opening::{NONCE, REQUEST, RESPONSE, head, request, response};

fn context(bits: u8, takeover: ContextTakeover) -> ContextParams {
    ContextParams { window_bits: WindowBits::new(bits).expect("8 to 15"), takeover }
}

fn deflate(client: (u8, ContextTakeover), server: (u8, ContextTakeover)) -> DeflateConfig {
    let mut deflate = DeflateConfig::default();
    deflate.client = context(client.0, client.1);
    deflate.server = context(server.0, server.1);
    deflate
}

fn offer() -> Offer {
    Offer::new(Nonce(NONCE), Subprotocols::default())
}

fn opening(offer: &Offer) -> Request<()> {
    let url = Url::parse("ws://server.example.com/chat").expect("a URL");
    offer.to_request(&url, &HeaderMap::new()).expect("no further headers")
}

/// Returns the answer to an offer from a server with the configuration `wanted`: the header of the answer,
/// and the agreed parameters.
fn server_answers(offered: &str, wanted: DeflateConfig) -> (String, Option<AgreedDeflate>) {
    let line = format!("Sec-WebSocket-Extensions: {offered}");
    let request = request(head(&REQUEST, "", &[&line])).expect("a head").expect("a whole head");
    let offer = Offer::from_request(&request).expect("a valid request");
    let answer = Answer::default().with_deflate(&offer, wanted);
    let header = answer.to_response(&offer).headers().get("sec-websocket-extensions").cloned();
    assert_eq!(
        header.map(|value| value.to_str().expect("ASCII").to_owned()).unwrap_or_default(),
        answer.extensions()
    );
    (answer.extensions(), answer.deflate())
}

/// Returns the parameters that a client with the configuration `wanted` agrees on for the server's answer.
fn client_agrees(
    wanted: DeflateConfig,
    answered: &[&str],
) -> Result<Option<AgreedDeflate>, AnswerError> {
    let lines: Vec<String> =
        answered.iter().map(|value| format!("Sec-WebSocket-Extensions: {value}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let response = response(head(&RESPONSE, "", &lines)).expect("a head").expect("a whole head");
    let offer = offer().with_deflate(wanted);
    Answer::from_response(&offer, &response).map(|answer| answer.deflate())
}

use ContextTakeover::{No, Yes};

/// RFC7692-5-1, RFC7692-5-3, RFC7692-7.3-1, RFC6455-9.1-4: the offer contains the parameters of the client's
/// configuration. It contains a window size only if that is smaller than the default.
#[test]
fn a_client_offers_its_configured_parameters() {
    for (wanted, header) in [
        (DeflateConfig::default(), "permessage-deflate; client_max_window_bits"),
        (
            deflate((15, No), (15, No)),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits",
        ),
        (
            deflate((10, Yes), (8, Yes)),
            "permessage-deflate; server_max_window_bits=8; client_max_window_bits=10",
        ),
    ] {
        let offer = offer().with_deflate(wanted);
        assert_eq!(opening(&offer).headers()["sec-websocket-extensions"], header);
    }
    assert!(!opening(&offer()).headers().contains_key("sec-websocket-extensions"));
}

/// RFC7692-5-4, RFC7692-5-9, RFC7692-7.1.1.1-1, RFC7692-7.1.1.1-2, RFC7692-7.1.2.1-2,
/// RFC7692-7.1.2.2-2, RFC7692-7.1.2.2-3.
#[test]
fn a_server_accepts_no_more_than_was_offered() {
    let all = DeflateConfig::default();
    let small = deflate((10, No), (9, No));
    let no_takeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (offered, wanted, answered, agreed) in [
        ("permessage-deflate", all, "permessage-deflate", Some(all)),
        ("permessage-deflate; client_max_window_bits", all, "permessage-deflate", Some(all)),
        // A server may always limit its own window. It may limit the client's window only if the client
        // offered this.
        (
            "permessage-deflate",
            small,
            &*format!("{no_takeover}; server_max_window_bits=9"),
            Some(deflate((15, No), (9, No))),
        ),
        (
            "permessage-deflate; client_max_window_bits",
            small,
            &*format!("{no_takeover}; server_max_window_bits=9; client_max_window_bits=10"),
            Some(small),
        ),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
            all,
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9",
            Some(deflate((9, Yes), (12, Yes))),
        ),
        (
            "permessage-deflate; client_max_window_bits=8; server_max_window_bits=8",
            small,
            &*format!("{no_takeover}; server_max_window_bits=8; client_max_window_bits=8"),
            Some(deflate((8, No), (8, No))),
        ),
        (
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
            all,
            "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15",
            Some(all),
        ),
        (
            "permessage-deflate; server_no_context_takeover",
            all,
            "permessage-deflate; server_no_context_takeover",
            Some(deflate((15, Yes), (15, No))),
        ),
        // The server accepts the client's hint.
        (
            "permessage-deflate; client_no_context_takeover",
            all,
            "permessage-deflate; client_no_context_takeover",
            Some(deflate((15, No), (15, Yes))),
        ),
        // RFC7692-5-2, RFC7692-7-1: the first offer that can be accepted.
        (
            "permessage-deflate; server_max_window_bits=7, x-other, permessage-deflate; server_max_window_bits=9, permessage-deflate",
            all,
            "permessage-deflate; server_max_window_bits=9",
            Some(deflate((15, Yes), (9, Yes))),
        ),
        ("permessage-deflate; unknown", all, "", None),
        ("Permessage-DeflateConfig", all, "", None),
        ("x-webkit-deflate-frame", all, "", None),
    ] {
        assert_eq!(
            server_answers(offered, wanted),
            (answered.to_owned(), agreed.map(AgreedDeflate::from)),
            "{offered}"
        );
    }
}

/// RFC7692-5-5, RFC7692-5-7, RFC6455-9-1, RFC6455-4.2.2-8: a server accepts no other extension, and no
/// extension that was not offered.
#[test]
fn a_server_accepts_no_other_extension() {
    let all = DeflateConfig::default();
    for other in ["permessage-bzip2", "x-webkit-deflate-frame", "x; y=z"] {
        assert_eq!(server_answers(other, all), (String::new(), None));
        let several = format!("{other}, permessage-deflate, permessage-deflate, {other}");
        assert_eq!(
            server_answers(&several, all),
            ("permessage-deflate".to_owned(), Some(all.into()))
        );
    }
    let answer = Answer::default().with_deflate(&offer(), all);
    assert_eq!((answer.deflate(), answer.extensions()), (None, String::new()));
    let response = answer.to_response(&offer());
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
}

/// Parameters that are invalid in an offer and in an answer.
const INVALID: [&str; 26] = [
    "window_bits=10",
    "x",
    "Server_No_Context_Takeover",
    // RFC7692-7.1.1.1-1, RFC7692-7.1.1.2-2
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    // RFC7692-7.1.2.1-1
    "server_max_window_bits",
    "server_max_window_bits=0",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=+9",
    "server_max_window_bits=9.0",
    "server_max_window_bits=265",
    "server_max_window_bits=\"015\"",
    // RFC7692-7.1.2.2-1
    "client_max_window_bits=0",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=08",
    "client_max_window_bits=-9",
    "client_max_window_bits=x",
    "client_max_window_bits=264",
    // Repeated.
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "server_max_window_bits=9; server_max_window_bits=10",
    "client_max_window_bits=9; client_max_window_bits=9",
    "client_max_window_bits; client_max_window_bits",
];

/// RFC7692-7-1, RFC7692-7-2, RFC6455-9-2: a server declines invalid parameters, and a client fails the
/// connection.
#[test]
fn invalid_parameters_are_never_agreed_on() {
    for params in INVALID {
        let invalid = &*format!("permessage-deflate; {params}");
        assert_eq!(
            server_answers(invalid, DeflateConfig::default()),
            (String::new(), None),
            "{params}"
        );
        let agreed = client_agrees(DeflateConfig::default(), &[invalid]);
        assert!(matches!(agreed, Err(AnswerError::DeflateParams(_))), "{params}");
    }
}

/// RFC7692-7-2, RFC7692-5-10, RFC7692-7.1.1.2-1.
#[test]
fn a_client_accepts_only_answers_to_its_offer() {
    let all = DeflateConfig::default();
    let small = deflate((10, Yes), (9, No));
    let bad = |value: &str| Err(AnswerError::DeflateParams(value.to_owned()));
    for (wanted, answered, expected) in [
        (all, &[][..], Ok(None)),
        (all, &["permessage-deflate"], Ok(Some(all))),
        // Parameters that a server may always choose for itself, and parameters that it may require of any
        // client.
        (
            all,
            &[
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=8",
            ],
            Ok(Some(deflate((8, No), (8, No)))),
        ),
        // RFC7692-7.1.2.2-1
        (
            all,
            &["permessage-deflate; client_max_window_bits"],
            bad("permessage-deflate; client_max_window_bits"),
        ),
        // The server must grant what the client requested (RFC7692-7.1.1.1-1, RFC7692-7.1.2.1-2).
        (small, &["permessage-deflate"], bad("permessage-deflate")),
        (
            small,
            &["permessage-deflate; server_no_context_takeover"],
            bad("permessage-deflate; server_no_context_takeover"),
        ),
        (
            small,
            &["permessage-deflate; server_max_window_bits=9"],
            bad("permessage-deflate; server_max_window_bits=9"),
        ),
        (
            small,
            &["permessage-deflate; server_no_context_takeover; server_max_window_bits=10"],
            bad("permessage-deflate; server_no_context_takeover; server_max_window_bits=10"),
        ),
        (
            small,
            &[
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=11",
            ],
            bad(
                "permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=11",
            ),
        ),
        (
            small,
            &["permessage-deflate; server_no_context_takeover; server_max_window_bits=9"],
            Ok(Some(deflate((10, Yes), (9, No)))),
        ),
        (
            all,
            &["permessage-deflate, permessage-deflate"],
            Err(AnswerError::ExtensionRepeated("permessage-deflate".into())),
        ),
        (
            all,
            &["permessage-deflate", "permessage-deflate"],
            Err(AnswerError::ExtensionRepeated("permessage-deflate".into())),
        ),
        // RFC7692-5-6, RFC7692-5-8
        (all, &["x; y=z, permessage-deflate"], Err(AnswerError::ExtensionNotOffered("x".into()))),
        (all, &["permessage-deflate, x"], Err(AnswerError::ExtensionNotOffered("x".into()))),
    ] {
        assert_eq!(
            client_agrees(wanted, answered),
            expected.map(|agreed| agreed.map(AgreedDeflate::from)),
            "{answered:?}"
        );
    }
}

/// RFC7692-5-11, RFC6455-5.8-1: both ends derive the same parameters from every answer that we send. If the
/// client must not use context takeover, the answer contains that parameter (RFC7692-7.2.2-3).
#[test]
fn both_ends_agree_on_the_same_parameters() {
    let contexts = [(8, Yes), (9, No), (12, Yes), (15, No), (15, Yes)];
    for index in 0..contexts.len().pow(4) {
        let pick = |place: u32| contexts[index / contexts.len().pow(place) % contexts.len()];
        let (client, server) = (deflate(pick(0), pick(1)), deflate(pick(2), pick(3)));
        let offer = offer().with_deflate(client);
        let received = Offer::from_request(&opening(&offer)).expect("our own request");
        let answer = Answer::default().with_deflate(&received, server);
        let parsed =
            Answer::from_response(&offer, &answer.to_response(&received)).expect("our own answer");
        let agreed = answer.deflate().expect("there is always agreement");
        assert_eq!(parsed.deflate(), Some(agreed), "{client:?} {server:?}");
        // No agreed window is larger than the window that either end configured.
        assert!(
            agreed.server.window_bits <= client.server.window_bits.min(server.server.window_bits)
        );
        assert!(
            agreed.client.window_bits <= client.client.window_bits.min(server.client.window_bits)
        );
        let answered = answer.extensions().contains("client_no_context_takeover");
        assert_eq!(answered, agreed.client.takeover == No);
    }
}
