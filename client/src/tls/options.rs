//! Options of a TLS connection: plain data, which the command line or another process names.

use std::{ffi::OsString, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Options of the connections to one server. A path may not be UTF-8: JSON holds its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TlsOptions {
    /// Name or address that the certificate must have. It is also sent to the server, if it is a name.
    pub(crate) name: String,
    /// Condition under which a server is trusted.
    pub(crate) trust: TrustOption,
    /// Certificate chain and private key of this client, as PEM files.
    pub(crate) identity: Option<(OsString, OsString)>,
    /// Application protocols to offer (ALPN), the preferred one first.
    pub(crate) alpn: Vec<String>,
    /// File to which the session secrets are appended.
    pub(crate) key_log: Option<OsString>,
    /// A connection may resume the session of an earlier one, which saves most of the handshake.
    pub(crate) is_resuming: bool,
}

/// Condition under which a server is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TrustOption {
    /// The system's CAs.
    System,
    /// The CAs in this file, and no others.
    Ca(OsString),
    /// Exactly this certificate, from any issuer, for any name and time.
    Pin(Fingerprint),
    /// Nothing: any certificate is accepted.
    Nothing,
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

impl fmt::Display for Fingerprint {
    /// Writes the form of `openssl x509 -fingerprint`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// Parses 64 hexadecimal digits, with or without colons, and the whole line that openssl prints.
    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected 64 hexadecimal digits, as 'openssl x509 -noout -fingerprint -sha256' prints them";
        let digits = typed.rsplit('=').next().unwrap_or_default().replace(':', "");
        let mut fingerprint = [0; 32];
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(EXPECTED);
        }
        for (byte, at) in fingerprint.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| EXPECTED)?;
        }
        Ok(Self(fingerprint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_parsed_as_openssl_prints_it_and_as_plain_digits() {
        let printed = (0..32).map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        let plain = printed.replace(':', "").to_lowercase();
        let line = format!("sha256 Fingerprint={printed}");
        for typed in [&printed, &plain, &line] {
            let parsed: Fingerprint = typed.parse().unwrap();
            assert_eq!(parsed.to_string(), printed);
        }
        for typed in ["", "ab", &plain[1..], &format!("{plain}0"), &plain.replace('0', "é")] {
            assert!(typed.parse::<Fingerprint>().is_err(), "{typed}");
        }
    }
}
