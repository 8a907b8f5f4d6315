//! The setting of the receipts: what the log has of a connection that has closed.

/// What the event `closed` of the log has of a connection, besides its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogReceipts {
    /// Its duration, bytes, messages, listener and layers, in fields of the record.
    #[default]
    Totals,
    /// Also what the kernel knows about its path (`TCP_INFO`, `tcp(7)`), for a log that shows the fields of a record. This
    /// costs a system call for each connection.
    Fields,
    /// As [`Fields`](Self::Fields), and all of it in the text of the record too.
    Text,
}
