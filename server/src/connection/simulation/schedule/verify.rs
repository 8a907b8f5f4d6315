//! Verification: compares what peers have received with the model, and the end of each connection with its cause.

use std::ops::Range;

use common::protocol::Protocol;

use super::simulation::Simulation;
use crate::{
    connection::simulation::{layer_end::LayerEnd, model::Model, pair::Pair},
    telemetry::CloseReason,
};

impl Simulation {
    /// Verifies that the peer has received no byte that the model does not allow by now.
    pub(super) fn verify(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let model = Model::new(self.protocol, &pair.session_bytes().0);
        let problem = if let Some(problem) = &pair.problem {
            problem.clone()
        } else if let Some(problem) = pair.encoding.tls().and_then(|peer| peer.problem.as_ref()) {
            problem.clone()
        } else if !model.allows(&pair.received().0) {
            "wrong bytes".to_owned()
        } else {
            return Ok(());
        };
        Err(self.explain(index, &model, &problem))
    }

    /// Verifies that the peer has received all of its bytes in the end.
    pub(super) fn verify_end(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let (session_bytes, peer_ended_layer) = pair.session_bytes();
        let model = Model::new(self.protocol, &session_bytes);
        let is_over = pair.connection.is_none();
        let (faulted, is_drained) = (pair.faulted, pair.drained_at.is_some());
        let peer_ended = pair.peer_ended;
        let (received, layer_end) = pair.received();
        let expected = pair.expected_end(&model);
        let close_reason = pair.close_reason();
        let is_garbled = pair.encoding.tls().is_some_and(|peer| peer.is_garbled);
        let has_fault = pair.served_fault().is_some();
        let has_begun = pair.served_to() > pair.header;
        let stream = pair.stream();
        if faulted || (stream.reset && is_over) {
            return Ok(());
        }
        // It has no alert of the layer, and no end that a peer could take for a clean one.
        let is_cut = close_reason == Some(CloseReason::Handshake) && stream.fin && !has_fault;
        let ends = model.has_exit() || is_drained || peer_ended_layer;
        // The `length` session holds a short frame until it is complete. No plaintext may follow an alert, so a fault loses
        // the bytes that are held, and those of the records that TLS processes together with it.
        let may_hold =
            self.protocol == Protocol::Length && !is_over && !is_drained && !peer_ended_layer;
        let may_miss = may_hold || has_fault;
        let problem = if stream.reset {
            "a reset has not ended the connection"
        } else if !model.is_complete(&received) && !may_miss {
            "missing bytes"
        } else if ends && !peer_ended && !stream.half_closed {
            "not half-closed"
        } else if stream.fin && !is_over {
            "not closed after the end of the stream"
        } else if (stream.half_closed || is_over)
            && has_begun
            && layer_end == LayerEnd::Open
            && !is_garbled
            && !is_cut
        {
            "the layer has not ended before the stream"
        } else if is_cut && layer_end == LayerEnd::Ended {
            "the layer has ended although the handshake failed"
        } else if !expected.contains(&close_reason) {
            &format!("the reason is {close_reason:?} instead of {expected:?}")
        } else {
            return Ok(());
        };
        Err(self.explain(index, &model, problem))
    }

    fn explain(&mut self, index: usize, model: &Model, problem: &str) -> String {
        let trace = self.trace.take().unwrap_or_default();
        let pair = &mut self.pairs[index];
        let sent = pair.session_bytes().0;
        format!(
            "{trace}{index}: {problem}: {:?} was received for {:?} {:?}; expected: {:?}",
            shown(&pair.received().0),
            self.protocol,
            shown(&sent),
            model.outcomes().iter().map(|all| shown(all)).collect::<Vec<_>>(),
        )
    }
}

/// Returns bytes as text, of which a long one is cut.
fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(500)].escape_ascii().to_string();
    if bytes.len() > 500 { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}

impl Pair {
    /// Returns the bytes that break the rules of the layer, if the connection has read any of them.
    fn served_fault(&self) -> Option<Range<usize>> {
        self.encoding.tls()?.fault.clone().filter(|fault| fault.start < self.served_to())
    }

    /// Returns the reasons that may be those of the end of this connection after everything has arrived.
    fn expected_end(&mut self, model: &Model) -> Vec<Option<CloseReason>> {
        let served_to = self.served_to();
        let peer_ended_layer = self.session_bytes().1;
        let has_layer = self.encoding.has_layer();
        let fault = self.served_fault();
        let is_established = self.is_established();
        let fin = self.stream().fin;
        let of_fin = if has_layer { CloseReason::Truncated } else { CloseReason::Fin };
        let mut reasons = Vec::new();
        if model.has_exit() {
            reasons.push(Some(CloseReason::Exit));
            if fault.is_none() {
                return reasons;
            }
        }
        if !is_established {
            let reasons =
                [CloseReason::Handshake, CloseReason::ProxyHeader, CloseReason::Drain, of_fin];
            return [None].into_iter().chain(reasons.map(Some)).collect();
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
        if self.drained_at.is_some() {
            reasons.push(Some(CloseReason::Drain));
        }
        if fin && (self.drained_at.is_none() || self.fin_before_drain) {
            reasons.push(Some(of_fin));
        }
        // Nothing ends it, unless the part of a broken record that has arrived is enough.
        if self.drained_at.is_none() && !fin {
            reasons.push(None);
        }
        reasons
    }
}
