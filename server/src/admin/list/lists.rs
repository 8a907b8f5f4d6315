//! The lists that are being made, and their requests to the workers.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};
use mio::Waker;

use super::{
    list::{List, Part},
    query::Query,
};
use crate::{
    admin::client::Answer,
    config::limits,
    http::{Refusal, Status, refused},
    shared::{ListPage, ListRequest, SharedState},
};

/// A client that waits for a list, and how its response is sent.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) struct Pending {
    /// The key of the client.
    pub(in crate::admin) client: usize,
    pub(in crate::admin) is_head: bool,
    /// The header `Connection`, and whether the connection continues.
    pub(in crate::admin) connection: (Option<&'static str>, bool),
}

/// A list that is complete, or has failed.
#[derive(Debug)]
pub(in crate::admin) struct Finished {
    pub(in crate::admin) pending: Pending,
    pub(in crate::admin) answer: Answer,
}

/// All lists that are being made.
pub(in crate::admin) struct Lists {
    /// With the identity of each; those that have just had an answer are at the end.
    queue: VecDeque<(u64, Pending, List)>,
    /// The time of the request that each worker has not answered. It has no other, so a silent worker gathers none.
    asked: Vec<Option<Instant>>,
    next_id: u64,
    pages: (Sender<ListPage>, Receiver<ListPage>),
    waker: Arc<Waker>,
}

impl Lists {
    /// `waker` wakes the thread that calls [`advance`](Self::advance).
    pub(in crate::admin) fn new(workers: usize, waker: Arc<Waker>) -> Self {
        let asked = vec![None; workers];
        Self { queue: VecDeque::new(), asked, next_id: 0, pages: unbounded(), waker }
    }

    /// Begins a list.
    pub(in crate::admin) fn begin(&mut self, query: Query, pending: Pending) {
        self.queue.push_back((self.next_id, pending, List::new(query, self.asked.len())));
        self.next_id += 1;
    }

    /// Drops the list of a client that has left.
    pub(in crate::admin) fn cancel(&mut self, client: usize) {
        self.queue.retain(|(_, pending, _)| pending.client != client);
    }

    /// Returns the time at which a list fails, if nothing happens before.
    pub(in crate::admin) fn deadline(&self) -> Option<Instant> {
        let asked = self.queue.iter().filter_map(|(_, _, list)| self.asked[list.worker()]);
        asked.min().map(|asked| asked + limits::LIST_TIMEOUT)
    }

    /// Takes the answers of workers, and sends the next requests. Returns the lists that have ended.
    pub(in crate::admin) fn advance<T>(
        &mut self,
        shared: &SharedState<T>,
        now: Instant,
    ) -> Vec<Finished> {
        let mut finished = Vec::new();
        while let Ok(page) = self.pages.1.try_recv() {
            self.asked[page.worker] = None;
            let at = self.queue.iter().position(|(id, ..)| *id == page.list);
            // The client of a list may have left.
            let Some((id, pending, mut list)) = at.and_then(|at| self.queue.remove(at)) else {
                continue;
            };
            list.add(page);
            if list.is_complete() {
                let answer = Answer::json(list.to_json(shared.limits.open()));
                finished.push(Finished { pending, answer });
            } else {
                self.queue.push_back((id, pending, list));
            }
        }
        for (id, pending, list) in std::mem::take(&mut self.queue) {
            match self.ask(id, &list, shared, now) {
                Ok(()) => self.queue.push_back((id, pending, list)),
                Err(answer) => finished.push(Finished { pending, answer }),
            }
        }
        finished
    }

    /// Ends all lists, because the server has ended.
    pub(in crate::admin) fn end(&mut self) -> Vec<Finished> {
        let pending = self.queue.drain(..).map(|(_, pending, _)| pending);
        pending.map(|pending| Finished { pending, answer: server_has_ended().into() }).collect()
    }

    /// Asks the worker of a list, unless it has a request.
    ///
    /// # Errors
    ///
    /// The answer if the worker is silent.
    fn ask<T>(
        &mut self,
        id: u64,
        list: &List,
        shared: &SharedState<T>,
        now: Instant,
    ) -> Result<(), Answer> {
        let worker = list.worker();
        let silent = || {
            let rule = format!("the thread worker-{} does not answer", worker + 1);
            Answer::from(refused(Status::Unavailable, rule))
        };
        match self.asked[worker] {
            Some(asked) if now.saturating_duration_since(asked) >= limits::LIST_TIMEOUT => {
                return Err(silent());
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let Part { from, max, filter, order } = list.part();
        let reply = (self.pages.0.clone(), Arc::clone(&self.waker));
        let request = ListRequest::new((id, worker), (from, max), filter, order, reply);
        shared.list(worker, request).map_err(|_| silent())?;
        self.asked[worker] = Some(now);
        Ok(())
    }
}

/// Returns the refusal of a request that the server can no longer answer.
pub(in crate::admin) fn server_has_ended() -> Refusal {
    refused(Status::Unavailable, "the server has ended")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Poll, Token};

    use super::*;
    use crate::shared::{WorkerMessage, fixture::shared_state};

    const PENDING: Pending = Pending { client: 7, is_head: false, connection: (None, true) };

    fn query(text: &str) -> Query {
        Query::parse(form_urlencoded::parse(text.as_bytes()), 2).unwrap()
    }

    fn lists() -> (Lists, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        (Lists::new(2, waker), poll)
    }

    #[test]
    fn a_silent_worker_is_named_and_has_one_request_however_many_clients_ask() {
        let (shared, _acceptor, workers) = shared_state::<()>(2);
        let (mut lists, _poll) = lists();
        let now = Instant::now();
        for _ in 0..3 {
            lists.begin(query("worker=2"), PENDING);
            assert!(lists.advance(&shared, now).is_empty());
        }
        assert_eq!(workers[1].1.len(), 1);
        assert_eq!(lists.deadline(), Some(now + limits::LIST_TIMEOUT));
        let late = now + limits::LIST_TIMEOUT;
        let just_before = now + limits::LIST_TIMEOUT.saturating_sub(Duration::from_millis(1));
        assert!(lists.advance(&shared, just_before).is_empty());
        let failed = lists.advance(&shared, late);
        assert_eq!(failed.len(), 3);
        let Answer { status, body, .. } = &failed[0].answer;
        assert_eq!(*status, Status::Unavailable);
        assert_eq!(body, b"503 Service Unavailable: the thread worker-2 does not answer\n");
        // Other workers answer, and later lists fail immediately.
        lists.begin(query("worker=1"), PENDING);
        lists.begin(query("worker=2"), PENDING);
        assert_eq!(lists.advance(&shared, late).len(), 1);
        assert_eq!((workers[0].1.len(), workers[1].1.len()), (1, 1));
        // It is asked again when it has answered.
        let WorkerMessage::List(request) = workers[1].1.recv().unwrap() else { panic!("a list") };
        request.answer(Vec::new(), None);
        lists.begin(query("worker=2"), PENDING);
        assert!(lists.advance(&shared, late).is_empty());
        assert_eq!(workers[1].1.len(), 1);
    }

    #[test]
    fn a_worker_that_has_ended_has_no_connections() {
        let (shared, _acceptor, workers) = shared_state::<()>(2);
        let (mut lists, _poll) = lists();
        lists.begin(query(""), PENDING);
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        // One ends with the request in its queue, the other one before.
        drop(workers);
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        let [finished] = &lists.advance(&shared, Instant::now())[..] else { panic!("one list") };
        assert_eq!(finished.answer.body, b"{\"open\":0,\"connections\":[],\"next\":null}\n");
    }

    #[test]
    fn the_list_of_a_client_that_has_left_is_dropped() {
        let (shared, _acceptor, workers) = shared_state::<()>(2);
        let (mut lists, _poll) = lists();
        lists.begin(query(""), PENDING);
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        lists.cancel(PENDING.client);
        drop(workers);
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        assert_eq!(lists.deadline(), None);
    }

    #[test]
    fn a_full_page_names_the_place_at_which_the_next_one_continues() {
        let (shared, _acceptor, workers) = shared_state::<()>(2);
        let (mut lists, _poll) = lists();
        lists.begin(query("after=1-10"), PENDING);
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        let WorkerMessage::List(request) = workers[0].1.recv().unwrap() else { panic!("a list") };
        assert_eq!((request.from, request.max), (10, limits::LISTED_BY_DEFAULT));
        // No connection in this part; the worker has more slots.
        request.answer(Vec::new(), Some(4106));
        assert!(lists.advance(&shared, Instant::now()).is_empty());
        let WorkerMessage::List(request) = workers[0].1.recv().unwrap() else { panic!("a list") };
        assert_eq!(request.from, 4106);
    }
}
