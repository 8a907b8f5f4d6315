//! Verification: compares what peers have received with the model, and the end of each connection with its cause.

use super::simulation::Simulation;
use crate::{connection::simulation::layer_end::LayerEnd, telemetry::CloseReason};

impl Simulation {
    /// Verifies that the peer has received no byte that the model does not allow by now.
    pub(super) fn verify(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let problem = if let Some(problem) = &pair.problem {
            problem.clone()
        } else if let Some(problem) = pair.encoding.tls().and_then(|peer| peer.problem.as_ref()) {
            problem.clone()
        } else {
            let received = pair.received_len();
            if std::mem::replace(&mut pair.verified, received) == received {
                return Ok(());
            }
            let comparison = pair.model().compare(&pair.received().0);
            if !comparison.is_allowed {
                "wrong bytes".to_owned()
            } else if comparison.pings > pair.session.pings {
                "more pings than deadlines".to_owned()
            } else {
                return Ok(());
            }
        };
        Err(self.explain(index, &problem))
    }

    /// Verifies that the peer has received all of its bytes in the end.
    pub(super) fn verify_end(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let peer_ended_layer = pair.session_bytes().1;
        let model = pair.model();
        let is_over = pair.connection.is_none();
        let (faulted, is_drained) = (pair.faulted, pair.drained_at.is_some());
        let is_http = pair.application.http().is_some();
        let peer_ended = pair.peer_ended;
        let (received, layer_end) = pair.received();
        let comparison = model.compare(&received);
        let pings = pair.session.pings;
        let expected = pair.expected_end(&model);
        let close_reason = pair.close_reason();
        let is_garbled = pair.encoding.tls().is_some_and(|peer| peer.is_garbled);
        let has_fault = pair.served_fault().is_some();
        let has_begun = pair.served_to() > pair.header;
        let is_length = pair.application.is_length();
        let stream = pair.stream();
        if faulted || (stream.reset && is_over) {
            return Ok(());
        }
        // It has no alert of the layer, and no end that a peer could take for a clean one.
        let is_cut = close_reason == Some(CloseReason::Handshake) && stream.fin && !has_fault;
        let ends = model.end().is_some() || (is_drained && !is_http) || peer_ended_layer;
        // The `length` session holds a short frame until it is complete. No plaintext may follow an alert, so a fault loses
        // the bytes that are held, and those of the records that TLS processes together with it.
        let may_hold = is_length && !is_over && !is_drained && !peer_ended_layer;
        let may_miss = may_hold || has_fault;
        let problem = if stream.reset {
            "a reset has not ended the connection"
        } else if !comparison.is_complete && !may_miss {
            "missing bytes"
        } else if comparison.pings < pings && !may_miss {
            "missing pings"
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
        Err(self.explain(index, problem))
    }

    fn explain(&mut self, index: usize, problem: &str) -> String {
        let trace = self.trace.take().unwrap_or_default();
        let pair = &mut self.pairs[index];
        let sent = pair.session_bytes().0;
        format!(
            "{trace}{index}: {problem}: {:?} was received for {:?} {:?}; expected: {}",
            shown(&pair.received().0),
            pair.application,
            shown(&sent),
            pair.model().describe(shown),
        )
    }
}

/// Returns bytes as text, of which a long one is cut.
fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(500)].escape_ascii().to_string();
    if bytes.len() > 500 { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}
