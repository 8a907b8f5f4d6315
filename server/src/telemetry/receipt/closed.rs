//! The close of a connection: its JSON fields, and its text.

use std::{fmt, time::Duration};

use common::{count::Count, escape::Escaped, fault::FaultId};
use log::kv::Value;

use super::{layer_names::LayerNames, tcp_info::TcpInfo, totals::ConnectionTotals};
use crate::telemetry::close_reason::CloseReason;

/// The figures of a closed connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed<'a> {
    pub(crate) reason: CloseReason,
    /// The listener, as it is configured.
    pub(crate) listener: &'a str,
    pub(crate) protocol: &'static str,
    pub(crate) layers: LayerNames,
    /// The user who had logged in.
    pub(crate) user: Option<&'a str>,
    pub(crate) totals: &'a ConnectionTotals,
    pub(crate) messages_received: u64,
    pub(crate) messages_sent: u64,
    pub(crate) after: Duration,
    /// The seed and the number of the connection, if it had faults.
    pub(crate) faults: Option<FaultId>,
    /// `None`: it was not TCP, or nobody would see them.
    pub(crate) tcp_info: Option<TcpInfo>,
    /// The text has the receipt.
    pub(crate) has_text: bool,
}

impl Closed<'_> {
    /// Passes the JSON fields to `visit`.
    pub(in crate::telemetry) fn visit_fields<'a>(
        &'a self,
        visit: &mut dyn FnMut(&'static str, Value<'a>),
    ) {
        if let Some(user) = self.user {
            visit("user", Value::from(user));
        }
        visit("reason", Value::from(self.reason.name()));
        visit("closed_by", Value::from(self.reason.closed_by()));
        visit("listener", Value::from(self.listener));
        visit("protocol", Value::from(self.protocol));
        visit("layers", Value::from_display(&self.layers));
        let duration = u64::try_from(self.after.as_millis()).unwrap_or(u64::MAX);
        visit("duration_ms", Value::from(duration));
        visit("bytes_received", Value::from(self.totals.bytes_received));
        visit("bytes_sent", Value::from(self.totals.bytes_sent));
        visit("messages_received", Value::from(self.messages_received));
        visit("messages_sent", Value::from(self.messages_sent));
        if let Some(FaultId { seed, connection }) = self.faults {
            visit("fault_seed", Value::from(seed));
            visit("fault_connection", Value::from(connection));
        }
        if let Some(tcp_info) = self.tcp_info {
            tcp_info.visit_fields(visit);
        }
    }
}

impl fmt::Display for Closed<'_> {
    /// Writes what follows the words of the original, if anything does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_text {
            return Ok(());
        }
        let (closed_by, reason) = (self.reason.closed_by(), self.reason.name());
        write!(f, ": by the {closed_by} ({reason}) after {:.3} s", self.after.as_secs_f64())?;
        let received = Count(self.totals.bytes_received, "byte");
        let sent = Count(self.totals.bytes_sent, "byte");
        let messages_received = Count(self.messages_received, "message");
        let messages_sent = Count(self.messages_sent, "message");
        write!(f, "; received {received} in {messages_received}")?;
        write!(f, ", sent {sent} in {messages_sent}")?;
        write!(f, "; listener {}, protocol {}", self.listener, self.protocol)?;
        if self.layers != LayerNames::default() {
            write!(f, ", layers {}", self.layers)?;
        }
        if let Some(user) = self.user {
            // A quote is escaped, so that no name looks like the rest of the line.
            let user = Escaped(user.as_bytes()).to_string().replace('\'', "\\'");
            write!(f, "; user '{user}'")?;
        }
        if let Some(FaultId { seed, connection }) = self.faults {
            write!(f, "; faults of seed {seed}, connection {connection}")?;
        }
        match self.tcp_info {
            Some(tcp_info) => write!(f, "; {tcp_info}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Calls `check` with the close of a connection.
    fn with_closed(check: impl FnOnce(Closed<'_>)) {
        let mut totals = ConnectionTotals::new(Instant::now());
        (totals.bytes_received, totals.bytes_sent) = (12, 1);
        check(Closed {
            reason: CloseReason::Fin,
            listener: "tls://127.0.0.1:7000",
            protocol: "text",
            layers: LayerNames([false, true, false, false, true]),
            user: Some("o'hara"),
            totals: &totals,
            messages_received: 2,
            messages_sent: 1,
            after: Duration::from_micros(3_201_400),
            faults: None,
            tcp_info: Some(TcpInfo {
                rtt_us: Some(45),
                min_rtt_us: Some(30),
                retransmits: 0,
                delivery_rate_bytes_per_second: Some(3_100_000),
            }),
            has_text: true,
        });
    }

    fn fields(closed: &Closed<'_>) -> String {
        let mut fields = Vec::new();
        closed.visit_fields(&mut |name, value| fields.push(format!("{name}={value}")));
        fields.join(" ")
    }

    #[test]
    fn the_text_has_the_whole_receipt_in_one_line() {
        with_closed(|closed| {
            assert_eq!(
                closed.to_string(),
                ": by the client (fin) after 3.201 s; received 12 bytes in 2 messages, sent 1 byte in 1 message; \
                 listener tls://127.0.0.1:7000, protocol text, layers tls,login; user 'o\\'hara'; \
                 RTT 45 us, minimum RTT 30 us, 0 retransmits, delivery rate 3.1 MB/s"
            );
            let plain =
                Closed { layers: LayerNames::default(), user: None, tcp_info: None, ..closed };
            assert!(plain.to_string().ends_with("listener tls://127.0.0.1:7000, protocol text"));
        });
    }

    #[test]
    fn the_text_is_that_of_the_original_without_receipts() {
        with_closed(|closed| {
            assert_eq!(Closed { has_text: false, ..closed }.to_string(), "");
        });
    }

    #[test]
    fn the_fields_are_the_same_with_and_without_the_text() {
        with_closed(|closed| {
            let expected = "user=o'hara reason=fin closed_by=client listener=tls://127.0.0.1:7000 protocol=text \
                            layers=tls,login duration_ms=3201 bytes_received=12 bytes_sent=1 messages_received=2 \
                            messages_sent=1 rtt_us=45 min_rtt_us=30 retransmits=0 \
                            delivery_rate_bytes_per_second=3100000";
            assert_eq!(fields(&closed), expected);
            assert_eq!(fields(&Closed { has_text: false, ..closed }), expected);
        });
    }

    #[test]
    fn a_connection_with_faults_names_their_seed_and_its_number() {
        with_closed(|closed| {
            let faults = Some(FaultId { seed: 7, connection: 3 });
            let closed = Closed { faults, tcp_info: None, user: None, ..closed };
            assert!(
                closed.to_string().ends_with("layers tls,login; faults of seed 7, connection 3")
            );
            assert!(fields(&closed).ends_with("messages_sent=1 fault_seed=7 fault_connection=3"));
        });
    }

    #[test]
    fn figures_that_are_unknown_have_no_field() {
        with_closed(|closed| {
            let unknown = Closed { tcp_info: Some(TcpInfo::default()), ..closed };
            assert!(fields(&unknown).ends_with("messages_sent=1 retransmits=0"));
            let unix = Closed { tcp_info: None, ..closed };
            assert!(fields(&unix).ends_with("messages_sent=1"));
        });
    }
}
