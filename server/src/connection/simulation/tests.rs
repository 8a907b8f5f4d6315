//! The test: runs the schedules of many seeds.

use std::{env, num::NonZero, ops::Range, panic::catch_unwind, thread};

use super::schedule::Simulation;

/// Seeds of every test run.
const SEEDS: Range<u64> = 0..200_000;

fn seeds() -> Range<u64> {
    let Ok(requested) = env::var("SIMULATION_SEEDS") else { return SEEDS };
    let number = |text: &str| {
        text.parse().expect("SIMULATION_SEEDS is a number, or a range such as 0..1000")
    };
    match requested.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => number(&requested)..number(&requested) + 1,
    }
}

#[test]
fn every_peer_receives_its_bytes_under_every_schedule() {
    // The lines go nowhere, but at this level connections split and track messages as for a log.
    log::set_max_level(log::LevelFilter::Info);
    let seeds = seeds();
    let is_single = seeds.end - seeds.start == 1;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for first in 0..threads {
            let seeds = seeds.clone();
            scope.spawn(move || {
                for seed in seeds.skip(first).step_by(threads) {
                    let run = || Simulation::new(seed, is_single).run();
                    let failure = match catch_unwind(run) {
                        Ok(Ok(())) => continue,
                        Ok(Err(failure)) => failure,
                        Err(_) => "it panicked; see the message above".into(),
                    };
                    panic!("seed {seed}: {failure}\nreplay it with: make torture SEEDS={seed}");
                }
            });
        }
    });
}
