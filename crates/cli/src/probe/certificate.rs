use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_cert::Certificate as Parsed;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

/// The contents of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// The names and addresses for which it is valid.
    pub(super) names: Vec<String>,
    pub(super) not_before: Date,
    pub(super) not_after: Date,
}

/// A point in time, and its printed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) date: String,
    /// Seconds since 1970.
    pub(super) timestamp: i64,
}

impl Certificate {
    /// Parses a certificate in DER; returns `None` if it is malformed.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let parsed = Parsed::from_der(der).ok()?;
        let certificate = parsed.tbs_certificate();
        let names = certificate.get_extension::<SubjectAltName>().ok().flatten();
        let names = names.map(|(_, names)| names.0.iter().filter_map(name).collect());
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names.unwrap_or_default(),
            not_before: Date::of(&certificate.validity().not_before),
            not_after: Date::of(&certificate.validity().not_after),
        })
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// Returns the number of days until the certificate expires. The number is negative if it has expired.
    pub(super) fn days_left(&self, now: SystemTime) -> i64 {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        (self.not_after.timestamp - i64::try_from(now).unwrap_or(i64::MAX)).div_euclid(DAY)
    }
}

impl Date {
    fn of(time: &Time) -> Self {
        let date = time.to_date_time();
        Self {
            date: format!("{}-{:02}-{:02}", date.year(), date.month(), date.day()),
            timestamp: i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX),
        }
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let ipv4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            let address = ipv4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

const DAY: i64 = 24 * 60 * 60;
