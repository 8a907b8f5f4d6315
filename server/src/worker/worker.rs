//! The worker: its state and the loop.
//!
//! An iteration of the loop: take connections from the dispatch queue, poll (and sleep if there is nothing to
//! do), mark the ready connections, give each of them one turn, expire deadlines. A connection that used up
//! its turn is ready again in the next iteration, after the others.
//!
//! | file | part of the loop |
//! |---|---|
//! | `intake.rs` | connections that come and go |
//! | `polling.rs` | poll, busy-poll, sleep, readiness |
//! | `turns.rs` | turns of the ready connections |
//! | `latency.rs` | a sample of the time that echoes take |
//! | `expiry.rs` | deadlines |
//! | `migration.rs` | moving connections to other workers |

use std::{collections::VecDeque, io, time::Instant};

use crossbeam::utils::CachePadded;
use mio::{Events, Poll, event::Source};
use slab::Slab;

use super::{
    precise_timer::{PRECISE_TIMER, PreciseTimer},
    rebalance::Rebalancer,
    slot::Slot,
    timing::{BusyPoll, PollCoverage, Timers},
};
#[cfg(feature = "rooms")]
use crate::rooms::LocalRooms;
use crate::{
    config::{Spin, limits},
    connection::{Incoming, Stream},
    history, logging,
    shared::{MessageReceiver, Phase, SharedState, WAKE},
    telemetry::Recorder,
    udp::{self, UdpSocketSet},
};

// Tokens of UDP sockets must not collide with that of the waker.
const _: () = assert!(udp::LAST_TOKEN < PRECISE_TIMER.0 && PRECISE_TIMER.0 < WAKE.0);

/// An event loop and its connections.
pub(crate) struct Worker<'a, S> {
    pub(super) index: usize,
    pub(super) shared: &'a SharedState<Incoming<S>>,
    pub(super) telemetry: Recorder<'a>,
    pub(super) poll: Poll,
    pub(super) messages: MessageReceiver,
    pub(super) connections: Slab<Slot<S>>,
    /// Number of new connections that the worker has taken, modulo 2^32.
    pub(super) generation: u32,
    /// UDP sockets, whose keys differ from those of connections.
    pub(super) udp_sockets: UdpSocketSet,
    /// Number of changes of the UDP listeners that the worker has seen.
    pub(super) seen_udp_changes: usize,
    /// Number of changes of faults that the worker has seen.
    pub(super) seen_fault_changes: usize,
    /// Number of removals of users that the worker has seen.
    #[cfg(feature = "login")]
    pub(super) seen_removals: usize,
    /// The rooms of the worker, from the first message on.
    #[cfg(feature = "rooms")]
    pub(super) rooms: Option<Box<LocalRooms>>,
    /// Keys of the connections and UDP sockets that need a turn, each at most once; see [`Slot::queued`].
    pub(super) ready: Vec<usize>,
    /// Keys of the connections that are ready for a step of their handshake, which takes as long as many messages; each at
    /// most once, and none of those in `ready`.
    pub(super) ready_handshakes: VecDeque<usize>,
    pub(super) timers: Timers,
    /// `None`: no connection has or had faults on purpose.
    pub(super) precise_timer: Option<PreciseTimer>,
    pub(super) poll_coverage: PollCoverage,
    pub(super) busy_poll: BusyPoll,
    pub(super) rebalancer: Rebalancer,
    /// The worker moves connections away, and takes none.
    pub(super) overloaded: bool,
    /// Start of the time not yet counted as busy.
    pub(super) busy_since: Instant,
    /// The drain has begun.
    pub(super) draining: bool,
    /// The end of the drain. `None`: unlimited, or not draining.
    pub(super) drain_deadline: Option<Instant>,
    /// Aligned, so that the search for a newline takes the same steps wherever the allocator puts it.
    pub(super) buffer: Box<CachePadded<[u8; limits::READ_BUFFER]>>,
    pub(super) now: Instant,
}

impl<'a, S: Stream + Source> Worker<'a, S> {
    #[expect(
        clippy::large_stack_arrays,
        reason = "aligned bytes pass the stack on their way to the heap; a thread has 2 MiB"
    )]
    pub(crate) fn new(
        index: usize,
        spin: Spin,
        shared: &'a SharedState<Incoming<S>>,
        poll: Poll,
        messages: MessageReceiver,
    ) -> Self {
        let now = Instant::now();
        let counters = &shared.counters.workers;
        Self {
            index,
            shared,
            telemetry: Recorder::new(index, &counters[index], shared.recording.load()),
            poll,
            messages,
            connections: Slab::new(),
            generation: 0,
            udp_sockets: UdpSocketSet::default(),
            seen_udp_changes: 0,
            seen_fault_changes: 0,
            #[cfg(feature = "login")]
            seen_removals: 0,
            #[cfg(feature = "rooms")]
            rooms: None,
            ready: Vec::new(),
            ready_handshakes: VecDeque::new(),
            timers: Timers::default(),
            precise_timer: None,
            poll_coverage: PollCoverage::default(),
            busy_poll: BusyPoll::new(spin),
            rebalancer: Rebalancer::new(counters.len(), now),
            overloaded: false,
            busy_since: now,
            draining: false,
            drain_deadline: None,
            buffer: Box::new(CachePadded::new([0; limits::READ_BUFFER])),
            now,
        }
    }

    /// Serves until the server has stopped, or has drained and all connections are closed.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(limits::EVENTS);
        loop {
            match self.shared.phase.get() {
                Phase::Running => {}
                Phase::Draining => {
                    self.begin_drain();
                    if self.is_done() {
                        break;
                    }
                }
                Phase::Stopped => break,
            }
            self.shared.counters.workers[self.index].iterations.add(1);
            self.telemetry.set_recording(self.shared.recording.load());
            self.take_connections();
            // Log records are handed over after their echo has been sent.
            logging::flush();
            #[cfg(not(feature = "cli"))]
            history::flush();
            let covered_until = self.wait(&mut events)?;
            self.record_readiness(&events);
            self.give_turns();
            // A deadline expires only if every event before it has been seen.
            if let Some(until) = covered_until {
                self.expire(until);
            }
            if self.rebalancer.is_due(self.now) {
                self.rebalance();
            }
        }
        self.drop_connections();
        logging::flush();
        history::detach();
        Ok(())
    }

    fn is_done(&self) -> bool {
        let is_late = self.drain_deadline.is_some_and(|deadline| self.now >= deadline);
        let is_idle = self.connections.is_empty() && self.udp_sockets.is_empty();
        #[cfg(feature = "rooms")]
        let is_idle = is_idle && self.shared.rooms.is_empty();
        is_late || (is_idle && self.shared.dispatch.is_drained())
    }

    /// Drains all connections and UDP sockets, the first time that it is called.
    fn begin_drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        self.drain_deadline = self.shared.drain_deadline();
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.connections[key].connection.drain();
            self.queue(key);
        }
        // UDP sockets in the messages were bound before the drain.
        self.receive_messages();
        self.udp_sockets.drain(&mut self.ready);
    }

    /// Drops all connections and held answers: the drain timeout has passed, or the server stops.
    fn drop_connections(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            let is_stopped = self.shared.phase.get() == Phase::Stopped;
            self.connections[key].connection.cut(is_stopped, &self.telemetry);
            self.remove(key);
        }
        self.udp_sockets.cut(&self.telemetry);
    }
}
