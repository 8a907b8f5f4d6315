//! One soak: a server that is started for it, looked at while its peers are there, and asked to end.

use std::{
    io::{self, Write as _},
    iter,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tests::{
    DEADLINE,
    procfs::{anonymous_memory, descriptor_count, resident_memory},
    server::{EchoServer, Launch},
};

use crate::{
    crowd::{self, MAX_CONNECTIONS},
    judge::{Sample, judge},
    peers::Peers,
    rude,
    samples::Samples,
    server_log::ServerLog,
    stop::Stop,
    table::{self, Done, clock, size},
};

/// As many as can be read.
const LINES: u32 = 100;

/// The time between two looks at the server: after a quarter of a minute there is a slope to judge.
const TICK: Duration = Duration::from_secs(1);

/// The most time between two rotations of the log, which grows by megabytes a second.
const ROTATION: Duration = Duration::from_secs(5);

/// How often to look whether the server has closed what its peers have left: there is no event for
/// that from outside.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Soaks a server for so long, or until it is time to stop: whether all was well.
pub(crate) fn soak(duration: Duration, stop: &Stop) -> anyhow::Result<bool> {
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("server.log");
    let server = start(&log);
    let mut log = ServerLog::new(log);
    let before = own_descriptors(&server);

    let acts = iter::once(crowd::ACT).chain(rude::ACTS);
    let peers = Peers::start(server.address(), stop, acts);
    let samples = watch(&server, &mut log, &peers, duration, stop)?;
    let mut failures = peers.leave();

    // Who has failed may have left anything behind.
    if failures.is_empty() {
        let (left, memory) = (descriptors_left(&server, before), anonymous_memory(server.pid()));
        say(&format!(
            "\nAll peers have left: {left} descriptors of {before} before, {} of heap and stacks",
            size(memory)
        ))?;
        if left != before {
            failures.push(format!("{left} descriptors are left of {before}"));
        }
    }
    let (status, last_words) = server.terminate();
    if !status.success() || !last_words.is_empty() {
        failures.push(format!("the server ended with {status}: {last_words:?}"));
    }
    log.read_rest()?;
    if log.errors > 0 {
        let first = log.first_errors.join("\n  ");
        failures.push(format!("{} errors in the server's log, first:\n  {first}", log.errors));
    }
    match slopes(samples.kept())? {
        Some(leaks) => failures.extend(leaks),
        None if failures.is_empty() => {
            failures.push(format!("{} samples are too few to judge a slope", samples.kept().len()));
        }
        None => {}
    }
    for failure in &failures {
        say(&format!("FAILED: {failure}"))?;
    }
    if failures.is_empty() {
        let (connections, messages) = (log.connections, log.messages);
        say(&format!("PASSED: {connections} connections, {messages} messages, nothing lost"))?;
    }
    Ok(failures.is_empty())
}

fn start(log: &Path) -> EchoServer {
    let most = MAX_CONNECTIONS.to_string();
    let log = log.to_str().expect("its name is ours");
    // Who never reads is cut soon, so that it happens often.
    let args = ["--write-timeout", "2s", "--max-connections", &most, "--log-file", log];
    Launch::new(&args).unannounced().apart().start()
}

/// Takes samples, and shows some of them, until it is over.
fn watch(
    server: &EchoServer,
    log: &mut ServerLog,
    peers: &Peers,
    duration: Duration,
    stop: &Stop,
) -> anyhow::Result<Samples> {
    say(table::HEADING)?;
    let mut samples = Samples::default();
    let (begun, mut rotated) = (Instant::now(), Instant::now());
    let (mut next, mut next_line) = (TICK, TICK);
    while next <= duration && !stop.wait(next.saturating_sub(begun.elapsed())) {
        let at = begun.elapsed();
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
            say(&table::line(&sample, &Done { connections, messages, acts: peers.acts() }))?;
        }
    }
    Ok(samples)
}

/// The descriptors that a server has without any connection.
fn own_descriptors(server: &EchoServer) -> usize {
    let mut only = server.connect();
    // Who is answered has a server before it that has started in full.
    only.exchange(b"hello\n");
    descriptor_count(server.pid()) - 1
}

/// The descriptors that a server has when it has had the time to be back at as many as `before`.
fn descriptors_left(server: &EchoServer, before: usize) -> usize {
    let begun = Instant::now();
    loop {
        let left = descriptor_count(server.pid());
        if left == before || begun.elapsed() > DEADLINE {
            return left;
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

/// Says what has become of memory and descriptors: what of it is a failure; `None` if nobody knows.
fn slopes(samples: &[Sample]) -> io::Result<Option<Vec<String>>> {
    let Some(judgement) = judge(samples) else { return Ok(None) };
    let (memory, descriptors) = (judgement.memory, judgement.descriptors);
    let lines = [
        (
            memory,
            format!("heap and stacks {:+.1} KiB", memory.grown / 1024.0),
            format!("{} KiB", memory.allowed / 1024.0),
        ),
        (
            descriptors,
            format!("descriptors {:+.1}", descriptors.grown),
            descriptors.allowed.to_string(),
        ),
    ];
    let mut leaks = Vec::new();
    for (growth, grown, allowed) in lines {
        let line =
            format!("{grown} by their slope over {}, {allowed} allowed", clock(judgement.over));
        if growth.is_leak() {
            leaks.push(line);
        } else {
            say(&line)?;
        }
    }
    Ok(Some(leaks))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
