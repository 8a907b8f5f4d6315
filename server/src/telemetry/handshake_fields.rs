//! The JSON fields of a handshake.

use log::kv::Value;

use crate::layer::Handshake;

/// Passes the JSON fields of a handshake to `visit`.
pub(super) fn visit_handshake<'a>(
    handshake: &'a Handshake,
    visit: &mut dyn FnMut(&'static str, Value<'a>),
) {
    let Handshake { version, suite, group, alpn, server_name, client, is_resumed } = handshake;
    visit("tls_version", Value::from(*version));
    visit("tls_suite", Value::from(*suite));
    let optional = [
        ("tls_group", *group),
        ("tls_alpn", alpn.as_deref()),
        ("tls_server_name", server_name.as_deref()),
        ("tls_client", client.as_deref()),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            visit(name, Value::from(value));
        }
    }
    visit("tls_resumed", Value::from(*is_resumed));
}
