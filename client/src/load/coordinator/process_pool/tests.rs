//! Supervision, with shell scripts for processes.

use std::{io::Write as _, net::SocketAddr, os::unix::net::UnixStream, sync::mpsc, thread};

use super::*;
use crate::load::{
    ipc::wire::{Pace, Server, Stop, Summary, line},
    stats::counters::ErrorKind,
};

fn order(process: u32) -> Order {
    Order {
        server: Server::Tcp(SocketAddr::from(([127, 0, 0, 1], 9))),
        sources: Vec::new(),
        process,
        processes: 2,
        connections: 1,
        seed: 1,
        min_size: 1,
        max_size: 1,
        pace: Pace::Depth(1),
        stop: Stop::Messages(1),
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        timeout: Duration::from_millis(10),
    }
}

fn said(report: &Report) -> String {
    format!("echo '{}'\n", line(report).trim_end())
}

fn tally(messages: u64) -> Tally {
    Tally { messages, ..Tally::default() }
}

fn ready() -> String {
    format!("read order\n{}read start\n", said(&Report::Ready))
}

fn done(messages: u64) -> String {
    let (measured, cpu) = (Duration::from_secs(1), Duration::from_millis(200));
    said(&Report::Done(Summary { tally: tally(messages), measured, worked: measured, cpu }))
}

/// Runs two processes that each run this script.
fn run_for(
    script: &str,
    time: Option<Duration>,
    patience: Patience,
    interrupt: &Interrupt,
) -> Result<Outcome, Failure> {
    let task = Task {
        command: &|| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        },
        orders: vec![order(0), order(1)],
        time,
        timeout: Duration::from_millis(10),
        patience,
        interrupt,
    };
    run(&task, &mut |_| {})
}

fn run_script(script: &str) -> Result<Outcome, Failure> {
    let (read, _write) = UnixStream::pair().unwrap();
    run_for(script, None, Patience::default(), &Interrupt::from(read))
}

/// A process that has been waited for has left the table.
fn is_gone(pid: u32) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn what_all_count_adds_up() {
    let progress = said(&Report::Progress(tally(3)));
    let outcome = run_script(&[ready(), progress, done(4)].concat()).unwrap();
    assert_eq!((outcome.tally.messages, outcome.casualties.len()), (14, 0));
    assert_eq!(outcome.measured, Duration::from_secs(1));
    assert!((outcome.busiest - 0.2).abs() < 1e-9, "{}", outcome.busiest);
    assert!(!outcome.stopped_early);
}

#[test]
fn all_wait_for_the_last_to_be_ready() {
    // The first takes the other's readiness from a pipe between them, the second is ready at once.
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let pipe = pipe.to_str().unwrap();
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let script = format!(
        "read order\ncase $order in *'\"process\":0'*) read word <{pipe};; *) echo go >{pipe};; esac\n{}read start\n{}",
        said(&Report::Ready),
        done(1)
    );
    assert_eq!(run_script(&script).unwrap().tally.messages, 2);
}

#[test]
fn one_that_dies_is_named_and_what_it_had_counted_is_kept() {
    let progress = said(&Report::Progress(tally(3)));
    for (end, how) in [
        ("kill -KILL $$", "was killed by SIGKILL before it was done"),
        ("exit 7", "ended with status 7 before it was done"),
        ("echo nonsense; read forever", "said something that is no report"),
    ] {
        let script = format!("{}{progress}{end}", ready());
        let outcome = run_script(&script).unwrap();
        assert_eq!((outcome.tally.messages, outcome.casualties.len()), (6, 2), "{outcome:?}");
        let first = outcome.casualties.iter().find(|text| text.starts_with("process 0 (pid "));
        assert!(first.is_some_and(|text| text.contains(how)), "{outcome:?}");
    }
}

#[test]
fn one_that_gives_up_says_why() {
    let report =
        Report::Failed { kind: ErrorKind::Reset, errno: None, text: "no memory".to_owned() };
    let outcome = run_script(&(ready() + &said(&report))).unwrap();
    assert!(outcome.casualties[0].ends_with("gave up: no memory"), "{outcome:?}");
}

#[test]
fn one_that_cannot_connect_ends_all_before_the_start() {
    let report = Report::Failed { kind: ErrorKind::Connect, errno: Some(111), text: String::new() };
    let script = "read order\n".to_owned() + &said(&report) + "read forever";
    let failure = run_script(&script).unwrap_err();
    assert!(matches!(failure, Failure::Connect { errno: Some(111), .. }), "{failure}");
}

#[test]
fn one_that_dies_before_the_start_is_named() {
    let failure = run_script("exit 9").unwrap_err().to_string();
    assert!(failure.contains("process ") && failure.contains("ended with status 9"), "{failure}");
}

#[test]
fn a_program_that_is_not_there_is_a_failure() {
    let (read, _write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    let task = Task {
        command: &|| Command::new("/nowhere/program"),
        orders: vec![order(0)],
        time: None,
        timeout: Duration::ZERO,
        patience: Patience::default(),
        interrupt: &interrupt,
    };
    let failure = run(&task, &mut |_| {}).unwrap_err().to_string();
    assert!(failure.starts_with("Could not start process 1 of 1: no such file"), "{failure}");
}

/// Nobody outlives a run whose processes hang, and what they had counted is kept.
#[test]
fn one_that_hangs_is_named_and_ended() {
    let hang =
        format!("{}{}while read word; do :; done", ready(), said(&Report::Progress(tally(1))));
    let soon = Duration::from_millis(300);
    for (time, patience, how) in [
        (
            Some(Duration::ZERO),
            Patience { end: soon, ..Patience::default() },
            "was not done in time",
        ),
        (None, Patience { silence: soon, ..Patience::default() }, "was silent for too long"),
    ] {
        let (read, _write) = UnixStream::pair().unwrap();
        let outcome = run_for(&hang, time, patience, &Interrupt::from(read)).unwrap();
        assert_eq!((outcome.tally.messages, outcome.casualties.len()), (2, 2));
        for casualty in outcome.casualties {
            assert!(casualty.contains(how), "{casualty}");
            let pid = casualty.split(['(', ')']).nth(1).and_then(|pid| pid.strip_prefix("pid "));
            assert!(is_gone(pid.unwrap().parse().unwrap()));
        }
    }
}

#[test]
fn one_that_never_gets_ready_is_named() {
    let (read, _write) = UnixStream::pair().unwrap();
    let patience = Patience { connecting: Duration::from_millis(50), ..Patience::default() };
    let script = "while read word; do :; done";
    let failure = run_for(script, None, patience, &Interrupt::from(read)).unwrap_err().to_string();
    assert!(failure.contains("was not done in time"), "{failure}");
}

#[test]
fn ctrl_c_stops_all_with_what_they_have_counted() {
    let (read, mut write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    // Says that it works by what it counts; Ctrl+C comes then.
    let script = [
        ready(),
        said(&Report::Progress(tally(3))),
        "read word\ntest \"$word\" = '\"stop\"' || exit 5\n".to_owned(),
        done(1),
    ]
    .concat();
    let (counted, has_counted) = mpsc::channel();
    thread::spawn(move || {
        if has_counted.recv().is_ok() {
            write.write_all(b"!").unwrap();
            // Until the test is over: the end of this stream would be another Ctrl+C.
            let _ = has_counted.recv();
        }
    });
    let task = Task {
        command: &|| {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        },
        orders: vec![order(0), order(1)],
        time: None,
        timeout: Duration::from_secs(5),
        patience: Patience::default(),
        interrupt: &interrupt,
    };
    let mut told = false;
    let outcome = run(&task, &mut |tally| {
        if tally.messages == 6 && !std::mem::replace(&mut told, true) {
            counted.send(()).unwrap();
        }
    })
    .unwrap();
    assert!(outcome.stopped_early && outcome.casualties.is_empty(), "{outcome:?}");
    assert_eq!(outcome.tally.messages, 8);
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let (read, mut write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    let deaf = ready() + &said(&Report::Progress(tally(1))) + "while read word; do :; done";
    let task = Task {
        command: &|| {
            let mut command = Command::new("sh");
            command.args(["-c", &deaf]);
            command
        },
        orders: vec![order(0)],
        time: None,
        timeout: Duration::from_mins(1),
        patience: Patience::default(),
        interrupt: &interrupt,
    };
    let outcome = run(&task, &mut |_| write.write_all(b"!").unwrap());
    assert!(matches!(outcome, Err(Failure::Interrupted)), "{outcome:?}");
}
