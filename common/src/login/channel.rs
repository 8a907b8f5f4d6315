//! The channel binding `tls-exporter` (RFC 9266).

/// Length in bytes of the channel binding `tls-exporter` (RFC 9266, section 2).
pub const EXPORTER_LENGTH: usize = 32;

/// Label with which TLS exports that channel binding; its context is empty (RFC 9266, section 2).
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";
