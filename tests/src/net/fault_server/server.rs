//! Listening, connections, delayed replies.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{
    fault::Fault,
    shared::{Shared, State},
    stream::{Action, FaultyEcho},
};

/// TCP echo server with one fault. It serves for as long as the test process runs.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultServer {
    /// Starts a server with a fault on the first connection that it accepts. All others have none.
    #[must_use]
    pub fn on_first_connection(fault: Fault) -> Self {
        Self::start(fault, 1)
    }

    /// Starts a server with a fault on all connections.
    #[must_use]
    pub fn on_all_connections(fault: Fault) -> Self {
        Self::start(fault, usize::MAX)
    }

    /// Returns the address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has returned this many bytes, over all connections.
    pub fn wait_for_bytes(&self, count: u64) {
        self.shared.wait_for(|state| (state.sent >= count).then_some(()));
    }

    /// Starts a server with a fault on its first `faulty` connections.
    fn start(fault: Fault, faulty: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::new(State::default()));
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let fault = if number < faulty { fault } else { Fault::None };
                let shared = Arc::clone(&of_threads);
                // A client may close its connection at any time.
                thread::spawn(move || serve(stream, fault, &shared));
            }
        });
        Self { address, shared }
    }
}

fn serve(mut stream: TcpStream, fault: Fault, shared: &Shared) -> io::Result<()> {
    if fault == Fault::CloseImmediately {
        return Ok(());
    }
    stream.set_nodelay(true)?;
    let mut send = sender(stream.try_clone()?, fault, shared.started);
    let mut echo = FaultyEcho::new(fault);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        let mut reply = Vec::with_capacity(len);
        let action = echo.receive(&buffer[..len], &mut reply, shared);
        let count = reply.len() as u64;
        send(reply)?;
        shared.update(|state| state.sent += count);
        match action {
            Action::Continue => {}
            Action::Close => {
                stream.shutdown(Shutdown::Write)?;
                return discard(stream);
            }
            Action::Reset => return SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            Action::Stall => return discard(stream),
        }
    }
}

/// Reads and discards to the end of the stream. Closing the socket with unread input would reset the connection.
fn discard(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Returns a function that sends a reply: immediately, or through a thread that sends each reply when it is due.
fn sender(
    mut stream: TcpStream,
    fault: Fault,
    started: Instant,
) -> Box<dyn FnMut(Vec<u8>) -> io::Result<()>> {
    if !matches!(fault, Fault::Delay(_) | Fault::Pause { .. }) {
        return Box::new(move |bytes| stream.write_all(&bytes));
    }
    let (sender, replies) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in replies {
            // The delay is the fault. No test sleeps.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    Box::new(move |bytes| {
        let due = Instant::now() + fault.delay(started.elapsed());
        sender.send((due, bytes)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    })
}
