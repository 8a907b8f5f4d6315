//! The loop of the admin thread: its sockets, its connections, and the checks of the other threads.

use std::{
    io::{self, ErrorKind},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use common::reason::reason;
use log::{error, warn};
use mio::{Events, Interest, Token, event::Event};
use slab::Slab;
use socket2::SockRef;

use super::{
    client::{Answer, Client, Request, Step},
    context::Context,
    endpoints::{Outcome, respond},
    health::Health,
    list::{Finished, Lists, Pending, server_has_ended},
    listener::{AdminListener, FIRST_SOCKET},
    rates::Rates,
};
use crate::{
    config::limits,
    connection::{Incoming, Socket},
    http::Refusal,
    listener::{StreamListener, concerns_one_peer, is_backlog_empty, is_descriptor_shortage},
    shared::{SharedState, WAKE},
    telemetry::LogThrottle,
};

/// The state of the admin thread.
pub(super) struct EventLoop<'a> {
    shared: &'a SharedState<Incoming<Socket>>,
    listener: AdminListener,
    /// Sockets with connections in their backlogs, by index.
    ready_sockets: Vec<usize>,
    /// The end of a pause, in which nothing is accepted, for lack of a resource.
    accepts_at: Option<Instant>,
    clients: Slab<Client>,
    /// Keys of the clients that need a turn.
    ready: Vec<usize>,
    lists: Lists,
    health: Health,
    rates: Rates,
    next_check: Instant,
    failures: LogThrottle,
    now: Instant,
}

impl<'a> EventLoop<'a> {
    pub(super) fn new(shared: &'a SharedState<Incoming<Socket>>, listener: AdminListener) -> Self {
        let now = Instant::now();
        Self {
            shared,
            // Connections may have arrived before the poll.
            ready_sockets: (0..listener.sockets.len()).collect(),
            lists: Lists::new(shared.counters.workers.len(), Arc::clone(&listener.waker)),
            listener,
            accepts_at: None,
            clients: Slab::with_capacity(limits::ADMIN_CONNECTIONS),
            ready: Vec::new(),
            health: Health::default(),
            rates: Rates::default(),
            next_check: now,
            failures: LogThrottle::new(limits::LOG_THROTTLE),
            now,
        }
    }

    /// Serves until `is_ending` is set and the thread is woken.
    ///
    /// # Errors
    ///
    /// Only if the poll itself fails, which takes a bug or a broken system.
    pub(super) fn run(&mut self, is_ending: &AtomicBool) -> io::Result<()> {
        let mut events = Events::with_capacity(limits::ADMIN_CONNECTIONS * 2);
        while !is_ending.load(SeqCst) {
            self.iterate(&mut events)?;
        }
        self.end();
        Ok(())
    }

    /// Runs one iteration: what is due, and then the poll.
    pub(super) fn iterate(&mut self, events: &mut Events) -> io::Result<()> {
        if self.now >= self.next_check {
            // Set before the check: if that panics, the loop serves until the next one.
            self.next_check = self.now + limits::LIVENESS_INTERVAL;
            self.health.check(self.shared);
            self.rates.record(&self.shared.counters, self.now);
        }
        // The open connections first: their requests may have arrived, and then no new one takes their place.
        for key in mem::take(&mut self.ready) {
            self.give_turn(key);
        }
        self.accept();
        self.advance_lists();
        self.expire();
        self.poll(events)
    }

    /// Drops the clients after a panic, which may have left their state incomplete. The sockets stay open.
    pub(super) fn reset(&mut self) {
        self.clients.clear();
        self.ready.clear();
        self.lists =
            Lists::new(self.shared.counters.workers.len(), Arc::clone(&self.listener.waker));
        (self.health, self.rates) = (Health::default(), Rates::default());
        // A readiness may be lost.
        self.ready_sockets = (0..self.listener.sockets.len()).collect();
    }

    /// Answers the requests that have no answer, and makes one attempt to send each response.
    fn end(&mut self) {
        for Finished { pending, answer } in self.lists.end() {
            let Pending { client, is_head, connection: _ } = pending;
            self.clients[client].send(&answer, is_head, (Some("close"), false), self.now);
        }
        for (_, client) in &mut self.clients {
            // A request may have arrived since.
            if let Step::Request(_) = client.advance(self.now) {
                client.refuse(server_has_ended(), self.now);
                client.advance(self.now);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    #[cfg(test)]
    pub(super) fn has_lists(&self) -> bool {
        self.lists.deadline().is_some()
    }

    fn poll(&mut self, events: &mut Events) -> io::Result<()> {
        let may_accept = self.accepts_at.is_none() && !self.ready_sockets.is_empty();
        let timeout = if may_accept || !self.ready.is_empty() {
            Some(Duration::ZERO)
        } else {
            let deadlines = self.clients.iter().filter_map(|(_, client)| client.deadline());
            let next = deadlines
                .chain(self.accepts_at)
                .chain(self.lists.deadline())
                .chain([self.next_check])
                .min();
            next.map(|next| next.saturating_duration_since(Instant::now()))
        };
        match self.listener.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        self.now = Instant::now();
        for token in events.iter().map(Event::token) {
            match token {
                WAKE => {}
                Token(socket @ FIRST_SOCKET..) => {
                    let index = socket - FIRST_SOCKET;
                    if !self.ready_sockets.contains(&index) {
                        self.ready_sockets.push(index);
                    }
                }
                Token(key) => self.ready.push(key),
            }
        }
        Ok(())
    }

    /// Accepts connections, a few at a time.
    fn accept(&mut self) {
        if self.accepts_at.is_some_and(|at| self.now < at) {
            return;
        }
        self.accepts_at = None;
        for _ in 0..limits::ADMIN_ACCEPTS {
            let Some(&index) = self.ready_sockets.first() else { return };
            let StreamListener { socket, .. } = &mut self.listener.sockets[index];
            match socket.accept() {
                Ok((stream, _)) => {
                    // A larger buffer only costs memory.
                    let _ = SockRef::from(&stream).set_send_buffer_size(limits::ADMIN_SEND_BUFFER);
                    self.add(stream.into());
                }
                Err(error) if is_backlog_empty(&error, socket) => _ = self.ready_sockets.remove(0),
                Err(error) if concerns_one_peer(&error) => {}
                Err(error) => return self.pause(&error),
            }
        }
        // The next socket has its turn, if one has connections left.
        let turn = self.ready_sockets.len().min(1);
        self.ready_sockets.rotate_left(turn);
    }

    /// Makes room for the next connection if the system is out of descriptors, and pauses otherwise.
    fn pause(&mut self, error: &io::Error) {
        if is_descriptor_shortage(error)
            && let Some(key) = self.longest_idle()
        {
            self.close(key);
        } else {
            self.accepts_at = Some(self.now + limits::ACCEPT_PAUSE);
        }
        if let Some(suppressed) = self.failures.allow(self.now) {
            warn!(event = "accept-failed";
                "Cannot accept connections of the admin listener: {}; accepting is retried{suppressed}",
                reason(error));
        }
    }

    fn add(&mut self, stream: Socket) {
        while self.clients.len() >= limits::ADMIN_CONNECTIONS {
            self.make_room();
        }
        let key = self.clients.insert(Client::new(stream, self.now));
        let stream = self.clients[key].stream_mut();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.listener.poll.registry().register(stream, Token(key), interest).is_err() {
            self.clients.remove(key);
        } else {
            self.give_turn(key);
        }
    }

    /// Closes a connection: the one that has waited longest without a complete request. If all have one, it is any of them,
    /// so that clients that do not read their responses cannot block others.
    fn make_room(&mut self) {
        while let Some(key) = self.longest_idle() {
            // Its request may have arrived.
            let was_idle_since = self.clients[key].idle_since();
            self.give_turn(key);
            if self.clients.len() < limits::ADMIN_CONNECTIONS {
                return;
            }
            if self.clients.get(key).and_then(Client::idle_since) == was_idle_since {
                self.close(key);
                return;
            }
        }
        let deadlines = self.clients.iter().map(|(key, client)| (client.deadline(), key));
        // A client without a deadline waits for the server.
        let oldest = deadlines.min_by_key(|&(deadline, _)| (deadline.is_none(), deadline));
        if let Some((_, key)) = oldest {
            self.close(key);
        }
    }

    /// Returns the connection that has waited longest without a complete request.
    fn longest_idle(&self) -> Option<usize> {
        let idle =
            self.clients.iter().filter_map(|(key, client)| Some((client.idle_since()?, key)));
        idle.min().map(|(_, key)| key)
    }

    /// Closes connections, or answers them, whose deadlines have passed.
    fn expire(&mut self) {
        let is_late =
            |client: &Client| client.deadline().is_some_and(|deadline| deadline <= self.now);
        let late = self.clients.iter().filter(|(_, client)| is_late(client)).map(|(key, _)| key);
        for key in late.collect::<Vec<_>>() {
            let step = self.clients[key].expire(self.now);
            self.follow(key, step);
        }
    }

    fn give_turn(&mut self, key: usize) {
        // An event may belong to a connection that is closed.
        let Some(client) = self.clients.get_mut(key) else { return };
        let step = client.advance(self.now);
        self.follow(key, step);
    }

    fn follow(&mut self, key: usize, step: Step) {
        match step {
            Step::Wait => {}
            Step::Again => self.ready.push(key),
            Step::Close => self.close(key),
            Step::Request(len) => self.answer(key, len),
        }
    }

    /// Answers the request at the beginning of the input of a client.
    fn answer(&mut self, key: usize, len: usize) {
        let context = Context::new(self.shared, &self.health, &self.rates);
        let client = &mut self.clients[key];
        let request = match Request::parse(client.input(), len) {
            Ok(request) => request,
            Err(refusal) => {
                client.refuse(refusal, self.now);
                return self.ready.push(key);
            }
        };
        let (is_head, connection) = (request.is_head(), request.connection());
        let allowed = request.allowed();
        let access = &self.listener.access;
        let outcome = catch_panic(|| {
            request.check(access)?;
            respond(&request, &context)
        });
        if let (Outcome::Await, Some(body)) = (&outcome, request.body_len()) {
            client.await_body(len + body);
            return self.ready.push(key);
        }
        let body = request.body().map_or(0, <[u8]>::len);
        client.take_request(len + body);
        match outcome {
            Outcome::Await => {}
            Outcome::Answer(answer) => {
                client.send(&Answer { allowed, ..answer }, is_head, connection, self.now);
                self.ready.push(key);
            }
            Outcome::List(query) => {
                self.lists.begin(query, Pending { client: key, is_head, connection });
            }
        }
    }

    /// Sends the lists that have ended.
    fn advance_lists(&mut self) {
        for Finished { pending, answer } in self.lists.advance(self.shared, self.now) {
            let Pending { client, is_head, connection } = pending;
            self.clients[client].send(&answer, is_head, connection, self.now);
            self.ready.push(client);
        }
    }

    /// Closes a connection.
    fn close(&mut self, key: usize) {
        self.clients.remove(key);
        self.lists.cancel(key);
    }
}

/// Returns the outcome of an endpoint. A panic costs this request only.
fn catch_panic(respond: impl FnOnce() -> Result<Outcome, Refusal>) -> Outcome {
    match catch_unwind(AssertUnwindSafe(respond)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(refusal)) => Outcome::Answer(refusal.into()),
        Err(_) => {
            error!(event = "panic"; "A request to the admin listener failed because of a bug");
            Outcome::Answer(Answer::internal_error())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Status;

    #[test]
    fn a_panic_in_an_endpoint_costs_its_request_only() {
        let Outcome::Answer(answer) = catch_panic(|| panic!("the injected bug")) else {
            panic!("an answer")
        };
        assert_eq!(answer.status, Status::InternalError);
    }
}
