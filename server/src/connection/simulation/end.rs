//! The end of a connection: the reasons that it may have after everything has arrived.

use std::ops::Range;

use super::{model::Model, pair::Pair};
use crate::telemetry::CloseReason;

impl Pair {
    /// Returns the bytes that break the rules of the layer, if the connection has read any of them.
    pub(super) fn served_fault(&self) -> Option<Range<usize>> {
        self.encoding.tls()?.fault.clone().filter(|fault| fault.start < self.served_to())
    }

    /// Returns the reasons that may be those of the end of this connection after everything has arrived.
    pub(super) fn expected_end(&mut self, model: &Model) -> Vec<Option<CloseReason>> {
        let served_to = self.served_to();
        let peer_ended_layer = self.session_bytes().1;
        let has_layer = self.encoding.has_layer();
        let fault = self.served_fault();
        let is_established = self.is_established();
        let fin = self.stream().fin;
        let of_fin = if has_layer { CloseReason::Truncated } else { CloseReason::Fin };
        let mut reasons = Vec::new();
        if !is_established {
            let reasons =
                [CloseReason::Handshake, CloseReason::ProxyHeader, CloseReason::Drain, of_fin];
            return [None].into_iter().chain(reasons.map(Some)).collect();
        }
        if let Some(reason) = model.end() {
            reasons.push(Some(reason));
            if fault.is_none() {
                return reasons;
            }
        }
        if self.encoding.tls().is_some_and(|peer| peer.is_end_early) {
            reasons.push(Some(CloseReason::Fin));
        }
        if peer_ended_layer {
            reasons.push(Some(CloseReason::Fin));
            return reasons;
        }
        if let Some(fault) = fault {
            reasons.push(Some(CloseReason::LayerError));
            if fault.end <= served_to {
                return reasons;
            }
        }
        // A session of HTTP in the middle of something is not ended by a drain.
        let is_drained = self.drained_at.is_some() && self.application.http().is_none();
        if is_drained {
            reasons.push(Some(CloseReason::Drain));
        }
        if fin && (!is_drained || self.fin_before_drain) {
            reasons.push(Some(of_fin));
        }
        // Nothing ends it, unless the part of a broken record that has arrived is enough.
        if !is_drained && !fin {
            reasons.push(None);
        }
        reasons
    }
}
