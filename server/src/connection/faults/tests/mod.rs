//! Connections with faults under random schedules from a seed: which bytes arrive in the end, by which times, and that a
//! worker is never woken for nothing.

use std::{
    io::Write as _,
    num::NonZeroU64,
    sync::Arc,
    time::{Duration, Instant},
};

use common::protocol::Protocol;
use fastrand::Rng;

use crate::{
    admission::{ConnectionLimits, ConnectionPolicy, Peer},
    config::{Config, FaultKind, FaultRule, Faults, Jitter, Share},
    connection::{Connection, Readiness, Turn, TurnContext},
    faults::{FaultyStream, ListenerFaults, Wire, WireEnd},
    layer::{NewScrambled, ScrambledPeer},
    metrics::WorkerCounters,
    telemetry::Recorder,
};

use network::Network;

mod network;

/// Turns at one time after which a connection counts as one that spins.
const MOST_TURNS: usize = 5_000;

/// A worker with one connection, and its peer.
struct Schedule {
    rng: Rng,
    connection: Option<Connection<Network>>,
    /// The stream of a connection that is over.
    dropped: Network,
    policy: Arc<ConnectionPolicy>,
    counters: WorkerCounters,
    now: Instant,
    is_ready: bool,
    turns: usize,
    script: Vec<u8>,
    arrived: usize,
    buffer: Vec<u8>,
}

/// What a schedule is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    /// Faults that change no byte: all arrive.
    Times,
    /// Faults of bytes and ends: the same bytes arrive as if all were sent at once.
    Bytes,
}

fn ms(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(0..most * 1000))
}

fn rules(subject: Subject, rng: &mut Rng) -> Vec<FaultRule> {
    let some = |rng: &mut Rng, most| NonZeroU64::new(rng.u64(1..most)).expect("it is at least 1");
    let mut kinds = Vec::new();
    let choices = if subject == Subject::Times { 8 } else { 14 };
    for choice in 0..choices {
        if rng.u8(0..3) > 0 {
            continue;
        }
        kinds.push(match choice {
            0 => FaultKind::Delay(ms(rng, 50)),
            1 => FaultKind::Jitter { spread: ms(rng, 50), distribution: Jitter::Exponential },
            2 => FaultKind::Throttle(some(rng, 100_000)),
            3 => FaultKind::Drip { bytes: some(rng, 50), every: ms(rng, 20) },
            4 => FaultKind::StallAfter { bytes: rng.u64(0..200), time: ms(rng, 100) },
            5 => FaultKind::Split { min: NonZeroU64::MIN, max: some(rng, 9) },
            6 => FaultKind::Coalesce(ms(rng, 50)),
            7 => FaultKind::AcceptDelay(ms(rng, 50)),
            8 => FaultKind::Corrupt(some(rng, 100)),
            9 => FaultKind::ResetAfter(rng.u64(0..400)),
            10 => FaultKind::CloseAfter(rng.u64(0..400)),
            11 => FaultKind::HalfCloseAfter(rng.u64(0..400)),
            12 => FaultKind::Truncate(rng.u64(0..400)),
            _ => FaultKind::Refuse,
        });
    }
    if kinds.is_empty() {
        kinds.push(FaultKind::Delay(ms(rng, 50)));
    }
    let share = |rng: &mut Rng| Share::from_millionths(rng.u32(500_000..=1_000_000));
    let rule =
        |kind| FaultRule { share: share(rng).unwrap_or(Share::ALL), ..FaultRule::always(kind) };
    kinds.into_iter().map(rule).collect()
}

fn script(protocol: Protocol, rng: &mut Rng) -> Vec<u8> {
    let mut script = Vec::new();
    for _ in 0..rng.usize(0..12) {
        let len = rng.usize(0..60);
        let message: Vec<u8> = (0..len).map(|_| rng.alphanumeric() as u8).collect();
        if protocol == Protocol::Length {
            script.extend(u32::try_from(len).expect("it is short").to_be_bytes());
        }
        script.extend(message);
        if protocol == Protocol::Text {
            script.push(b'\n');
        }
    }
    script
}

impl Schedule {
    fn new(subject: Subject, seed: u64) -> (Self, Arc<Faults>) {
        let mut rng = Rng::with_seed(seed);
        let protocol = rng.choice([Protocol::Text, Protocol::Raw, Protocol::Length]).expect("some");
        let mut policy = ConnectionPolicy::for_protocol(protocol);
        let mut script = script(protocol, &mut rng);
        if subject == Subject::Times && rng.bool() {
            policy = policy.with_layer(NewScrambled);
            script = ScrambledPeer::encode(&script, true);
        }
        let now = Instant::now();
        let faults = Arc::new(Faults { seed: Some(seed), rules: rules(subject, &mut rng) });
        policy.faults.set(Some(&faults), now);
        let policy = Arc::new(policy);
        let limits = ConnectionLimits::new(&Config::default());
        let peer = Peer::Remote(([127, 0, 0, 1], 50_000).into());
        let permit = limits.admit(&policy, None).expect("there is room");
        let counters = Arc::clone(policy.counters.worker(0));
        let room = rng.usize(0..100);
        let network = Network { room, ..Network::default() };
        let mut connection = Connection::new(network, &peer, permit, counters, now, now);
        let plan = policy.faults.get().expect("it has faults").next_plan();
        let recorder = WorkerCounters::default();
        let telemetry = Recorder::new(0, &recorder, false);
        connection.begin_with_faults(Some(Box::new(plan)), now, &telemetry);
        let schedule = Self {
            buffer: vec![0; 2 * rng.usize(100..1000)],
            rng,
            connection: Some(connection),
            dropped: Network::default(),
            policy,
            counters: WorkerCounters::default(),
            now,
            is_ready: true,
            turns: 0,
            script,
            arrived: 0,
        };
        (schedule, faults)
    }

    fn network(&mut self) -> &mut Network {
        self.connection.as_mut().map_or(&mut self.dropped, Connection::stream_mut)
    }

    /// The worker does everything that it can do now.
    fn work(&mut self) {
        self.turns = 0;
        loop {
            let Some(connection) = &mut self.connection else { return };
            let telemetry = Recorder::new(0, &self.counters, false);
            let mut context =
                TurnContext { buffer: &mut self.buffer, telemetry: &telemetry, now: self.now };
            let turn = if std::mem::take(&mut self.is_ready) {
                connection.turn(&mut context)
            } else if connection.deadline().is_some_and(|at| at <= self.now) {
                match connection.expire(self.now, &telemetry) {
                    Turn::Again => {
                        self.is_ready = true;
                        connection.expire_session(&mut context)
                    }
                    turn => turn,
                }
            } else {
                return;
            };
            self.turns += 1;
            // An iteration of the loop takes some time.
            self.now += Duration::from_micros(1);
            assert!(self.turns < MOST_TURNS, "it spins");
            self.is_ready |= turn == Turn::Again;
            if turn == Turn::Over {
                let mut connection = self.connection.take().expect("it is open");
                self.dropped = std::mem::take(connection.stream_mut());
            }
        }
    }

    fn set_ready(&mut self, readable: bool) {
        if let Some(connection) = &mut self.connection {
            connection.set_ready(Readiness { readable, has_more: false });
            self.is_ready = true;
        }
    }

    fn arrive(&mut self, len: usize) {
        let bytes = self.script[self.arrived..][..len].to_vec();
        self.arrived += len;
        self.network().arrived.extend(bytes);
        self.set_ready(true);
    }

    fn make_room(&mut self, room: usize) {
        self.network().room += room;
        self.network().is_blocked = false;
        self.set_ready(false);
    }

    fn step(&mut self, changes: bool) {
        match self.rng.u8(0..16) {
            0..5 => {
                let left = self.script.len() - self.arrived;
                let len = self.rng.usize(0..=left.min(80));
                self.arrive(len);
            }
            5..8 => {
                let room = self.rng.usize(1..100);
                self.make_room(room);
            }
            8..14 => self.now += ms(&mut self.rng, 20),
            14 if changes => {
                let next = Faults { seed: None, rules: rules(Subject::Times, &mut self.rng) };
                let next = self.rng.bool().then(|| Arc::new(next));
                self.policy.faults.set(next.as_ref(), self.now);
                let telemetry = Recorder::new(0, &self.counters, false);
                if let Some(connection) = &mut self.connection {
                    self.is_ready |= connection.update_faults(self.now, &telemetry);
                }
            }
            _ => {}
        }
        self.work();
    }

    /// Everything arrives, the peer reads everything, and the time passes. Nothing but deadlines wakes the worker. Then the
    /// peer ends its stream.
    fn settle(&mut self) {
        self.arrive(self.script.len() - self.arrived);
        self.make_room(usize::MAX / 2);
        self.pass_deadlines();
        let received = self.network().delivered.len();
        self.network().has_ended = true;
        self.set_ready(true);
        self.pass_deadlines();
        assert!(self.connection.is_none(), "the connection does not end");
        // A frame of `length`, or a message behind it, may be incomplete until then.
        assert!(self.dropped.delivered.len() - received < 100, "a lost wakeup");
    }

    /// The worker sleeps until each deadline.
    fn pass_deadlines(&mut self) {
        for _ in 0..100_000 {
            self.work();
            let Some(connection) = &self.connection else { return };
            let Some(next) = connection.deadline() else { return };
            self.now = self.now.max(next);
        }
        panic!("it does not come to rest");
    }
}

/// Returns what a peer receives if all bytes are sent at once, and the end of its stream.
fn model(faults: &Arc<Faults>, echo: &[u8], now: Instant) -> (Vec<u8>, Option<WireEnd>) {
    let is_about_bytes = |rule: &&FaultRule| Subject::of(&rule.kind) == Subject::Bytes;
    let rules = faults.rules.iter().filter(is_about_bytes).cloned().collect();
    let faults = Arc::new(Faults { seed: faults.seed, rules });
    let Some(injector) = ListenerFaults::new(Some(&faults), now).get() else {
        return (echo.to_vec(), None);
    };
    let mut wire = Wire::new(0, 0);
    wire.set_plan(Some(injector.next_plan()), true, now);
    let mut network = Network { room: usize::MAX, ..Network::default() };
    let mut now = now;
    let mut sent = 0;
    while sent < echo.len() {
        let mut stream = FaultyStream { stream: &mut network, wire: &mut wire, now };
        match stream.write(&echo[sent..]) {
            Ok(taken) => sent += taken,
            // The turn has had its segments.
            Err(_) => now += Duration::from_micros(1),
        }
    }
    (network.delivered, wire.end())
}

impl Subject {
    fn of(kind: &FaultKind) -> Self {
        match kind {
            FaultKind::Corrupt(_)
            | FaultKind::ResetAfter(_)
            | FaultKind::CloseAfter(_)
            | FaultKind::HalfCloseAfter(_)
            | FaultKind::Truncate(_)
            | FaultKind::Refuse => Self::Bytes,
            _ => Self::Times,
        }
    }
}

fn run(subject: Subject, seed: u64) {
    let (mut schedule, faults) = Schedule::new(subject, seed);
    let start = schedule.now;
    let changes = subject == Subject::Times && schedule.rng.bool();
    for _ in 0..schedule.rng.usize(0..100) {
        schedule.step(changes);
    }
    schedule.settle();
    let script = std::mem::take(&mut schedule.script);
    let has_layer = schedule.policy.has_layer();
    let network = schedule.network();
    match subject {
        Subject::Times if has_layer => {
            let (expected, _) = ScrambledPeer::sent(&script);
            assert_eq!(ScrambledPeer::received(&network.delivered), (expected, true));
        }
        Subject::Times => assert_eq!(network.delivered, script),
        Subject::Bytes => {
            let (expected, end) = model(&faults, &script, start);
            assert_eq!(network.delivered, expected, "{faults}");
            assert_eq!(network.is_reset, end == Some(WireEnd::Reset), "{faults}");
        }
    }
}

fn run_all(subject: Subject) {
    for seed in 0..3_000 {
        let run = std::panic::catch_unwind(|| run(subject, seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

#[test]
fn faults_of_time_lose_nothing_and_wake_nobody_for_nothing() {
    run_all(Subject::Times);
}

#[test]
fn faults_of_bytes_are_at_the_same_bytes_under_every_schedule() {
    run_all(Subject::Bytes);
}
