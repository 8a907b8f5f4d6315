//! Random schedules: connections over a network that the test owns, with a clock that it owns.
//!
//! From one seed comes everything: what peers say and when it arrives, how much their sockets take,
//! who ends, resets or stalls, when the server drains, when a connection changes hands, when time
//! passes, when a read hits a bug. The network is as mean as a real one may be: it tells readiness
//! once, and takes and gives any number of bytes at a time.
//!
//! What must have come back is known from what was sent alone ([`Model`]). After every schedule the
//! network is left to settle: whoever then has not got all that it is owed was forgotten.
//!
//! A failure names its seed. `SIMULATION_SEEDS` is the range of seeds to run, as `7` or `0..1000`; a
//! single one says what it does.

use std::{
    env,
    fmt::Write as _,
    io::{self, Read, Write},
    num::NonZero,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use common::{
    exit::{Newline, goodbye, is_exit},
    frame::{PREFIX_LEN, encode, payload_len},
    protocol::{MAX_EXIT_PAYLOAD, Protocol},
};
use fastrand::Rng;

use super::{
    connection::Connection,
    stream::Stream,
    turn::{Readiness, Turn, TurnContext},
};
use crate::{
    admission::{ConnectionLimits, ConnectionPolicy, Peer},
    config::{Config, limits},
    telemetry::{ConnectionEvents, WorkerCounters},
};

/// Schedules of every test run.
const SEEDS: Range<u64> = 0..200_000;

const IDLE: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(3);

/// PROXY headers: one of each version that names a source, and one that names none.
const HEADERS: [&[u8]; 3] = [
    b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 65432\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x0a\0\0\x01\x13\x88\xff\x98",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
];

/// The poll tells of room in a socket from so many bytes on: of less only who writes finds out.
const WORTH_TELLING: usize = 16;

/// One end of a connection, as the server's socket has it.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each happens or not, whatever the others do")]
struct Net {
    /// Arrived and not read.
    arrived: Vec<u8>,
    /// Behind them the stream ends.
    fin: bool,
    /// The peer has reset the connection.
    reset: bool,
    /// How many bytes the socket takes.
    room: usize,
    /// A write would have blocked, and the poll is to say when it would not.
    blocked: bool,
    /// What the peer has got.
    came_back: Vec<u8>,
    /// The server has ended its side.
    half_closed: bool,
    /// The next read hits a bug.
    bug: bool,
    /// When a byte last moved, or the server ended its side.
    moved: bool,
}

impl Read for Net {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.bug) {
            resume_unwind(Box::new(Bug));
        }
        let len = self.arrived.len().min(buffer.len());
        if len > 0 {
            buffer[..len].copy_from_slice(&self.arrived[..len]);
            self.arrived.drain(..len);
            self.moved = true;
            return Ok(len);
        }
        match (self.reset, self.fin) {
            (true, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, true) => Ok(0),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Net {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(!self.half_closed, "written after the half-close");
        if self.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(self.room);
        if len == 0 {
            self.blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.came_back.extend_from_slice(&bytes[..len]);
        self.room -= len;
        self.moved = true;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Net {
    fn half_close(&mut self) -> io::Result<()> {
        assert!(!self.half_closed, "half-closed twice");
        self.half_closed = true;
        self.moved = true;
        if self.reset { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }

    fn received(&self) -> io::Result<u64> {
        Ok(self.arrived.len() as u64)
    }
}

/// What a read panics with that hits a bug. Any other panic is one of ours.
struct Bug;

/// What must come back for what was sent.
struct Model {
    /// The echo up to an exit, or all of it.
    echo: Vec<u8>,
    exit: Option<Exit>,
}

struct Exit {
    /// Of the exit, any number of bytes have gone back if they came in earlier reads.
    early: Vec<u8>,
    reply: Vec<u8>,
}

impl Model {
    fn new(protocol: Protocol, sent: &[u8]) -> Self {
        match protocol {
            Protocol::Raw => Self { echo: sent.to_vec(), exit: None },
            Protocol::Text => Self::text(sent),
            Protocol::Length => Self::length(sent),
        }
    }

    fn text(sent: &[u8]) -> Self {
        let mut at = 0;
        for line in sent.split_inclusive(|&byte| byte == b'\n') {
            if let Some(text) = line.strip_suffix(b"\n")
                && is_exit(text)
            {
                let newline = if text.ends_with(b"\r") { Newline::CrLf } else { Newline::Lf };
                let exit = Exit { early: text.to_vec(), reply: goodbye(newline).to_vec() };
                return Self { echo: sent[..at].to_vec(), exit: Some(exit) };
            }
            at += line.len();
        }
        Self { echo: sent.to_vec(), exit: None }
    }

    fn length(sent: &[u8]) -> Self {
        let mut at = 0;
        while let Some(payload) = payload_len(&sent[at..]) {
            let next = at + PREFIX_LEN + payload as usize;
            let Some(text) = sent.get(at + PREFIX_LEN..next) else { break };
            if payload <= MAX_EXIT_PAYLOAD && is_exit(text) {
                let reply = encode(goodbye(Newline::None)).expect("it is short");
                let exit = Exit { early: Vec::new(), reply };
                return Self { echo: sent[..at].to_vec(), exit: Some(exit) };
            }
            at = next;
        }
        Self { echo: sent.to_vec(), exit: None }
    }

    /// Everything that may have come back in the end.
    fn outcomes(&self) -> Vec<Vec<u8>> {
        match &self.exit {
            None => vec![self.echo.clone()],
            Some(Exit { early, reply }) => (0..=early.len())
                .map(|early_len| [&self.echo, &early[..early_len], reply].concat())
                .collect(),
        }
    }

    /// Whether this is all that had to come back.
    fn is_all(&self, came_back: &[u8]) -> bool {
        self.outcomes().iter().any(|outcome| outcome == came_back)
    }

    /// Whether this may have come back by some moment.
    fn may_begin(&self, came_back: &[u8]) -> bool {
        self.outcomes().iter().any(|outcome| outcome.starts_with(came_back))
    }
}

/// A connection and its peer.
#[expect(clippy::struct_excessive_bools, reason = "as for `Net`")]
struct Side {
    /// `None`: over.
    connection: Option<Connection<Net>>,
    /// What the network was when the connection was dropped.
    left: Net,
    /// All that the peer will ever say, and how much of it has arrived.
    script: Vec<u8>,
    arrived: usize,
    /// So many bytes of it are a PROXY header, or were to be.
    header: usize,
    /// It was told to drain when so much had arrived.
    drained_at: Option<usize>,
    /// The poll has something to tell.
    edge: bool,
    /// It is to have a turn.
    queued: bool,
    /// When bytes last moved.
    moved_at: Instant,
    /// It need not get all that it is owed: it was reset, timed out, or hit a bug.
    faulted: bool,
    /// It ended because its peer did.
    peer_ended: bool,
    /// It was given up although it had just done something, or by a panic.
    cut_early: bool,
}

impl Side {
    fn new(protocol: Protocol, open: &ConnectionLimits, now: Instant, rng: &mut Rng) -> Self {
        let mut policy = ConnectionPolicy::of(protocol).with(Some(IDLE), Some(WRITE));
        let mut script = script(protocol, rng);
        let mut header = 0;
        if rng.u8(0..3) == 0 {
            policy = policy.behind_proxy();
            let first = rng.choice(HEADERS).expect("there are some");
            header = first.len();
            script.splice(..0, first.iter().copied());
            // The proxy dies in mid-header, or its client says nothing.
            if rng.u8(0..8) == 0 {
                script.truncate(rng.usize(0..=header));
            }
        }
        let net = Net { room: rng.usize(0..40), ..Net::default() };
        let peer = Peer::Remote(([127, 0, 0, 1], 54321).into());
        open.acquire(&policy, policy.source_of(&peer)).expect("there is room for all");
        Self {
            connection: Some(Connection::new(net, &peer, Arc::new(policy), now)),
            left: Net::default(),
            script,
            arrived: 0,
            header,
            drained_at: None,
            edge: false,
            queued: false,
            moved_at: now,
            faulted: false,
            peer_ended: false,
            cut_early: false,
        }
    }

    /// What the session must have seen by now.
    fn seen(&self) -> &[u8] {
        let seen = self.drained_at.unwrap_or(self.arrived);
        &self.script[self.header.min(seen)..seen]
    }
}

struct Simulation {
    rng: Rng,
    protocol: Protocol,
    sides: Vec<Side>,
    counters: WorkerCounters,
    open: ConnectionLimits,
    buffer: Vec<u8>,
    now: Instant,
    began: Instant,
    draining: bool,
    trace: Option<String>,
}

fn script(protocol: Protocol, rng: &mut Rng) -> Vec<u8> {
    let messages = rng.usize(0..8);
    let mut script = Vec::new();
    // A client that has sent a newline is a line client: what a bare `exit` is does not depend on
    // how its bytes are split then, which no model could know.
    if protocol == Protocol::Text {
        script.extend_from_slice(if rng.bool() { b"hi\n" } else { b"\r\n" });
    }
    for _ in 0..messages {
        let text = match rng.u8(0..12) {
            0 => b"exit".to_vec(),
            1 => b" EXit \r".to_vec(),
            _ => {
                (0..rng.usize(0..24)).map(|_| rng.choice(*b"exitEXIT \r\0\xff.").unwrap()).collect()
            }
        };
        match protocol {
            Protocol::Length => script.extend(encode(&text).expect("it is short")),
            Protocol::Text | Protocol::Raw => {
                script.extend_from_slice(&text);
                script.push(b'\n');
            }
        }
    }
    // Now and then it breaks off.
    if rng.u8(0..3) == 0 {
        script.truncate(rng.usize(0..=script.len()));
        if protocol == Protocol::Text && !script.contains(&b'\n') {
            script = b"\n".to_vec();
        }
    }
    script
}

impl Simulation {
    fn new(seed: u64, trace: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let protocol =
            rng.choice([Protocol::Text, Protocol::Raw, Protocol::Length]).expect("one of three");
        let now = Instant::now();
        let open =
            ConnectionLimits::new(&Config { max_connections_per_ip: Some(9), ..Config::default() });
        let sides: Vec<Side> =
            (0..rng.usize(1..4)).map(|_| Side::new(protocol, &open, now, &mut rng)).collect();
        // Small, so that reads fill it; but what is held must fit: a frame, or a PROXY header.
        let held = if protocol == Protocol::Length { 64 } else { 0 };
        let header = sides.iter().map(|side| side.header).max().unwrap_or_default();
        let buffer = vec![0; held.max(header) + rng.usize(1..48)];
        Self {
            rng,
            protocol,
            sides,
            counters: WorkerCounters::default(),
            open,
            buffer,
            now,
            began: now,
            draining: false,
            trace: trace.then(String::new),
        }
    }

    fn run(mut self) -> Result<(), String> {
        for _ in 0..self.rng.usize(10..80) {
            let side = self.rng.usize(0..self.sides.len());
            self.step(side);
            self.check(side)?;
        }
        self.settle();
        (0..self.sides.len())
            .try_for_each(|side| self.check(side).and_then(|()| self.check_end(side)))?;
        for side in 0..self.sides.len() {
            self.drop_connection(side);
        }
        if self.open.is_empty() { Ok(()) } else { Err("not all are released".into()) }
    }

    fn say(&mut self, side: usize, what: impl FnOnce(&Side) -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{side}: {}", what(&self.sides[side]));
        }
    }

    fn net(&mut self, side: usize) -> Option<&mut Net> {
        self.sides[side].connection.as_mut().map(Connection::stream_mut)
    }

    fn step(&mut self, side: usize) {
        match self.rng.u8(0..32) {
            0..9 => self.arrive(side),
            9..14 => self.take(side),
            14..19 => self.poll(side),
            19..27 => self.turn(side),
            27 => self.end_or_reset(side),
            28 => self.flush(side),
            29 => self.pass_time(),
            30 if self.rng.u8(0..4) == 0 => self.drain(),
            31 if self.rng.u8(0..8) == 0 => {
                self.say(side, |_| "a bug".into());
                if let Some(net) = self.net(side) {
                    net.bug = true;
                }
            }
            _ => {}
        }
    }

    /// Some of what the peer says arrives.
    fn arrive(&mut self, side: usize) {
        let left = self.sides[side].script.len() - self.sides[side].arrived;
        let len = match self.rng.u8(0..3) {
            0 => left.min(1),
            1 => left.min(self.rng.usize(0..16)),
            _ => left,
        };
        let at = self.sides[side].arrived;
        let bytes = self.sides[side].script[at..at + len].to_vec();
        let Some(net) = self.net(side) else { return };
        if len == 0 || net.fin || net.reset {
            return;
        }
        net.arrived.extend_from_slice(&bytes);
        self.sides[side].arrived += len;
        self.sides[side].edge = true;
        self.say(side, |_| format!("{:?} arrives", bytes.escape_ascii().to_string()));
    }

    /// The peer reads: its socket takes more.
    fn take(&mut self, side: usize) {
        let more = self.rng.usize(1..64);
        let Some(net) = self.net(side) else { return };
        net.room += more;
        if net.blocked {
            let tells = net.room >= WORTH_TELLING;
            net.blocked = !tells;
            self.sides[side].edge |= tells;
            self.sides[side].moved_at = self.now;
        }
        self.say(side, |_| format!("room for {more} more"));
    }

    /// The poll tells what there is to tell.
    fn poll(&mut self, side: usize) {
        let Self { sides, .. } = self;
        let one = &mut sides[side];
        let Some(connection) = &mut one.connection else { return };
        if std::mem::take(&mut one.edge) {
            let net = connection.stream_mut();
            let has_more = net.fin || net.reset;
            let readiness = Readiness { readable: has_more || !net.arrived.is_empty(), has_more };
            connection.set_ready(readiness);
            one.queued = true;
            self.say(side, |_| format!("{readiness:?}"));
        }
    }

    fn turn(&mut self, side: usize) {
        let one = &mut self.sides[side];
        if !std::mem::take(&mut one.queued) {
            return;
        }
        let Some(connection) = &mut one.connection else { return };
        let telemetry = ConnectionEvents::new(&self.counters, true);
        let mut context = TurnContext {
            buffer: &mut self.buffer,
            telemetry: &telemetry,
            limits: &self.open,
            now: self.now,
        };
        let turn = catch_unwind(AssertUnwindSafe(|| connection.turn(&mut context)));
        if std::mem::take(&mut connection.stream_mut().moved) {
            one.moved_at = self.now;
        }
        match &turn {
            Ok(Turn::Wait) => {}
            Ok(Turn::Again) => one.queued = true,
            Ok(Turn::Over) => self.drop_connection(side),
            Err(bug) if bug.is::<Bug>() => {
                one.faulted = true;
                self.drop_connection(side);
            }
            Err(_) => one.cut_early = true,
        }
        self.say(side, |_| format!("a turn: {turn:?}"));
    }

    fn drop_connection(&mut self, side: usize) {
        let one = &mut self.sides[side];
        if let Some(mut connection) = one.connection.take() {
            self.open.release(connection.policy(), connection.ip());
            one.left = std::mem::take(connection.stream_mut());
            one.faulted |= one.left.reset;
            one.peer_ended = one.left.fin;
        }
    }

    fn end_or_reset(&mut self, side: usize) {
        let resets = self.rng.u8(0..3) == 0;
        let said_all = self.sides[side].arrived == self.sides[side].script.len();
        let Some(net) = self.net(side) else { return };
        if resets {
            net.reset = true;
        } else if said_all {
            net.fin = true;
        } else {
            return;
        }
        self.sides[side].edge = true;
        self.say(side, |_| if resets { "reset".into() } else { "the peer's end".into() });
    }

    /// Another worker's poll tells anew what there is, and the connection gets a turn.
    fn flush(&mut self, side: usize) {
        let Some(net) = self.net(side) else { return };
        let edge = !net.arrived.is_empty() || net.fin || net.reset;
        self.sides[side].edge |= edge;
        self.sides[side].queued = true;
        self.say(side, |_| "handed over".into());
    }

    /// Time passes; whoever has used up its own is dropped, once all has been heard.
    fn pass_time(&mut self) {
        self.now += Duration::from_millis(self.rng.u64(1..4000));
        for side in 0..self.sides.len() {
            self.poll(side);
            while self.sides[side].queued {
                self.turn(side);
            }
            // The socket may have room that the poll has not told of.
            if self.is_late(side).is_some_and(Connection::wants_write) {
                self.sides[side].queued = true;
                self.turn(side);
            }
            if self.is_late(side).is_some() {
                let one = &mut self.sides[side];
                let telemetry = ConnectionEvents::new(&self.counters, true);
                let connection = one.connection.as_mut().expect("it is late");
                if connection.expire(self.now, &telemetry) != Turn::Over {
                    continue;
                }
                // Whoever goes on talking after the end is not waited for, and that is all.
                let half_closed =
                    one.connection.as_mut().expect("as above").stream_mut().half_closed;
                // A header has its time however it comes.
                let (since, time) = if one.arrived < one.header {
                    (self.began, limits::PROXY_TIMEOUT)
                } else {
                    (one.moved_at, WRITE)
                };
                one.cut_early = !half_closed && self.now.duration_since(since) < time;
                one.faulted = true;
                self.drop_connection(side);
                self.say(side, |_| "timed out".into());
            }
        }
    }

    /// The connection, if its deadline has passed.
    fn is_late(&self, side: usize) -> Option<&Connection<Net>> {
        let connection = self.sides[side].connection.as_ref()?;
        let deadline = connection.deadline()?;
        (deadline <= self.now).then_some(connection)
    }

    /// The server leaves.
    fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        for side in 0..self.sides.len() {
            let one = &mut self.sides[side];
            if let Some(connection) = &mut one.connection {
                connection.drain();
                one.queued = true;
                one.drained_at = Some(one.arrived);
                self.say(side, |one| format!("drains with {} arrived", one.arrived));
            }
        }
    }

    /// Nothing goes wrong any more: everything arrives, peers read all.
    fn settle(&mut self) {
        for side in 0..self.sides.len() {
            if let Some(net) = self.net(side) {
                net.bug = false;
            }
            for _ in 0..1000 {
                self.arrive(side);
                if let Some(net) = self.net(side) {
                    net.room = usize::MAX / 2;
                    let blocked = std::mem::take(&mut net.blocked);
                    self.sides[side].edge |= blocked;
                }
                self.poll(side);
                let one = &self.sides[side];
                if !one.queued && (one.arrived == one.script.len() || one.connection.is_none()) {
                    break;
                }
                self.turn(side);
            }
        }
    }

    /// What the peer must have got by now: nothing that it is not owed.
    fn check(&mut self, side: usize) -> Result<(), String> {
        let protocol = self.protocol;
        let one = &mut self.sides[side];
        let model = Model::new(protocol, one.seen());
        let net = one.connection.as_mut().map_or(&one.left, |connection| connection.stream_mut());
        let problem = if one.cut_early {
            "given up early"
        } else if !model.may_begin(&net.came_back) {
            "wrong"
        } else {
            return Ok(());
        };
        Err(self.explain(side, &model, problem))
    }

    /// What the peer must have got in the end: all that it is owed.
    fn check_end(&mut self, side: usize) -> Result<(), String> {
        let one = &mut self.sides[side];
        let model = Model::new(self.protocol, one.seen());
        let is_over = one.connection.is_none();
        let net = one.connection.as_mut().map_or(&one.left, |connection| connection.stream_mut());
        if one.faulted || (net.reset && is_over) {
            return Ok(());
        }
        // The session of frames holds a short one until it is whole.
        let holds = self.protocol == Protocol::Length && !is_over && one.drained_at.is_none();
        let problem = if net.reset {
            "a reset is not the end"
        } else if !model.is_all(&net.came_back) && !holds {
            "not all"
        } else if (model.exit.is_some() || one.drained_at.is_some())
            && !one.peer_ended
            && !net.half_closed
        {
            "no end"
        } else if net.fin && !is_over {
            "not over"
        } else {
            return Ok(());
        };
        Err(self.explain(side, &model, problem))
    }

    fn explain(&mut self, side: usize, model: &Model, problem: &str) -> String {
        let trace = self.trace.take().unwrap_or_default();
        let one = &mut self.sides[side];
        let net = one.connection.as_mut().map_or(&one.left, |connection| connection.stream_mut());
        format!(
            "{trace}{side}: {problem}: {:?} came back of {:?} {:?}, owed: {:?}",
            net.came_back.escape_ascii().to_string(),
            self.protocol,
            one.script.escape_ascii().to_string(),
            model.outcomes().iter().map(|all| all.escape_ascii().to_string()).collect::<Vec<_>>(),
        )
    }
}

fn seeds() -> Range<u64> {
    let Ok(asked) = env::var("SIMULATION_SEEDS") else { return SEEDS };
    let number =
        |text: &str| text.parse().expect("SIMULATION_SEEDS is a number, or two as 0..1000");
    match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&asked)..number(&asked) + 1,
    }
}

#[test]
fn whatever_happens_and_when_each_peer_gets_what_it_is_owed() {
    // Nobody hears it, but what the log needs is kept and split.
    log::set_max_level(log::LevelFilter::Info);
    let seeds = seeds();
    let is_one = seeds.end - seeds.start == 1;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for first in 0..threads {
            let seeds = seeds.clone();
            scope.spawn(move || {
                for seed in seeds.skip(first).step_by(threads) {
                    let run = || Simulation::new(seed, is_one).run();
                    let why = match catch_unwind(run) {
                        Ok(Ok(())) => continue,
                        Ok(Err(why)) => why,
                        Err(_) => "it panicked, as said above".into(),
                    };
                    panic!("seed {seed}: {why}\nreplay it with: make torture SEEDS={seed}");
                }
            });
        }
    });
}
