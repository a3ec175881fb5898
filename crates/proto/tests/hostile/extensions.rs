//! Unusual and malformed `Sec-WebSocket-Extensions` headers, from a client and from a server (RFC 7692
//! sections 5 and 7.1). `handshake_deflate.rs` tests the usual headers.

use fullduplex_proto::handshake::{Answer, AnswerError, Nonce, Offer, Subprotocols};
use fullduplex_proto::{AgreedDeflate, DeflateConfig};

use crate::show;

use crate::support::opening::{NONCE, REQUEST, RESPONSE, head, request, response};

/// The result of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Compression is agreed on, with these numbers of bits for the client's window and the server's window.
    Agreed(u8, u8),
    /// The connection opens without compression.
    Declined,
    /// The parameters are invalid, or do not match the offer. The handshake fails.
    BadParams,
    /// The header has an extension that was not offered. The handshake fails.
    NotOffered,
    /// The header is malformed. The handshake fails.
    Malformed,
}

use Verdict::{Agreed, BadParams, Declined, Malformed, NotOffered};

/// Returns the server's result for a client's header.
fn offered(value: &str) -> Verdict {
    let line = format!("Sec-WebSocket-Extensions: {value}");
    let request = request(head(&REQUEST, "", &[&line])).expect("a head").expect("a whole head");
    let Ok(offer) = Offer::from_request(&request) else {
        return Malformed;
    };
    let answer = Answer::default().with_deflate(&offer, DeflateConfig::default());
    answer.deflate().map_or(Declined, agreed)
}

/// Returns the result for a server's header, from a client that offers compression.
fn answered(value: &str) -> Verdict {
    let line = format!("Sec-WebSocket-Extensions: {value}");
    let response = response(head(&RESPONSE, "", &[&line])).expect("a head").expect("a whole head");
    let offer =
        Offer::new(Nonce(NONCE), Subprotocols::default()).with_deflate(DeflateConfig::default());
    match Answer::from_response(&offer, &response) {
        Ok(answer) => answer.deflate().map_or(Declined, agreed),
        Err(AnswerError::DeflateParams(_)) => BadParams,
        Err(AnswerError::ExtensionNotOffered(_) | AnswerError::ExtensionRepeated(_)) => NotOffered,
        Err(AnswerError::ExtensionsMalformed) => Malformed,
        Err(error) => panic!("{value}: {error}"),
    }
}

fn agreed(deflate: AgreedDeflate) -> Verdict {
    Agreed(deflate.client.window_bits.get(), deflate.server.window_bits.get())
}

/// Values of a window parameter, with the number of bits or the verdict.
fn windows() -> impl Iterator<Item = (String, Result<u8, Verdict>)> {
    // Values out of range (RFC7692-7.1.2.1-1): a server declines the offer, and a client fails the handshake.
    let no_bits = [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
        "16",
        "17",
        "31",
        "32",
        "99",
        "100",
        "255",
        "256",
        "264",
        "1000",
        "65544",
        "4294967304",
        "18446744073709551624",
        "08",
        "09",
        "010",
        "015",
        "+9",
        "-9",
        "9.0",
        "0x9",
        "nine",
    ];
    // Malformed values (RFC6455-9.1-2).
    let malformed =
        ["=", "=\"\"", "=\"9", "=9\"", "=\"1 0\"", "=1 0", "=\"10,\"", "=\"10;\"", "==10"];
    let ten = ["=\"10\"", " = 10", "=\"1\\0\"", "\t=\t\"\\1\\0\" ", "= 10 "];
    let good = (8..=15).map(|bits| (format!("={bits}"), Ok(bits)));
    let ten = ten.map(|value| (value.to_owned(), Ok(10)));
    let no_bits = no_bits.map(|value| (format!("={value}"), Err(BadParams)));
    let malformed = malformed.map(|value| (value.to_owned(), Err(Malformed)));
    good.chain(ten).chain(no_bits).chain(malformed)
}

/// Faults FT-24 and Z5: valid and invalid numbers of bits, for each window and each receiving end.
#[test]
fn window_bits_of_8_to_15_are_accepted_in_every_spelling() {
    let mut count = 0;
    for (value, bits) in windows() {
        let server = format!("permessage-deflate; server_max_window_bits{value}");
        let client = format!("permessage-deflate; client_max_window_bits{value}");
        let (server_verdict, client_verdict) = match bits {
            Ok(bits) => (Agreed(15, bits), Agreed(bits, 15)),
            Err(verdict) => (verdict, verdict),
        };
        assert_eq!(answered(&server), server_verdict, "{server}");
        assert_eq!(answered(&client), client_verdict, "{client}");
        // RFC7692-7-1: if invalid parameters fail a client, a server declines them.
        let declined = |verdict| if verdict == BadParams { Declined } else { verdict };
        assert_eq!(offered(&server), declined(server_verdict), "{server}");
        assert_eq!(offered(&client), declined(client_verdict), "{client}");
        count += 4;
    }
    show("FT-24", "window bits, of either end, to either end", format!("{count} verdicts"));
}

/// A header, the server's verdict and the client's verdict.
const UNUSUAL: [(&str, Verdict, Verdict); 50] = [
    // RFC7692-7.1.2.2-1: only an offer may omit the value, and only for the client's window.
    ("permessage-deflate; server_max_window_bits", Declined, BadParams),
    ("permessage-deflate; client_max_window_bits", Agreed(15, 15), BadParams),
    // RFC7692-7.1.1.1-1, RFC7692-7.1.1.2-2: these parameters have no value.
    ("permessage-deflate; server_no_context_takeover", Agreed(15, 15), Agreed(15, 15)),
    ("permessage-deflate; client_no_context_takeover", Agreed(15, 15), Agreed(15, 15)),
    ("permessage-deflate; server_no_context_takeover=true", Declined, BadParams),
    ("permessage-deflate; server_no_context_takeover=10", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=0", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=\"true\"", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=", Malformed, Malformed),
    // RFC7692-7-1, RFC7692-7-2: repeated parameters, with the same value or different values.
    (
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        Declined,
        BadParams,
    ),
    (
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        Declined,
        BadParams,
    ),
    (
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        Declined,
        BadParams,
    ),
    (
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=11",
        Declined,
        BadParams,
    ),
    (
        "permessage-deflate; client_max_window_bits=10; client_max_window_bits=9",
        Declined,
        BadParams,
    ),
    ("permessage-deflate; client_max_window_bits; client_max_window_bits", Declined, BadParams),
    ("permessage-deflate; client_max_window_bits; client_max_window_bits=10", Declined, BadParams),
    ("permessage-deflate; client_max_window_bits=10; client_max_window_bits", Declined, BadParams),
    // Unknown parameters; names are case-sensitive. Fault H5: names of JavaScript properties.
    ("permessage-deflate; level=9", Declined, BadParams),
    ("permessage-deflate; max_window_bits=10", Declined, BadParams),
    ("permessage-deflate; Server_Max_Window_Bits=10", Declined, BadParams),
    ("permessage-deflate; server_max_window_bits=10; unknown", Declined, BadParams),
    ("permessage-deflate; constructor", Declined, BadParams),
    ("permessage-deflate; __proto__=1", Declined, BadParams),
    // RFC6455-9-1: other extensions.
    ("Permessage-DeflateConfig", Declined, NotOffered),
    ("permessage-deflated", Declined, NotOffered),
    ("x-webkit-deflate-frame", Declined, NotOffered),
    ("permessage-bzip2; client_max_window_bits", Declined, NotOffered),
    ("constructor", Declined, NotOffered),
    ("__proto__; toString=valueOf", Declined, NotOffered),
    ("foo, bar; baz=1", Declined, NotOffered),
    // RFC7692-5-2, RFC7692-5-10, fault H15: a server chooses one of several offers. An answer must contain
    // only one element.
    ("foo, permessage-deflate", Agreed(15, 15), NotOffered),
    ("permessage-deflate, foo", Agreed(15, 15), NotOffered),
    ("permessage-deflate, permessage-deflate", Agreed(15, 15), NotOffered),
    (
        "permessage-deflate, permessage-deflate; server_max_window_bits=8",
        Agreed(15, 15),
        NotOffered,
    ),
    ("permessage-deflate; level=9, permessage-deflate", Agreed(15, 15), BadParams),
    // Fault H6: a comma within quotes is not a separator.
    ("x; y=\",permessage-deflate,\"", Malformed, Malformed),
    ("x; y=\"; permessage-deflate\"", Malformed, Malformed),
    // RFC6455-9.1-1
    ("permessage-deflate;", Malformed, Malformed),
    (",", Malformed, Malformed),
    // FS-11
    ("permessage-deflate,", Agreed(15, 15), Agreed(15, 15)),
    (", permessage-deflate", Agreed(15, 15), Agreed(15, 15)),
    ("permessage-deflate,, foo", Agreed(15, 15), NotOffered),
    ("permessage-deflate; ;", Malformed, Malformed),
    ("permessage-deflate client_max_window_bits", Malformed, Malformed),
    ("permessage-deflate=1", Malformed, Malformed),
    ("\"permessage-deflate\"", Malformed, Malformed),
    ("permessage-deflate; =10", Malformed, Malformed),
    ("permessage-deflate; client_max_window_bits=\"\u{661}\u{660}\"", Malformed, Malformed),
    ("permessage-deflate\u{FF}", Malformed, Malformed),
    ("", Malformed, Malformed),
];

/// Fault FT-24: the other parameters, and other extensions.
#[test]
fn unusual_extensions_are_declined_by_a_server_and_fail_a_client() {
    for (value, to_a_server, to_a_client) in UNUSUAL {
        assert_eq!((offered(value), answered(value)), (to_a_server, to_a_client), "{value}");
    }
    show("FT-24", "unusual extensions, to either end", format!("{} verdicts", 2 * UNUSUAL.len()));
}

/// RFC6455-9-1: a client that offered no extension accepts none.
#[test]
fn an_answer_without_an_offer_fails_a_client() {
    let offer = Offer::new(Nonce(NONCE), Subprotocols::default());
    for value in ["permessage-deflate", "permessage-deflate; client_max_window_bits=10"] {
        let line = format!("Sec-WebSocket-Extensions: {value}");
        let response = response(head(&RESPONSE, "", &[&line])).unwrap().unwrap();
        let error = Answer::from_response(&offer, &response).unwrap_err();
        assert_eq!(error, AnswerError::ExtensionNotOffered("permessage-deflate".to_owned()));
    }
}
