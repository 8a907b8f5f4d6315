//! The tests: run the schedules of many seeds.

use std::{env, num::NonZero, ops::Range, panic::catch_unwind, sync::Mutex, thread};

use super::{encoding::Encodings, schedule::Simulation};
use crate::telemetry::CloseReason;

/// Seeds of every test run.
const SEEDS: Range<u64> = 0..100_000;

/// Seeds of every test run with TLS, of which one takes much longer.
const TLS_SEEDS: Range<u64> = 0..1500;

/// Returns the range in a variable.
fn seeds(variable: &str, default: Range<u64>) -> Range<u64> {
    let Ok(requested) = env::var(variable) else { return default };
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, or a range such as 0..1000"))
    };
    match requested.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&requested)..number(&requested) + 1,
    }
}

/// Runs the schedules of all seeds. Returns the reasons for the ends of connections, each once.
fn run(seeds: &Range<u64>, encodings: Encodings, variable: &str) -> Vec<Option<CloseReason>> {
    // The lines go nowhere, but at this level connections split and track messages as for a log.
    log::set_max_level(log::LevelFilter::Info);
    let is_single = seeds.end - seeds.start == 1;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let reasons = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for first in 0..threads {
            let (seeds, reasons) = (seeds.clone(), &reasons);
            scope.spawn(move || {
                for seed in seeds.skip(first).step_by(threads) {
                    let run = || Simulation::new(seed, encodings, is_single).run();
                    let failure = match catch_unwind(run) {
                        Ok(Ok(ends)) => {
                            let mut reasons = reasons.lock().expect("no thread has panicked");
                            for end in ends {
                                if !reasons.contains(&end) {
                                    reasons.push(end);
                                }
                            }
                            continue;
                        }
                        Ok(Err(failure)) => failure,
                        Err(_) => "it panicked; see the message above".into(),
                    };
                    panic!(
                        "seed {seed}: {failure}\nreplay it with: make torture {variable}={seed}"
                    );
                }
            });
        }
    });
    reasons.into_inner().expect("no thread has panicked")
}

/// Ends of connections of both tests.
const REASONS: [CloseReason; 11] = [
    CloseReason::Exit,
    CloseReason::Fin,
    CloseReason::Reset,
    CloseReason::Complete,
    CloseReason::ProtocolError,
    CloseReason::ProtocolTimeout,
    CloseReason::ProxyHeader,
    CloseReason::IdleTimeout,
    CloseReason::WriteTimeout,
    CloseReason::Linger,
    CloseReason::Drain,
];

/// Checks that connections have ended for all of these reasons, and for those of both tests.
fn assert_all(reasons: &[Option<CloseReason>], expected: &[CloseReason]) {
    for reason in REASONS.iter().chain(expected) {
        assert!(reasons.contains(&Some(*reason)), "no schedule ends with {reason:?}");
    }
}

#[test]
fn every_peer_receives_its_bytes_under_every_schedule() {
    let seeds = seeds("SIMULATION_SEEDS", SEEDS);
    let reasons = run(&seeds, Encodings::Plain, "SEEDS");
    if seeds.contains(&0) && seeds.contains(&(SEEDS.end - 1)) {
        assert_all(&reasons, &[CloseReason::Truncated]);
    }
}

#[test]
fn every_peer_receives_its_bytes_over_tls_under_every_schedule() {
    let seeds = seeds("SIMULATION_TLS_SEEDS", TLS_SEEDS);
    let reasons = run(&seeds, Encodings::Tls, "TLS_SEEDS");
    if seeds.contains(&0) && seeds.contains(&(TLS_SEEDS.end - 1)) {
        let of_tls = [CloseReason::Truncated, CloseReason::LayerError, CloseReason::Handshake];
        assert_all(&reasons, &of_tls);
    }
}

#[test]
fn a_seed_is_replayed_exactly() {
    for seed in 0..100 {
        let trace = || Simulation::new(seed, Encodings::Tls, true).trace_of_run();
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}
