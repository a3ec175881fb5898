use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

/// RFC 6455 section 1.3 appends this to the key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The same as `STANDARD`, but accepts any value in the four unused bits of the last letter, because the
/// grammar of the header allows any.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Sixteen random bytes, which must be fresh for each connection (RFC6455-4.1-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 16]);

/// The value of `Sec-WebSocket-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(Nonce(nonce): Nonce) -> Self {
        Self(STANDARD.encode(nonce))
    }

    /// Parses a key. Returns `None` unless it decodes to 16 bytes (RFC6455-4.2.1-2).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut nonce = [0; 18];
        let len = LENIENT.decode_slice(value, &mut nonce).ok()?;
        (len == 16).then(|| Self(value.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value of `Sec-WebSocket-Accept` for this key (RFC6455-4.2.2-10).
    pub(super) fn accept(&self) -> String {
        STANDARD.encode(Sha1::new().chain_update(&self.0).chain_update(GUID).finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_rfc6455_4_2_2_10() {
        let key = Key::parse("dGhlIHNhbXBsZSBub25jZQ==").unwrap();
        assert_eq!(key.accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(Key::new(Nonce(*b"the sample nonce")), key);
    }

    #[test]
    fn a_key_decodes_to_sixteen_bytes() {
        for bad in [
            "",
            "AAAA",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZTE=",
            "?GhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
        assert!(Key::parse("dGhlIHNhbXBsZSBub25jZR==").is_some(), "unused bits do not matter");
    }

    /// Erratum 3150: the last letter of our keys is A, Q, g or w.
    #[test]
    fn our_keys_have_zero_in_the_unused_bits() {
        for last in 0..=255 {
            let key = Key::new(Nonce([last; 16]));
            assert!("AQgw".contains(&key.as_str()[21..22]), "{key:?}");
            assert_eq!(STANDARD.decode(key.as_str()).unwrap(), [last; 16]);
        }
    }
}
