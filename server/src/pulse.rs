//! Whether a server's threads go round, as a watchdog wants to know (`sd_watchdog_enabled(3)`).

use std::sync::Arc;

use crate::{phase::Phase, shared::Shared, stream::Socket, worker::Incoming};

/// A finger on a server's pulse. Ask it at regular intervals.
#[derive(Debug)]
pub struct Pulse {
    shared: Arc<Shared<Incoming<Socket>>>,
    /// The rounds of each thread when it was last asked.
    seen: Vec<u64>,
}

impl Pulse {
    pub(crate) fn new(shared: Arc<Shared<Incoming<Socket>>>) -> Self {
        Self { shared, seen: Vec::new() }
    }

    /// Whether every thread of the server has gone round since this was last asked; the first time it has.
    /// Wakes them, so that one that has nothing to do goes round until the next time.
    ///
    /// Of a server that drains or has stopped it says so as well: its threads end one by one.
    pub fn beats(&mut self) -> bool {
        let rounds = self.shared.counters.rounds();
        let beats = rounds.iter().zip(&self.seen).all(|(now, then)| now > then);
        self.seen = rounds;
        self.shared.handoff.wake_all();
        beats || self.shared.phase.get() != Phase::Running
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Waker};

    use super::*;
    use crate::{config::Config, reload::Control, shared::WAKE};

    #[test]
    fn a_thread_that_does_not_go_round_is_noticed() {
        let (acceptor, worker) = (Poll::new().unwrap(), Poll::new().unwrap());
        let waker = |poll: &Poll| Waker::new(poll.registry(), WAKE).unwrap();
        let config = Config::default();
        let control = Control::new(&config, &[], &[]);
        let shared =
            Arc::new(Shared::new(&config, control, waker(&acceptor), vec![waker(&worker)]));
        let mut pulse = Pulse::new(Arc::clone(&shared));
        let (acceptor, worker) = (&shared.counters.rounds, &shared.counters.workers[0].rounds);

        assert!(pulse.beats(), "there is nothing to compare with yet");
        acceptor.add(1);
        worker.add(1);
        assert!(pulse.beats());
        acceptor.add(1);
        assert!(!pulse.beats(), "the worker is stuck");
        worker.add(1);
        assert!(!pulse.beats(), "the acceptor is stuck");
        shared.enter(Phase::Draining);
        assert!(pulse.beats(), "who drains is not judged");
    }
}
