//! Verification: compares the bytes that peers have received with the model.

use common::protocol::Protocol;

use super::{model::Model, schedule::Simulation};

impl Simulation {
    /// Verifies that the peer has received no byte that the model does not allow by now.
    pub(super) fn verify(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let model = Model::new(self.protocol, &pair.session_bytes());
        let problem = if pair.cut_early {
            "closed early"
        } else if !model.allows(&pair.received()) {
            "wrong bytes"
        } else {
            return Ok(());
        };
        Err(self.explain(index, &model, problem))
    }

    /// Verifies that the peer has received all of its bytes in the end.
    pub(super) fn verify_end(&mut self, index: usize) -> Result<(), String> {
        let pair = &mut self.pairs[index];
        let model = Model::new(self.protocol, &pair.session_bytes());
        let is_over = pair.connection.is_none();
        let (faulted, is_drained) = (pair.faulted, pair.drained_at.is_some());
        let peer_ended = pair.peer_ended;
        let received = pair.received();
        let stream = pair.stream();
        if faulted || (stream.reset && is_over) {
            return Ok(());
        }
        // The `length` session holds a short frame until it is complete.
        let may_hold = self.protocol == Protocol::Length && !is_over && !is_drained;
        let problem = if stream.reset {
            "a reset has not ended the connection"
        } else if !model.is_complete(&received) && !may_hold {
            "missing bytes"
        } else if (model.has_exit() || is_drained) && !peer_ended && !stream.half_closed {
            "not half-closed"
        } else if stream.fin && !is_over {
            "not closed after the end of the stream"
        } else {
            return Ok(());
        };
        Err(self.explain(index, &model, problem))
    }

    fn explain(&mut self, index: usize, model: &Model, problem: &str) -> String {
        let trace = self.trace.take().unwrap_or_default();
        let pair = &mut self.pairs[index];
        let delivered = pair.received().escape_ascii().to_string();
        format!(
            "{trace}{index}: {problem}: {delivered:?} was received for {:?} {:?}; expected: {:?}",
            self.protocol,
            pair.script.escape_ascii().to_string(),
            model.outcomes().iter().map(|all| all.escape_ascii().to_string()).collect::<Vec<_>>(),
        )
    }
}
