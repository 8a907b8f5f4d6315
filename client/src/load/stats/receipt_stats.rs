//! Counters of the receipts of a load.

use common::receipt::NoReceipt;
use serde::{Deserialize, Serialize};

use crate::receipt::Answer;

/// Counters of the comparisons with the receipts of a server, one for each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReceiptStats {
    /// Connections whose receipt was compared.
    pub(crate) compared: u64,
    /// Those on which all bytes of both directions arrived unchanged.
    pub(crate) equal: u64,
    /// Connections that ended without a receipt, or with a damaged one.
    pub(crate) missing: u64,
    /// Bytes that the server did not receive.
    pub(crate) lost_to_server: u64,
    /// Bytes that the server did not read, because it ended the connection.
    pub(crate) unread: u64,
    /// Bytes that the server received and no connection sent.
    pub(crate) added_to_server: u64,
    /// Bytes of the server that did not arrive.
    pub(crate) lost_back: u64,
    /// Bytes that arrived and the server did not send.
    pub(crate) added_back: u64,
    /// Last difference in words.
    pub(crate) difference: Option<String>,
}

impl ReceiptStats {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts a connection without a receipt.
    pub(crate) fn record_none(&mut self, why: NoReceipt) {
        self.missing += 1;
        if why == NoReceipt::Damaged {
            self.difference = Some(why.to_string());
        }
    }

    /// Counts what a receipt shows.
    pub(crate) fn record(&mut self, answer: &Answer) {
        let comparison = &answer.comparison;
        self.compared += 1;
        self.equal += u64::from(comparison.is_intact());
        // A server may claim any number.
        let add = |sum: &mut u64, bytes: u64| *sum = sum.saturating_add(bytes);
        add(&mut self.lost_to_server, comparison.to_server.lost());
        add(&mut self.unread, comparison.to_server.unread());
        add(&mut self.added_to_server, comparison.to_server.added());
        add(&mut self.lost_back, comparison.to_client.lost());
        add(&mut self.added_back, comparison.to_client.added());
        if !comparison.is_intact() {
            self.difference = Some(comparison.to_string());
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.compared += other.compared;
        self.equal += other.equal;
        self.missing += other.missing;
        self.lost_to_server = self.lost_to_server.saturating_add(other.lost_to_server);
        self.unread = self.unread.saturating_add(other.unread);
        self.added_to_server = self.added_to_server.saturating_add(other.added_to_server);
        self.lost_back = self.lost_back.saturating_add(other.lost_back);
        self.added_back = self.added_back.saturating_add(other.added_back);
        if other.difference.is_some() {
            self.difference.clone_from(&other.difference);
        }
    }
}

#[cfg(test)]
mod tests {
    use common::receipt::{EndedBy, Receipt, Total};

    use super::*;
    use crate::receipt::Ledger;

    #[test]
    fn bytes_that_the_server_did_not_read_count_apart_from_lost_ones() {
        let mut stats = ReceiptStats::default();
        for ended_by in [EndedBy::Server, EndedBy::Client] {
            let mut ledger = Ledger::of_stream();
            ledger.add_sent(b"one\ntwo\n");
            let receipt = Receipt::new(Total::of(b"one\n"), Total::of(b"one\n"), ended_by);
            ledger.add_received(format!("one\n{receipt}\n").as_bytes());
            stats.record(&ledger.conclude().unwrap());
        }
        let mut sum = stats.clone();
        sum.merge(&stats);
        assert_eq!((stats.compared, stats.unread, stats.lost_to_server), (2, 4, 4));
        assert_eq!((sum.equal, sum.unread, sum.lost_to_server), (0, 8, 8));
    }
}
