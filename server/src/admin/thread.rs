//! The thread of the admin listener.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
};

use common::reason::reason;
use log::{error, info};
use mio::Waker;

use super::{event_loop::EventLoop, listener::AdminListener};
use crate::{
    config::limits,
    connection::{Incoming, Socket},
    shared::SharedState,
};

/// The running thread. Dropping this ends it, so that it answers as long as the server runs.
pub(crate) struct AdminThread {
    thread: Option<JoinHandle<()>>,
    is_ending: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl AdminThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// If the system refuses a thread.
    pub(crate) fn start(
        listener: AdminListener,
        shared: &Arc<SharedState<Incoming<Socket>>>,
    ) -> io::Result<Self> {
        for address in listener.addresses() {
            info!(event = "admin-started", address; "Admin listener started on {address}");
        }
        let waker = Arc::clone(&listener.waker);
        let is_ending = Arc::new(AtomicBool::new(false));
        let (shared, ends) = (Arc::clone(shared), Arc::clone(&is_ending));
        let thread = thread::Builder::new().name("admin".into()).spawn(move || {
            let addresses: Vec<_> = listener.addresses().collect();
            let mut event_loop = EventLoop::new(&shared, listener);
            supervise(&mut event_loop, &addresses.join(", "), |event_loop| event_loop.run(&ends));
        })?;
        Ok(Self { thread: Some(thread), is_ending, waker })
    }
}

impl Drop for AdminThread {
    fn drop(&mut self) {
        self.is_ending.store(true, SeqCst);
        // It fails only if the poll is gone, and then the thread has ended.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // Panics are caught.
            let _ = thread.join();
        }
    }
}

/// Runs the event loop until it ends. No failure of it costs more than the admin listener: after a panic it drops its
/// clients and goes on, and it closes after too many, or an error of its poll.
fn supervise<'a>(
    event_loop: &mut EventLoop<'a>,
    address: &str,
    mut run: impl FnMut(&mut EventLoop<'a>) -> io::Result<()>,
) {
    for panics in 1..=limits::ADMIN_PANICS {
        match catch_unwind(AssertUnwindSafe(|| run(event_loop))) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                return error!(event = "admin-stopped", address;
                    "The admin listener on {address} has closed: cannot poll its sockets: {}; the server serves its \
                     clients, and a restart opens the listener again", reason(&error));
            }
            Err(_) if panics < limits::ADMIN_PANICS => {
                error!(event = "panic", address;
                    "The admin listener on {address} failed because of a bug: it closes its connections and goes on");
                event_loop.reset();
            }
            Err(_) => error!(event = "admin-stopped", address;
                "The admin listener on {address} has closed: it failed {panics} times because of a bug; the server \
                 serves its clients, and a restart opens the listener again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{SocketAddr, TcpStream},
    };

    use common::endpoint::{Endpoint, HostPort};
    use mio::{Events, Poll};

    use super::*;
    use crate::{
        config::{Admin, Config},
        shared::{MessageReceiver, Phase, fixture::shared_state},
    };

    /// The state of a server with one worker, which does nothing.
    type State = (SharedState<Incoming<Socket>>, Poll, Vec<(Poll, MessageReceiver)>);

    /// Runs a test with an event loop, the address of its socket, and what ends it.
    fn with_event_loop(test: impl FnOnce(EventLoop<'_>, SocketAddr, Arc<Waker>)) {
        let (shared, ..): &State = &shared_state(1);
        let at = HostPort { host: "127.0.0.1".into(), port: 0 };
        let admin = Some(Admin::new(Endpoint::Tcp(at)));
        let listener = AdminListener::bind(&Config { admin, ..Config::default() });
        let listener = listener.unwrap().unwrap();
        let Some(Endpoint::Tcp(at)) = listener.endpoints().next() else { panic!("a TCP socket") };
        let address = format!("{}:{}", at.host, at.port).parse().unwrap();
        let waker = Arc::clone(&listener.waker);
        test(EventLoop::new(shared, listener), address, waker);
        assert_eq!((shared.phase.get(), shared.has_failed()), (Phase::Running, false));
    }

    fn request(address: SocketAddr, target: &str) -> TcpStream {
        let mut client = TcpStream::connect(address).unwrap();
        write!(client, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        client
    }

    fn response(mut client: TcpStream) -> String {
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        response
    }

    /// Runs iterations until a client has arrived.
    fn iterate_until_accepted(event_loop: &mut EventLoop<'_>) {
        let mut events = Events::with_capacity(16);
        while !event_loop.has_clients() {
            event_loop.iterate(&mut events).unwrap();
        }
    }

    #[test]
    fn after_a_panic_the_event_loop_drops_its_clients_and_goes_on() {
        with_event_loop(|mut event_loop, address, waker| {
            let is_ending = AtomicBool::new(false);
            let idle = TcpStream::connect(address).unwrap();
            let mut panics = 0;
            thread::scope(|scope| {
                let client = scope.spawn(|| {
                    assert_eq!(response(idle), "", "its connection is closed");
                    let answer = response(request(address, "/livez"));
                    is_ending.store(true, SeqCst);
                    waker.wake().unwrap();
                    answer
                });
                supervise(&mut event_loop, "", |event_loop| {
                    if panics == 0 {
                        iterate_until_accepted(event_loop);
                        panics += 1;
                        panic!("the injected bug");
                    }
                    event_loop.run(&is_ending)
                });
                assert!(client.join().unwrap().ends_with("\r\n\r\nok\n"));
            });
        });
    }

    #[test]
    fn too_many_panics_and_an_error_of_the_poll_end_the_admin_listener_only() {
        with_event_loop(|mut event_loop, address, _| {
            let mut panics = 0;
            supervise(&mut event_loop, "", |_| {
                panics += 1;
                panic!("the injected bug")
            });
            assert_eq!(panics, limits::ADMIN_PANICS);
            drop(event_loop);
            assert!(TcpStream::connect(address).is_err());
        });
        with_event_loop(|mut event_loop, _, _| {
            let mut runs = 0;
            supervise(&mut event_loop, "", |_| {
                runs += 1;
                Err(io::ErrorKind::InvalidInput.into())
            });
            assert_eq!(runs, 1);
        });
    }

    #[test]
    fn a_client_that_waits_for_a_list_is_answered_when_the_server_has_ended() {
        with_event_loop(|mut event_loop, address, _| {
            // The worker does not answer.
            let client = request(address, "/connections");
            let mut events = Events::with_capacity(16);
            while !event_loop.has_lists() {
                event_loop.iterate(&mut events).unwrap();
            }
            event_loop.run(&AtomicBool::new(true)).unwrap();
            drop(event_loop);
            let response = response(client);
            assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
            assert!(response.ends_with("\r\n\r\n503 Service Unavailable: the server has ended\n"));
        });
    }
}
