//! The name of a client by its certificate.

use std::fmt::Write as _;

use common::escape::Escaped;
use x509_parser::{
    extensions::GeneralName,
    objects::{oid_registry, oid2abbrev},
    prelude::{FromDer as _, X509Certificate},
    x509::AttributeTypeAndValue,
};

/// Returns the subject of a certificate, such as `CN=alice, O=Example`, escaped; of one without a subject, its first
/// alternative name. A verified certificate can be parsed; another has no name here.
pub(super) fn subject(der: &[u8]) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return "an unreadable name".to_owned();
    };
    let attributes: Vec<String> = certificate.subject().iter_attributes().map(attribute).collect();
    let name = if attributes.is_empty() {
        alternative_name(&certificate).unwrap_or_else(|| "without a name".to_owned())
    } else {
        attributes.join(", ")
    };
    Escaped(name.as_bytes()).to_string()
}

/// Returns the common name of a certificate, if it has exactly one.
#[cfg(feature = "login")]
pub(super) fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.to_owned();
    names.next().is_none().then_some(name)
}

/// Returns an attribute as RFC 4514 writes it: a value cannot look like a further attribute.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type();
    let mut text = match oid2abbrev(oid, oid_registry()) {
        Ok(name) => format!("{name}="),
        Err(_) => format!("{oid}="),
    };
    let Ok(value) = attribute.as_str() else {
        text.push('#');
        for byte in attribute.as_slice() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        return text;
    };
    for (at, character) in value.char_indices() {
        let is_special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=');
        let is_first = at == 0 && matches!(character, '#' | ' ');
        let is_last_space = at + 1 == value.len() && character == ' ';
        if is_special || is_first || is_last_space {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

fn alternative_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::URI(name) => Some(format!("URI:{name}")),
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn subject_of(name: &[(DnType, DnValue)], alternative: &[SanType]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in name {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.subject_alt_names = alternative.to_vec();
        let key = KeyPair::generate().unwrap();
        subject(params.self_signed(&key).unwrap().der())
    }

    #[test]
    fn a_value_looks_neither_like_an_attribute_nor_like_a_line_of_the_log() {
        let name = [(DnType::CommonName, DnValue::from("eve, O=Admin\nINFO - \\n"))];
        assert_eq!(subject_of(&name, &[]), r"CN=eve\, O\=Admin\nINFO - \\n");
        let name = [
            (DnType::CommonName, DnValue::from("#bob")),
            (DnType::OrganizationName, DnValue::BmpString("O".try_into().unwrap())),
        ];
        assert_eq!(subject_of(&name, &[]), r"CN=\#bob, O=#004f");
        for (value, expected) in
            [("alice ", r"CN=alice\ "), (" a b  ", r"CN=\ a b \ "), (" ", r"CN=\ ")]
        {
            let name = [(DnType::CommonName, DnValue::from(value))];
            assert_eq!(subject_of(&name, &[]), expected);
        }
    }

    #[test]
    fn a_certificate_without_a_subject_has_its_first_alternative_name() {
        let uri = SanType::URI("spiffe://example.org/web".try_into().unwrap());
        assert_eq!(subject_of(&[], &[uri]), "URI:spiffe://example.org/web");
        let dns = SanType::DnsName("web.example.org".try_into().unwrap());
        assert_eq!(subject_of(&[], &[dns]), "DNS:web.example.org");
        assert_eq!(subject_of(&[], &[]), "without a name");
    }
}
