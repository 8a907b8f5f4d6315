//! The peers of a soak: threads that repeat one act until it is time to leave.

use std::{
    any::Any,
    net::SocketAddr,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tests::{payload::Random, peer::Peer};

use crate::stop::Stop;

/// What all peers of a soak share.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) server: SocketAddr,
    pub(crate) stop: Stop,
    /// Held for writing by who floods the server, so that nobody else is turned away.
    pub(crate) door: RwLock<()>,
    pub(crate) acts: AtomicU64,
}

/// Something that a peer does again and again, with random numbers of its own.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    pub(crate) name: &'static str,
    /// Between one time and the next.
    pub(crate) pause: Duration,
    pub(crate) play: fn(&Stage, &mut Random),
}

/// All peers, each in a thread of its own. One to which something happens that should not panics.
#[derive(Debug)]
pub(crate) struct Peers {
    stage: Arc<Stage>,
    threads: Vec<(&'static str, JoinHandle<thread::Result<()>>)>,
}

impl Stage {
    /// A connection that will be served: the backlog is a queue, so whoever floods comes after it.
    pub(crate) fn connect(&self) -> Peer {
        let _open = self.door.read().unwrap_or_else(PoisonError::into_inner);
        Peer::connect(self.server)
    }
}

impl Peers {
    /// Starts them. When something happens to one that should not, it has all of them leave.
    pub(crate) fn start(server: SocketAddr, stop: &Stop, acts: impl Iterator<Item = Act>) -> Self {
        let (door, acts_played) = (RwLock::default(), AtomicU64::default());
        let stage = Arc::new(Stage { server, stop: stop.clone(), door, acts: acts_played });
        let start = |(seed, act): (u64, Act)| {
            let stage = Arc::clone(&stage);
            let thread = thread::Builder::new().name(act.name.into());
            let thread = thread.spawn(move || {
                let played = panic::catch_unwind(AssertUnwindSafe(|| repeat(act, &stage, seed)));
                stage.stop.raise();
                played
            });
            (act.name, thread.expect("a dozen threads are not too many"))
        };
        let threads = (1..).zip(acts).map(start).collect();
        Self { stage, threads }
    }

    /// How many acts have been played.
    pub(crate) fn acts(&self) -> u64 {
        self.stage.acts.load(Relaxed)
    }

    /// Waits until all have left: what has happened that should not.
    pub(crate) fn leave(self) -> Vec<String> {
        self.stage.stop.raise();
        let ended = self.threads.into_iter().map(|(name, thread)| (name, thread.join().flatten()));
        let failed = ended.filter_map(|(name, ended)| Some((name, ended.err()?)));
        failed.map(|(name, panic)| format!("{name}: {}", message(&*panic))).collect()
    }
}

fn repeat(act: Act, stage: &Stage, seed: u64) {
    let mut random = Random::new(seed);
    while !stage.stop.is_raised() {
        (act.play)(stage, &mut random);
        stage.acts.fetch_add(1, Relaxed);
        stage.stop.wait(act.pause);
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
