//! Calls that users of other WebSocket libraries will probably try first.

#![allow(
    clippy::needless_borrows_for_generic_args,
    clippy::cmp_owned,
    reason = "users write these too"
)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::{
    CloseCode, CloseFrame, CloseFrameError, Message, Outgoing, Text, Url, UrlError,
};

/// Accepts what a `send` method accepts.
fn sent(message: impl Into<Outgoing>) -> Message {
    message.into().message().clone()
}

#[test]
fn string_types_become_text_messages() {
    let owned = String::from("hi");
    let text = Text::from("hi");
    for message in [
        sent("hi"),
        sent(&owned),
        sent(owned.clone()),
        sent(Cow::Borrowed("hi")),
        sent(Cow::<str>::Owned(owned)),
        sent(Arc::<str>::from("hi")),
        sent(Box::<str>::from("hi")),
        sent(&text),
        sent(text),
        sent(Message::text("hi")),
        sent(&Message::text(String::from("hi"))),
    ] {
        assert_eq!(message, Message::Text("hi".into()));
    }
}

#[test]
fn byte_types_become_binary_messages() {
    let owned = vec![1, 2, 3];
    let bytes = Bytes::from_static(&[1, 2, 3]);
    for message in [
        sent(&owned),
        sent(&owned[..]),
        sent(BytesMut::from(&owned[..])),
        sent(owned.clone().into_boxed_slice()),
        sent(owned),
        sent(&bytes),
        sent(bytes),
        sent([1, 2, 3]),
        sent(&[1, 2, 3]),
        sent(b"\x01\x02\x03"),
        sent(Message::binary(vec![1, 2, 3])),
    ] {
        assert_eq!(message, Message::Binary(Bytes::from_static(&[1, 2, 3])));
    }
}

#[test]
fn a_shared_string_is_not_copied() {
    let shared: Arc<str> = "shared".into();
    let text = Text::from(Arc::clone(&shared));
    assert_eq!(text.as_str().as_ptr(), shared.as_ptr());
    assert_eq!(text.clone().as_str().as_ptr(), shared.as_ptr());
    let owned = String::from("owned");
    let address = owned.as_ptr();
    assert_eq!(Text::from(owned).as_str().as_ptr(), address);
}

#[test]
fn a_text_is_used_as_a_str() {
    let text = Text::from("Grüße");
    assert_eq!((text.len(), text.chars().count()), (7, 5));
    assert!(text.starts_with("Gr") && text.contains('ß'));
    assert_eq!("12".parse::<u8>(), Text::from("12").parse());
    fn takes_str(text: &str) -> usize {
        text.len()
    }
    assert_eq!(takes_str(&text), 7);
    assert_eq!(<Text as AsRef<[u8]>>::as_ref(&text), "Grüße".as_bytes());
    assert_eq!(format!("{text} {text:?}"), "Grüße \"Grüße\"");
    assert_eq!(
        (text == "Grüße", "Grüße" == text, text == String::from("Grüße")),
        (true, true, true)
    );
    // `Borrow<str>` requires the hash and the order of a `str`.
    let map = HashMap::from([(text, 1)]);
    assert_eq!(map.get("Grüße"), Some(&1));
    assert!(Text::from("a") < Text::from("b"));
}

#[test]
fn bytes_become_a_text_if_they_are_utf8() {
    assert_eq!(Text::from_utf8(Bytes::from_static(b"ok")).unwrap(), "ok");
    let wrong = Bytes::from_static(b"\xC3");
    assert_eq!(Text::from_utf8(wrong.clone()), Err(wrong));
}

#[test]
fn messages_report_their_kind_and_content() {
    let text = Message::text("hi");
    assert!(text.is_text() && !text.is_binary());
    assert_eq!((text.as_text(), text.to_text(), text.len()), (Some("hi"), Ok("hi"), 2));
    let binary = Message::binary("hi");
    assert!(binary.is_binary() && !binary.is_text());
    assert_eq!((binary.as_text(), binary.to_text()), (None, Ok("hi")));
    assert_eq!(binary.clone().into_text().unwrap(), "hi");
    assert_eq!(binary.into_payload(), "hi");
    let wrong = Message::from(b"\xFF");
    assert!(wrong.to_text().is_err() && wrong.into_text().is_err());
    assert!(Message::text("").is_empty());
}

#[test]
fn a_close_frame_is_a_code_and_a_reason() {
    let frame = CloseFrame::new(1000, "bye").unwrap();
    assert!(frame.code == 1000 && frame.reason == "bye");
    assert_eq!(frame.code, CloseCode::NORMAL);
    let error = CloseFrame::new(1005, "").unwrap_err();
    assert!(matches!(error, CloseFrameError::Code(_)), "{error}");
    let error = CloseFrame::new(1000, "x".repeat(124)).unwrap_err();
    assert!(matches!(error, CloseFrameError::Reason(_)), "{error}");
    assert!(error.to_string().contains("123 bytes"), "{error}");
    assert_eq!(u16::from(CloseCode::try_from(4000).unwrap()), 4000);
}

#[test]
fn a_url_is_parsed_from_a_string() {
    /// Accepts what a `connect` function accepts.
    fn resolve<U: TryInto<Url, Error: Into<UrlError>>>(url: U) -> Result<Url, UrlError> {
        url.try_into().map_err(Into::into)
    }
    let url = resolve("ws://example.com/chat").unwrap();
    assert_eq!(resolve(&url), Ok(url.clone()));
    assert_eq!(resolve(String::from("ws://example.com/chat")), Ok(url.clone()));
    assert_eq!(resolve(&String::from("ws://example.com/chat")), Ok(url.clone()));
    assert_eq!("ws://example.com/chat".parse(), Ok(url.clone()));
    assert_eq!(Url::from_str("ws://example.com/chat"), Ok(url.clone()));
    assert_eq!(resolve(url.clone()), Ok(url));
    assert!(matches!(resolve("ftp://example.com/"), Err(UrlError::Scheme(_))));
}
