//! A room: what any client sends goes to all of them.

use std::{
    io::{self, ErrorKind},
    net::{TcpListener, TcpStream},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, EventData, EventFlags},
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

/// Event data of the listener; the event data of a client is its index.
const LISTENER: u64 = u64::MAX;

/// Maximum number of events per `epoll_wait`.
const EVENTS: usize = 1024;

/// Size of the buffer in bytes.
const BUFFER: usize = 64 * 1024;

/// The clients, and the loop that serves them on one thread.
struct FanOut {
    epoll: OwnedFd,
    /// A client that has left keeps its place.
    clients: Vec<TcpStream>,
}

/// Serves clients until an error occurs that affects all of them.
pub(crate) fn serve(listener: &TcpListener) -> anyhow::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut room = FanOut { epoll, clients: Vec::new() };
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; BUFFER];
    loop {
        events.clear();
        match epoll::wait(&room.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            match event.data.u64() {
                LISTENER => room.accept(listener)?,
                client => room.serve(usize::try_from(client)?, &mut buffer),
            }
        }
    }
}

impl FanOut {
    /// Accepts all clients that wait.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let key = EventData::new_u64(self.clients.len() as u64);
            epoll::add(&self.epoll, &stream, key, EventFlags::IN | EventFlags::ET)?;
            self.clients.push(stream);
        }
    }

    /// Sends all that a client has sent to all clients.
    fn serve(&self, client: usize, buffer: &mut [u8]) {
        loop {
            let len = match recv(&self.clients[client], &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(_) => return,
                Ok((len, _)) => len,
            };
            for stream in &self.clients {
                let mut sent = 0;
                while sent < len {
                    match send(stream, &buffer[sent..len], SendFlags::NOSIGNAL) {
                        Ok(count) => sent += count,
                        // It has left.
                        Err(_) => break,
                    }
                }
            }
            // A short read has emptied the socket; later bytes cause a new event.
            if len < buffer.len() {
                return;
            }
        }
    }
}
