//! The threads of all peers. Each repeats one action until the run ends.

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

use tests::{net::Peer, payload::Random};

use crate::stop::Stop;

/// State that all actors of a run share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) server: SocketAddr,
    pub(crate) stop: Stop,
    /// Locked for writing during a flood, so that the server refuses no connection of another actor.
    pub(crate) flood: RwLock<()>,
    /// Number of actions that have ended.
    pub(crate) actions: AtomicU64,
}

/// Action that an actor repeats, with its own random numbers.
#[derive(Clone, Copy)]
pub(crate) struct Action {
    pub(crate) name: &'static str,
    /// Time from the end of one action to the start of the next.
    pub(crate) pause: Duration,
    pub(crate) run: fn(&Context, &mut Random),
}

/// All actors, each in its own thread. An actor panics if the server does something wrong.
#[derive(Debug)]
pub(crate) struct Actors {
    context: Arc<Context>,
    threads: Vec<(&'static str, JoinHandle<thread::Result<()>>)>,
}

impl Context {
    /// Opens a connection that the server serves: a flood that begins later is after it in the backlog.
    pub(crate) fn connect(&self) -> Peer {
        let _no_flood = self.flood.read().unwrap_or_else(PoisonError::into_inner);
        Peer::connect(self.server)
    }
}

impl Actors {
    /// Starts all actors. If one panics, all stop.
    pub(crate) fn start(
        server: SocketAddr,
        stop: &Stop,
        actions: impl Iterator<Item = Action>,
    ) -> Self {
        let (flood, count) = (RwLock::default(), AtomicU64::default());
        let context = Arc::new(Context { server, stop: stop.clone(), flood, actions: count });
        let start = |(seed, action): (u64, Action)| {
            let context = Arc::clone(&context);
            let thread = thread::Builder::new().name(action.name.into());
            let thread = thread.spawn(move || {
                let result =
                    panic::catch_unwind(AssertUnwindSafe(|| repeat(action, &context, seed)));
                context.stop.raise();
                result
            });
            (action.name, thread.expect("the system allows a dozen threads"))
        };
        let threads = (1..).zip(actions).map(start).collect();
        Self { context, threads }
    }

    /// Returns the number of actions that have ended.
    pub(crate) fn actions(&self) -> u64 {
        self.context.actions.load(Relaxed)
    }

    /// Stops all actors, waits for them, and returns the message of each panic.
    pub(crate) fn join(self) -> Vec<String> {
        self.context.stop.raise();
        let ended = self.threads.into_iter().map(|(name, thread)| (name, thread.join().flatten()));
        let failed = ended.filter_map(|(name, ended)| Some((name, ended.err()?)));
        failed.map(|(name, panic)| format!("{name}: {}", message(&*panic))).collect()
    }
}

fn repeat(action: Action, context: &Context, seed: u64) {
    let mut random = Random::new(seed);
    while !context.stop.is_raised() {
        (action.run)(context, &mut random);
        context.actions.fetch_add(1, Relaxed);
        context.stop.wait(action.pause);
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
