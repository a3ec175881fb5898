//! Odd and malformed `Sec-WebSocket-Extensions`, from a client and from a server (RFC 7692 sections 5
//! and 7.1). What two honest ends agree on is in `handshake_deflate.rs`.

use fullduplex_proto::handshake::{Answer, AnswerError, Nonce, Offer, Subprotocols};
use fullduplex_proto::{AgreedDeflate, DeflateConfig};

use crate::show;
use crate::support::opening::{NONCE, REQUEST, RESPONSE, head, request, response};

/// What becomes of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Compression is agreed on, with these bits for the client's window and the server's.
    Agreed(u8, u8),
    /// The connection opens without compression.
    Declined,
    /// The parameters do not exist, or answer nothing: no connection.
    BadParams,
    /// It is not, or not only, what was offered: no connection.
    NotOffered,
    /// It breaks its grammar: no connection.
    Malformed,
}

use Verdict::{Agreed, BadParams, Declined, Malformed, NotOffered};

/// What a server makes of a client's header.
fn offered(value: &str) -> Verdict {
    let line = format!("Sec-WebSocket-Extensions: {value}");
    let request = request(head(&REQUEST, "", &[&line])).expect("a head").expect("a whole head");
    let Ok(offer) = Offer::from_request(&request) else {
        return Malformed;
    };
    let answer = Answer::default().with_deflate(&offer, DeflateConfig::default());
    answer.deflate().map_or(Declined, agreed)
}

/// What a client that offers compression makes of a server's header.
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

/// What stands behind the name of a window, and the bits that it means.
fn windows() -> impl Iterator<Item = (String, Result<u8, Verdict>)> {
    // Values, but of no window (RFC7692-7.1.2.1-1): of them a server need only not understand the
    // offer, and a client must not understand the answer.
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
    // No values (RFC6455-9.1-2).
    let malformed =
        ["=", "=\"\"", "=\"9", "=9\"", "=\"1 0\"", "=1 0", "=\"10,\"", "=\"10;\"", "==10"];
    let ten = ["=\"10\"", " = 10", "=\"1\\0\"", "\t=\t\"\\1\\0\" ", "= 10 "];
    let good = (8..=15).map(|bits| (format!("={bits}"), Ok(bits)));
    let ten = ten.map(|value| (value.to_owned(), Ok(10)));
    let no_bits = no_bits.map(|value| (format!("={value}"), Err(BadParams)));
    let malformed = malformed.map(|value| (value.to_owned(), Err(Malformed)));
    good.chain(ten).chain(no_bits).chain(malformed)
}

/// Faults FT-24 and Z5: each number of bits and each that is none, for either window, to either end.
#[test]
fn a_window_has_8_to_15_bits_however_it_is_written() {
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
        // RFC7692-7-1: what a client must fail for, a server declines.
        let declined = |verdict| if verdict == BadParams { Declined } else { verdict };
        assert_eq!(offered(&server), declined(server_verdict), "{server}");
        assert_eq!(offered(&client), declined(client_verdict), "{client}");
        count += 4;
    }
    show("FT-24", "window bits, of either end, to either end", format!("{count} verdicts"));
}

/// A header, what a server makes of it, and what a client does.
const ODD: [(&str, Verdict, Verdict); 49] = [
    // RFC7692-7.1.2.2-1: only the client's window may be left open, and only by an offer.
    ("permessage-deflate; server_max_window_bits", Declined, BadParams),
    ("permessage-deflate; client_max_window_bits", Agreed(15, 15), BadParams),
    // RFC7692-7.1.1.1-1, RFC7692-7.1.1.2-2: without a value.
    ("permessage-deflate; server_no_context_takeover", Agreed(15, 15), Agreed(15, 15)),
    ("permessage-deflate; client_no_context_takeover", Agreed(15, 15), Agreed(15, 15)),
    ("permessage-deflate; server_no_context_takeover=true", Declined, BadParams),
    ("permessage-deflate; server_no_context_takeover=10", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=0", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=\"true\"", Declined, BadParams),
    ("permessage-deflate; client_no_context_takeover=", Malformed, Malformed),
    // RFC7692-7-1, RFC7692-7-2: repeated, with the same value or another.
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
    // The same: unknown, as is a name in other letters; fault H5: famous names.
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
    // RFC7692-5-2, RFC7692-5-10, fault H15: several are a choice for a server, and none of a client's.
    ("foo, permessage-deflate", Agreed(15, 15), NotOffered),
    ("permessage-deflate, foo", Agreed(15, 15), NotOffered),
    ("permessage-deflate, permessage-deflate", Agreed(15, 15), NotOffered),
    (
        "permessage-deflate, permessage-deflate; server_max_window_bits=8",
        Agreed(15, 15),
        NotOffered,
    ),
    ("permessage-deflate; level=9, permessage-deflate", Agreed(15, 15), BadParams),
    // Fault H6: a comma between quotes separates nothing.
    ("x; y=\",permessage-deflate,\"", Malformed, Malformed),
    ("x; y=\"; permessage-deflate\"", Malformed, Malformed),
    // RFC6455-9.1-1
    ("permessage-deflate;", Malformed, Malformed),
    ("permessage-deflate,", Malformed, Malformed),
    (", permessage-deflate", Malformed, Malformed),
    ("permessage-deflate,, foo", Malformed, Malformed),
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
fn odd_extensions_are_declined_by_a_server_and_fail_a_client() {
    for (value, to_a_server, to_a_client) in ODD {
        assert_eq!((offered(value), answered(value)), (to_a_server, to_a_client), "{value}");
    }
    show("FT-24", "odd extensions, to either end", format!("{} verdicts", 2 * ODD.len()));
}

/// RFC6455-9-1: a client that offered nothing takes nothing.
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
