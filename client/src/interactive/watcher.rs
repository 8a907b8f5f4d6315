//! An eye on the connection while the user types: the server may leave, or speak unasked.
//!
//! Must not take a byte from the connection, nor know what a prompt is: it raises an alarm.

use std::{
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags};

use crate::net::{
    error::{Error, WrongEcho},
    poll::{Deadline, wait},
    stream::{Received, peek},
};

/// How often the alarm is raised until somebody hears it.
const REPEAT: Duration = Duration::from_millis(50);

/// A thread that watches a connection on which nothing is owed.
#[derive(Debug)]
pub struct Watcher {
    /// Dropping it tells the thread to stop.
    stop: UnixStream,
    thread: JoinHandle<Option<Error>>,
}

impl Watcher {
    /// Starts to watch. When there is news, `alarm` is called, again and again until
    /// [`Watcher::stop`]: whoever is to be roused may not be listening yet at the first time.
    ///
    /// # Errors
    ///
    /// No descriptor or no thread is left.
    pub fn start(socket: BorrowedFd<'_>, alarm: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = UnixStream::pair()?;
        let socket = socket.try_clone_to_owned()?;
        let thread = thread::Builder::new()
            .name("watcher".to_owned())
            .spawn(move || watch(&socket, &stopped, alarm))?;
        Ok(Self { stop, thread })
    }

    /// Stops watching; says what was seen. From here on the connection is the caller's alone.
    #[must_use]
    pub fn stop(self) -> Option<Error> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn watch(socket: &OwnedFd, stopped: &UnixStream, alarm: impl Fn()) -> Option<Error> {
    let news = loop {
        let mut fds = [
            PollFd::new(stopped, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP),
        ];
        if let Err(error) = wait(&mut fds, Deadline::NEVER) {
            break Error::System { what: "watch the connection", error };
        }
        if !fds[0].revents().is_empty() {
            return None;
        }
        if let Some(news) = look(socket.as_fd()) {
            break news;
        }
    };
    loop {
        alarm();
        let mut fds = [PollFd::new(stopped, PollFlags::IN)];
        if wait(&mut fds, Deadline::after(REPEAT)).is_err() || !fds[0].revents().is_empty() {
            return Some(news);
        }
    }
}

/// What there is to say about a connection on which nothing is owed.
fn look(socket: BorrowedFd<'_>) -> Option<Error> {
    let mut head = [0; WrongEcho::CONTEXT];
    match peek(socket, &mut head) {
        Ok(Received::Nothing) => None,
        Ok(Received::End) => Some(Error::Closed),
        Ok(Received::Bytes(count)) => Some(Error::Unasked(head[..count].to_vec())),
        Err(error) => Some(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{Read as _, Write as _},
        sync::mpsc,
    };

    /// A watched connection, the server's end of it, and the alarm.
    fn watched() -> (UnixStream, UnixStream, Watcher, mpsc::Receiver<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (alarm, heard) = mpsc::channel();
        let watcher = Watcher::start(ours.as_fd(), move || {
            let _ = alarm.send(());
        })
        .unwrap();
        (ours, theirs, watcher, heard)
    }

    #[test]
    fn a_server_that_leaves_is_noticed() {
        let (_ours, theirs, watcher, heard) = watched();
        drop(theirs);
        heard.recv().unwrap();
        // An alarm that was not heard is raised again.
        heard.recv().unwrap();
        assert!(matches!(watcher.stop(), Some(Error::Closed)));
    }

    #[test]
    fn unasked_bytes_are_noticed_and_stay_where_they_are() {
        let (mut ours, mut theirs, watcher, heard) = watched();
        theirs.write_all(b"psst").unwrap();
        heard.recv().unwrap();
        assert_eq!(
            watcher.stop().unwrap().to_string(),
            "The server sent something unasked: 'psst'"
        );
        let mut bytes = [0; 4];
        ours.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"psst");
    }

    #[test]
    fn nothing_happens_to_a_quiet_connection() {
        let (_ours, _theirs, watcher, heard) = watched();
        assert!(watcher.stop().is_none());
        assert!(heard.recv().is_err(), "an alarm without a cause");
    }
}
