//! A signature of the server that is wrong on purpose.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Returns the last challenge of SCRAM with another signature (RFC 5802, section 7: `v=`).
pub(super) fn wrong_signature(challenge: &str) -> String {
    let signature = challenge.strip_prefix("v=").unwrap_or(challenge);
    let mut signature = STANDARD.decode(signature).unwrap_or_default();
    if let Some(first) = signature.first_mut() {
        *first ^= 1;
    }
    format!("v={}", STANDARD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_signature_differs_in_one_bit_and_is_as_long() {
        assert_eq!(wrong_signature("v=AAAA"), "v=AQAA");
    }
}
