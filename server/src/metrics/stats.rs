//! The totals of a server, as an embedding program reads them.

/// Totals since the server was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that were served or are being served.
    pub connections: u64,
    /// Those of them that closed without sending data, as health checks do.
    pub probes: u64,
    /// Connections that were refused: at a limit, or for lack of a valid PROXY header.
    pub refused: u64,
    /// UDP datagrams that were received and may be answered.
    pub datagrams: u64,
    /// UDP datagrams that must not be answered: from a service port, not unicast, or over the rate limit.
    pub datagrams_refused: u64,
    /// Answers to datagrams that the system refused to send.
    pub datagrams_not_sent: u64,
    /// Bytes received from peers.
    pub bytes_received: u64,
    /// Bytes sent to peers.
    pub bytes_sent: u64,
    /// Connections and datagrams that were lost to a panic in the code that served them.
    pub panics: u64,
    /// Events of rooms that were sent to members: one for each event and member.
    pub room_deliveries: u64,
    /// Events of rooms that were not sent to members because these read too slowly.
    pub room_dropped: u64,
}
