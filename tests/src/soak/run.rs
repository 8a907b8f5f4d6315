//! The server, its samples, and what is left after the peers have gone.

use std::{
    io::{self, Write as _},
    iter,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tests::{
    programs::{EchoServer, Launch},
    system::procfs::{anonymous_memory, descriptor_count, resident_memory},
    wait::DEADLINE,
};

use crate::{
    actors::Actors,
    evaluate::{Sample, evaluate},
    misbehaving,
    samples::Samples,
    server_log::ServerLog,
    stop::Stop,
    table::{self, Progress, clock, size},
    traffic::{self, MAX_CONNECTIONS},
};

/// Maximum number of lines of the table.
const LINES: u32 = 100;

/// Time between two samples: 20 s have enough samples to evaluate.
const TICK: Duration = Duration::from_secs(1);

/// Maximum time between two rotations of the log, which grows by megabytes per second.
const ROTATION: Duration = Duration::from_secs(5);

/// Interval at which to check whether the server has closed all connections, for which there is no event.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Soaks a server until the time is over or `stop` is raised. Returns true if there was no failure.
pub(crate) fn soak(duration: Duration, stop: &Stop) -> anyhow::Result<bool> {
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("server.log");
    let server = start(&log);
    let mut log = ServerLog::new(log);
    let before = own_descriptors(&server);

    let actions = iter::once(traffic::ACTION).chain(misbehaving::ACTIONS);
    let actors = Actors::start(server.address(), stop, actions);
    let samples = sample(&server, &mut log, &actors, duration, stop)?;
    let mut failures = actors.join();

    // A failed actor may have left connections open.
    if failures.is_empty() {
        let (left, memory) = (descriptors_left(&server, before), anonymous_memory(server.pid()));
        print(&format!(
            "\nAll peers have left: {left} descriptors ({before} at the start), {} of heap and stacks",
            size(memory)
        ))?;
        if left != before {
            failures.push(format!("{left} descriptors are open; {before} were at the start"));
        }
    }
    let (status, stderr) = server.terminate();
    if !status.success() || !stderr.is_empty() {
        failures.push(format!("the server ended with {status}: {stderr:?}"));
    }
    log.read_rest()?;
    if log.errors > 0 {
        let first = log.first_errors.join("\n  ");
        failures.push(format!(
            "{} errors in the log of the server, the first ones:\n  {first}",
            log.errors
        ));
    }
    match leaks(samples.kept())? {
        Some(leaks) => failures.extend(leaks),
        None if failures.is_empty() => {
            failures.push(format!("{} samples are too few to evaluate", samples.kept().len()));
        }
        None => {}
    }
    for failure in &failures {
        print(&format!("FAILED: {failure}"))?;
    }
    if failures.is_empty() {
        let (connections, messages) = (log.connections, log.messages);
        print(&format!("PASSED: {connections} connections, {messages} messages, no loss"))?;
    }
    Ok(failures.is_empty())
}

fn start(log: &Path) -> EchoServer {
    let max = MAX_CONNECTIONS.to_string();
    let log = log.to_str().expect("the path is UTF-8");
    // With a short timeout, the server closes connections of peers that never read often.
    let args = ["--write-timeout", "2s", "--max-connections", &max, "--log-file", log];
    Launch::new(&args).without_start_line().in_own_process_group().start()
}

/// Takes samples and prints some of them, until the end of the run.
fn sample(
    server: &EchoServer,
    log: &mut ServerLog,
    actors: &Actors,
    duration: Duration,
    stop: &Stop,
) -> anyhow::Result<Samples> {
    print(table::HEADING)?;
    let mut samples = Samples::default();
    let (start, mut rotated) = (Instant::now(), Instant::now());
    let (mut next, mut next_line) = (TICK, TICK);
    while next <= duration && !stop.wait(next.saturating_sub(start.elapsed())) {
        let at = start.elapsed();
        next = at + TICK;
        let is_shown = at >= next_line;
        if is_shown || rotated.elapsed() >= ROTATION {
            log.rotate(server)?;
            rotated = Instant::now();
        }
        let sample = Sample {
            at,
            resident: resident_memory(server.pid()),
            anonymous: anonymous_memory(server.pid()),
            descriptors: descriptor_count(server.pid()),
        };
        samples.add(sample);
        if is_shown {
            next_line += (duration / LINES).max(TICK);
            let (connections, messages) = (log.connections, log.messages);
            print(&table::line(
                &sample,
                &Progress { connections, messages, actions: actors.actions() },
            ))?;
        }
    }
    Ok(samples)
}

/// Returns the number of descriptors of a server without connections.
fn own_descriptors(server: &EchoServer) -> usize {
    let mut only = server.connect();
    // After an echo, the server has started completely.
    only.exchange(b"hello\n");
    descriptor_count(server.pid()) - 1
}

/// Waits until a server has as many descriptors as `before`, and returns their number.
fn descriptors_left(server: &EchoServer, before: usize) -> usize {
    let start = Instant::now();
    loop {
        let left = descriptor_count(server.pid());
        if left == before || start.elapsed() > DEADLINE {
            return left;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Prints the growth of memory and descriptors, and returns the leaks. Returns `None` if there are too few samples.
fn leaks(samples: &[Sample]) -> io::Result<Option<Vec<String>>> {
    let Some(evaluation) = evaluate(samples) else { return Ok(None) };
    let (memory, descriptors) = (evaluation.memory, evaluation.descriptors);
    let lines = [
        (
            memory,
            format!("heap and stacks: {:+.1} KiB", memory.grown / 1024.0),
            format!("{} KiB", memory.allowed / 1024.0),
        ),
        (
            descriptors,
            format!("descriptors: {:+.1}", descriptors.grown),
            descriptors.allowed.to_string(),
        ),
    ];
    let mut leaks = Vec::new();
    for (growth, grown, allowed) in lines {
        let line = format!("{grown} over {} (slope), limit {allowed}", clock(evaluation.over));
        if growth.is_leak() {
            leaks.push(line);
        } else {
            print(&line)?;
        }
    }
    Ok(Some(leaks))
}

fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
