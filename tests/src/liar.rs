//! An echo server inside the test that tells one lie, at a place that the test has chosen.
//!
//! Apart from its lie it sends back every byte. A lie is about bytes, which are counted by their
//! offset in a connection's stream; or about messages, which are lines and are numbered; or about
//! time. All count from 0. It is told to the first connection, or to all ([`Liar::to_all`]).

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, mpsc},
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::DEADLINE;

/// What is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing: an honest echo.
    Nothing,
    /// The lowest bit of this byte is the other one.
    FlipBit(u64),
    /// This byte does not come back.
    DropByte(u64),
    /// This message does not come back.
    DropMessage(u64),
    /// This message comes back twice.
    RepeatMessage(u64),
    /// This message comes back behind the one that follows it.
    SwapMessages(u64),
    /// In place of this message another connection's first one comes back.
    MixMessage(u64),
    /// After this many bytes a FIN comes.
    CloseAfter(u64),
    /// After this many bytes a RST comes.
    ResetAfter(u64),
    /// After this many bytes nothing comes.
    SilentAfter(u64),
    /// The connection is closed as soon as it has been accepted.
    CloseAtOnce,
    /// Everything comes back, this much later.
    Delay(Duration),
    /// Everything comes back, but nothing while the server pauses: for `length` at the end of `every`
    /// stretch of time since it was started.
    Pause {
        /// How long a pause is.
        length: Duration,
        /// From the start of one pause to the start of the next.
        every: Duration,
    },
}

/// A server that tells a [`Lie`], for as long as the test runs.
#[derive(Debug)]
pub struct Liar {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The bytes that have been sent back, on all connections.
    sent: u64,
    /// The first message of any connection that is not lied to.
    message: Option<Vec<u8>>,
}

/// How far one connection's stream has been lied about.
#[derive(Debug)]
struct Telling {
    lie: Lie,
    /// How many bytes have come.
    offset: u64,
    /// How many messages have come whole.
    message: u64,
    /// What is to come back later.
    held: Vec<u8>,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Close,
    Reset,
    Silence,
}

impl Liar {
    /// Tells the lie to the first connection that it accepts, and the truth to all others.
    #[must_use]
    pub fn to_first(lie: Lie) -> Self {
        Self::start(lie, 1)
    }

    /// Tells the lie to all connections.
    #[must_use]
    pub fn to_all(lie: Lie) -> Self {
        Self::start(lie, usize::MAX)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it has sent back this many bytes, on all connections together.
    pub fn wait_for_bytes(&self, count: u64) {
        self.shared.wait_until(|state| (state.sent >= count).then_some(()));
    }

    fn start(lie: Lie, victims: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            started: Instant::now(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_threads = Arc::clone(&shared);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let lie = if number < victims { lie } else { Lie::Nothing };
                let shared = Arc::clone(&of_threads);
                // A client that has gone away is its own business.
                thread::spawn(move || serve(stream, lie, &shared));
            }
        });
        Self { address, shared }
    }
}

fn serve(mut stream: TcpStream, lie: Lie, shared: &Shared) -> io::Result<()> {
    if lie == Lie::CloseAtOnce {
        return Ok(());
    }
    stream.set_nodelay(true)?;
    let mut reply = replier(stream.try_clone()?, lie, shared.started);
    let mut telling = Telling::new(lie);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = stream.read(&mut buffer)?;
        if len == 0 {
            return Ok(());
        }
        let mut told = Vec::with_capacity(len);
        let then = telling.tell(&buffer[..len], &mut told, shared);
        let count = told.len() as u64;
        reply(told)?;
        shared.update(|state| state.sent += count);
        match then {
            Then::GoOn => {}
            Then::Close => {
                stream.shutdown(Shutdown::Write)?;
                return ignore(stream);
            }
            Then::Reset => return SockRef::from(&stream).set_linger(Some(Duration::ZERO)),
            Then::Silence => return ignore(stream),
        }
    }
}

/// Takes whatever still comes: to close instead would be a reset.
fn ignore(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// How to reply: at once, or by a thread that sends everything when it is due.
fn replier(
    mut stream: TcpStream,
    lie: Lie,
    started: Instant,
) -> Box<dyn FnMut(Vec<u8>) -> io::Result<()>> {
    if !matches!(lie, Lie::Delay(_) | Lie::Pause { .. }) {
        return Box::new(move |bytes| stream.write_all(&bytes));
    }
    let (sender, replies) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        for (due, bytes) in replies {
            // To be late is what this server is for: it sleeps on purpose, and no test with it.
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if stream.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    Box::new(move |bytes| {
        let due = Instant::now() + lateness(lie, started.elapsed());
        sender.send((due, bytes)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    })
}

/// How late a reply is that could be sent this long after the server's start.
fn lateness(lie: Lie, since_start: Duration) -> Duration {
    match lie {
        Lie::Delay(by) => by,
        Lie::Pause { length, every } => {
            let phase = since_start.as_nanos() % every.as_nanos();
            let left = every.as_nanos() - phase;
            if left > length.as_nanos() {
                return Duration::ZERO;
            }
            Duration::from_nanos(u64::try_from(left).expect("a pause is no century"))
        }
        _ => Duration::ZERO,
    }
}

impl Telling {
    fn new(lie: Lie) -> Self {
        Self { lie, offset: 0, message: 0, held: Vec::new() }
    }

    /// Puts what comes back for `said` behind `told`.
    fn tell(&mut self, said: &[u8], told: &mut Vec<u8>, shared: &Shared) -> Then {
        for piece in said.split_inclusive(|&byte| byte == b'\n') {
            let then = self.tell_piece(piece, told, shared);
            if then != Then::GoOn {
                return then;
            }
            self.offset += piece.len() as u64;
            self.message += u64::from(piece.ends_with(b"\n"));
        }
        Then::GoOn
    }

    /// A piece of one message.
    fn tell_piece(&mut self, piece: &[u8], told: &mut Vec<u8>, shared: &Shared) -> Then {
        let ends = piece.ends_with(b"\n");
        // Where in the piece a byte is, if it is there.
        let find = |byte: u64| {
            let at = usize::try_from(byte.checked_sub(self.offset)?).ok()?;
            (at < piece.len()).then_some(at)
        };
        match self.lie {
            Lie::FlipBit(byte) => {
                let from = told.len();
                told.extend(piece);
                if let Some(at) = find(byte) {
                    told[from + at] ^= 1;
                }
            }
            Lie::DropByte(byte) => {
                let from = told.len();
                told.extend(piece);
                if let Some(at) = find(byte) {
                    told.remove(from + at);
                }
            }
            Lie::DropMessage(number) if number == self.message => {}
            Lie::RepeatMessage(number) if number == self.message => {
                told.extend(piece);
                self.held.extend(piece);
                if ends {
                    told.append(&mut self.held);
                }
            }
            Lie::SwapMessages(number) if number == self.message => self.held.extend(piece),
            Lie::SwapMessages(number) if number + 1 == self.message => {
                told.extend(piece);
                if ends {
                    told.append(&mut self.held);
                }
            }
            Lie::MixMessage(number) if number == self.message => {
                if ends {
                    told.extend(shared.wait_until(|state| state.message.clone()));
                }
            }
            Lie::CloseAfter(bytes) => return self.cut(bytes, Then::Close, piece, told),
            Lie::ResetAfter(bytes) => return self.cut(bytes, Then::Reset, piece, told),
            Lie::SilentAfter(bytes) => return self.cut(bytes, Then::Silence, piece, told),
            Lie::Nothing if self.message == 0 => {
                told.extend(piece);
                self.held.extend(piece);
                if ends {
                    shared.update(|state| state.message = Some(std::mem::take(&mut self.held)));
                }
            }
            _ => told.extend(piece),
        }
        Then::GoOn
    }

    /// Ends the replies behind this many bytes.
    fn cut(&self, behind: u64, then: Then, piece: &[u8], told: &mut Vec<u8>) -> Then {
        let left = usize::try_from(behind - self.offset).unwrap_or(usize::MAX);
        told.extend(&piece[..piece.len().min(left)]);
        if piece.len() < left { Then::GoOn } else { then }
    }
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn wait_until<T>(&self, mut seen: impl FnMut(&State) -> Option<T>) -> T {
        let mut found = None;
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), DEADLINE, |state| {
                found = seen(state);
                found.is_none()
            })
            .expect("nobody panics while holding the lock");
        found.expect("clients have sent what the test waits for")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding the lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Peer;

    const SAID: &[u8] = b"one\ntwo\nthree\n";

    /// What comes back for [`SAID`] by a lie; and that it is the same however it is cut.
    #[track_caller]
    fn assert_told(lie: Lie, expected: &str, then: Then) {
        let other = State { sent: 0, message: Some(b"other\n".to_vec()) };
        let (started, changed) = (Instant::now(), Condvar::new());
        let shared = Shared { started, state: Mutex::new(other), changed };
        for size in 1..=SAID.len() {
            let (mut telling, mut told) = (Telling::new(lie), Vec::new());
            let end = SAID
                .chunks(size)
                .map(|piece| telling.tell(piece, &mut told, &shared))
                .find(|then| *then != Then::GoOn);
            assert_eq!(str::from_utf8(&told), Ok(expected), "in pieces of {size}");
            assert_eq!(end.unwrap_or(Then::GoOn), then, "in pieces of {size}");
        }
    }

    #[test]
    fn each_lie_is_told_where_it_is_asked_for() {
        assert_told(Lie::Nothing, "one\ntwo\nthree\n", Then::GoOn);
        assert_told(Lie::FlipBit(6), "one\ntwn\nthree\n", Then::GoOn);
        assert_told(Lie::DropByte(7), "one\ntwothree\n", Then::GoOn);
        assert_told(Lie::DropMessage(1), "one\nthree\n", Then::GoOn);
        assert_told(Lie::RepeatMessage(1), "one\ntwo\ntwo\nthree\n", Then::GoOn);
        assert_told(Lie::SwapMessages(0), "two\none\nthree\n", Then::GoOn);
        assert_told(Lie::MixMessage(1), "one\nother\nthree\n", Then::GoOn);
        assert_told(Lie::CloseAfter(5), "one\nt", Then::Close);
        assert_told(Lie::ResetAfter(4), "one\n", Then::Reset);
        assert_told(Lie::SilentAfter(0), "", Then::Silence);
    }

    #[test]
    fn only_the_first_connection_is_lied_to() {
        let liar = Liar::to_first(Lie::FlipBit(0));
        let mut first = Peer::connect(liar.address());
        let mut second = Peer::connect(liar.address());
        second.exchange(b"two\n");
        first.send(b"one\n");
        first.expect(b"nne\n");
        liar.wait_for_bytes(8);
    }

    #[test]
    fn connections_end_as_they_are_told_to() {
        Peer::connect(Liar::to_all(Lie::CloseAtOnce).address()).expect_end();
        let mut closed = Peer::connect(Liar::to_all(Lie::CloseAfter(2)).address());
        closed.send(b"one\n");
        closed.expect_rest(b"on");
        let mut reset = Peer::connect(Liar::to_all(Lie::ResetAfter(0)).address());
        reset.send(b"one\n");
        let error = reset.stream().read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_late_reply_is_late_and_whole() {
        let begun = Instant::now();
        let delay = Duration::from_millis(5);
        Peer::connect(Liar::to_all(Lie::Delay(delay)).address()).exchange(SAID);
        assert!(begun.elapsed() >= delay);
    }

    #[test]
    fn a_pause_is_at_the_end_of_its_period() {
        let ms = Duration::from_millis;
        let pause = Lie::Pause { length: ms(100), every: ms(1000) };
        for (at, late) in [(0, 0), (899, 0), (900, 100), (950, 50), (1000, 0), (1999, 1)] {
            assert_eq!(lateness(pause, ms(at)), ms(late), "at {at} ms");
        }
    }
}
