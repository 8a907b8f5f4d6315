//! What a connection offers to a login.

/// Length in bytes of the channel binding `tls-exporter` (RFC 9266, section 2).
pub(crate) const EXPORTER_LENGTH: usize = 32;

/// Label with which TLS exports it; its context is empty.
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "nothing is exported"))]
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What TLS offers to a login. Without TLS it is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channel {
    /// The connection is encrypted.
    pub(crate) is_tls: bool,
    /// The certificate of the server was verified.
    pub(crate) is_verified: bool,
    /// The client has a certificate.
    pub(crate) has_certificate: bool,
    /// Channel binding `tls-exporter`, with TLS 1.3.
    pub(crate) exporter: Option<[u8; EXPORTER_LENGTH]>,
}
