//! `/version`: name, version and features of the program.

use serde_json::json;

/// The optional parts of the program.
const FEATURES: [(&str, bool); 9] = [
    ("admin", cfg!(feature = "admin")),
    ("cli", cfg!(feature = "cli")),
    ("history", cfg!(feature = "history")),
    ("http", cfg!(feature = "http")),
    ("login", cfg!(feature = "login")),
    ("receipt", cfg!(feature = "receipt")),
    ("redis", cfg!(feature = "redis")),
    ("rooms", cfg!(feature = "rooms")),
    ("tls", cfg!(feature = "tls")),
];

/// Returns the features with which the program is built.
pub(super) fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().filter(|(_, is_built)| *is_built).map(|&(name, _)| name)
}

/// Returns the document.
pub(super) fn to_json() -> Vec<u8> {
    let document = json!({
        "name": "echo-server",
        "version": env!("CARGO_PKG_VERSION"),
        // The oldest version of Rust that builds it.
        "rust_version": env!("CARGO_PKG_RUST_VERSION"),
        "features": features().collect::<Vec<_>>(),
    });
    format!("{document:#}\n").into_bytes()
}
