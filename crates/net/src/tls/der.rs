//! The few fields of an X.509 certificate that the verifier needs, for every version of X.509.

use rustls::{CertificateError, Error};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
/// The tag `[0]` of the version field. Certificates of version 1 omit this field.
const VERSION: u8 = 0xa0;

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// The object identifier of subjectAltName, as an extension holds it.
const SUBJECT_ALT_NAME: &[u8] = &[OBJECT_ID, 3, 0x55, 0x1d, 0x11];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// Fields of a certificate, in DER.
#[derive(Debug, Clone, Copy)]
pub(super) struct Certificate<'a> {
    all: &'a [u8],
    not_before: Value<'a>,
    not_after: Value<'a>,
    subject: &'a [u8],
    pub(super) public_key: PublicKey<'a>,
}

/// A SubjectPublicKeyInfo.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicKey<'a> {
    /// The whole structure.
    pub(super) info: &'a [u8],
    /// The content of the key's AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) key: &'a [u8],
}

/// A tag, and the content after its length.
#[derive(Debug, Clone, Copy)]
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        Self::read(der).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn read(mut der: &'a [u8]) -> Option<Self> {
        let all = der;
        let mut certificate = expect(&mut der, SEQUENCE)?;
        let mut fields = expect(&mut certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            next(&mut fields)?;
        }
        let _serial = expect(&mut fields, INTEGER)?;
        let _signature = expect(&mut fields, SEQUENCE)?;
        let _issuer = expect(&mut fields, SEQUENCE)?;
        let mut validity = expect(&mut fields, SEQUENCE)?;
        let (not_before, not_after) = (next(&mut validity)?, next(&mut validity)?);
        let subject = expect(&mut fields, SEQUENCE)?;
        let from_key = fields;
        let mut key_info = expect(&mut fields, SEQUENCE)?;
        let info = &from_key[..from_key.len() - fields.len()];
        let algorithm = expect(&mut key_info, SEQUENCE)?;
        // The first byte is the number of unused bits. It must be 0.
        let (&0, key) = expect(&mut key_info, BIT_STRING)?.split_first()? else { return None };
        let public_key = PublicKey { info, algorithm, key };
        Some(Self { all, not_before, not_after, subject, public_key })
    }

    /// Checks the period of validity; `now` is in seconds since 1970.
    pub(super) fn check_validity(&self, now: u64) -> Result<(), Error> {
        let (Some(not_before), Some(not_after)) = (self.not_before.time(), self.not_after.time())
        else {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        };
        let now = timestamp(now);
        if now < not_before {
            Err(Error::InvalidCertificate(CertificateError::NotValidYet))
        } else if now > not_after {
            Err(Error::InvalidCertificate(CertificateError::Expired))
        } else {
            Ok(())
        }
    }

    pub(super) fn has_alternative_names(&self) -> bool {
        self.all.windows(SUBJECT_ALT_NAME.len()).any(|bytes| bytes == SUBJECT_ALT_NAME)
    }

    /// Returns the last common name of the subject.
    pub(super) fn common_name(&self) -> Option<&'a str> {
        let mut sets = self.subject;
        let mut common_name = None;
        while let Some(set) = next(&mut sets) {
            let mut set = set.content;
            while let Some(mut attribute) = expect(&mut set, SEQUENCE) {
                if expect(&mut attribute, OBJECT_ID)? == COMMON_NAME {
                    common_name = std::str::from_utf8(next(&mut attribute)?.content).ok();
                }
            }
        }
        common_name
    }
}

impl PublicKey<'_> {
    /// Describes a key of a kind whose signatures `ring` cannot check.
    pub(super) fn unsupported_kind(&self) -> Option<String> {
        let mut algorithm = self.algorithm;
        let id = expect(&mut algorithm, OBJECT_ID)?;
        if id == RSA {
            let mut key = self.key;
            let modulus = expect(&mut expect(&mut key, SEQUENCE)?, INTEGER)?;
            let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
            let bits = 8 * modulus.len() - modulus.first()?.leading_zeros() as usize;
            (!(2048..=8192).contains(&bits)).then(|| format!("an RSA key of {bits} bits"))
        } else if id == ELLIPTIC_CURVE {
            let curve = expect(&mut algorithm, OBJECT_ID)?;
            (curve == P521).then(|| "a key on the curve P-521".to_owned())
        } else {
            None
        }
    }
}

impl Value<'_> {
    /// Returns the time as `YYYYMMDDHHMMSSZ`, which sorts by time.
    fn time(&self) -> Option<String> {
        let text = std::str::from_utf8(self.content).ok()?;
        if self.tag != UTC_TIME {
            return Some(text.to_owned());
        }
        // RFC 5280 section 4.1.2.5.1
        let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
        Some(format!("{century}{text}"))
    }
}

/// Removes the next value from `input` and returns it.
fn next<'a>(input: &mut &'a [u8]) -> Option<Value<'a>> {
    let (&[tag, length], rest) = input.split_first_chunk::<2>()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        // DER has no indefinite length, which has no bytes.
        if !(1..=3).contains(&bytes.len()) {
            return None;
        }
        (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some(Value { tag, content })
}

/// Removes the next value from `input` and returns its content, if the value has this tag.
fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    next(input).filter(|value| value.tag == tag).map(|value| value.content)
}

/// Formats seconds since 1970 as `YYYYMMDDHHMMSSZ`, by the civil calendar.
fn timestamp(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years; each year begins in March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = 400 * era + year + next_year;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        for (seconds, text) in [
            (0, "19700101000000Z"),
            (951_782_399, "20000228235959Z"),
            (951_782_400, "20000229000000Z"),
            (951_868_800, "20000301000000Z"),
            (1_798_761_599, "20261231235959Z"),
            (4_107_542_400, "21000301000000Z"),
        ] {
            assert_eq!(timestamp(seconds), text);
        }
    }

    #[test]
    fn lengths_have_up_to_three_more_bytes() {
        let length = |header: &[u8]| {
            let input = [header, &[0; 300]].concat();
            next(&mut &input[..]).map(|value| value.content.len())
        };
        assert_eq!(length(&[4, 0x7f]), Some(0x7f));
        assert_eq!(length(&[4, 0x81, 0x80]), Some(0x80));
        assert_eq!(length(&[4, 0x83, 0, 1, 2]), Some(0x102));
        assert_eq!(length(&[4, 0x84, 0, 0, 1, 2]), None);
        assert_eq!(length(&[4, 0x80]), None, "an indefinite length");
    }

    #[test]
    fn truncated_and_mutated_bytes_are_refused_or_read_without_panic() {
        let pem = include_bytes!("testdata/v1.pem");
        let der = super::super::pem::certificates(pem).unwrap().remove(0);
        let certificate = Certificate::parse(&der).unwrap();
        assert_eq!(certificate.common_name(), Some("localhost"));
        assert!(!certificate.has_alternative_names());
        for end in 0..der.len() {
            assert!(Certificate::parse(&der[..end]).is_err());
        }
        for at in 0..der.len() {
            for byte in [0, 0x7f, 0x80, 0x83, 0xff] {
                let mut der = der.to_vec();
                der[at] = byte;
                if let Ok(certificate) = Certificate::parse(&der) {
                    certificate.common_name();
                    certificate.public_key.unsupported_kind();
                    certificate.check_validity(0).ok();
                }
            }
        }
    }
}
