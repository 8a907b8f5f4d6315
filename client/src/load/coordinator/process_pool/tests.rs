//! Supervision of shell scripts in the place of worker processes.

use std::{io::Write as _, net::SocketAddr, os::unix::net::UnixStream, sync::mpsc, thread};

use super::*;
use crate::load::{
    ipc::{
        wire::encode,
        worker_config::{Pace, Server, Stop},
    },
    stats::error_kind::ErrorKind,
};

/// Time before a requested start at which the processes are started.
const LEAD: Duration = Duration::from_secs(30);

fn config(process: u32) -> WorkerConfig {
    WorkerConfig {
        server: Server::Tcp(SocketAddr::from(([127, 0, 0, 1], 9))),
        tls: None,
        login: None,
        websocket: None,
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
        expects_faults: false,
        expects_receipt: false,
        timeout: Duration::from_millis(10),
        room: None,
    }
}

/// Returns a line of a script that sends a message.
fn send(message: &WorkerMessage) -> String {
    format!("echo '{}'\n", encode(message).trim_end())
}

/// Returns the progress of a process in its first second.
fn progress(messages: u64) -> WorkerMessage {
    let since = Some(Duration::ZERO);
    WorkerMessage::Progress(Progress { stats: stats(messages), since, connections: 1 })
}

fn stats(messages: u64) -> Stats {
    Stats { messages, ..Stats::default() }
}

fn ready() -> String {
    format!("read config\n{}read start\n", send(&WorkerMessage::Ready))
}

fn done(messages: u64) -> String {
    let (measured, cpu) = (Duration::from_secs(1), Duration::from_millis(200));
    send(&WorkerMessage::Done(Summary {
        stats: stats(messages),
        since: Some(Duration::from_millis(1500)),
        measured,
        worked: measured,
        cpu,
        tls_cpu: Duration::ZERO,
    }))
}

/// Runs a script in two processes.
fn run_with(
    script: &str,
    duration: Option<Duration>,
    timeouts: PoolTimeouts,
    interrupt: &Interrupt,
) -> Result<Outcome, Error> {
    run_configured(script, interrupt, &mut |_| {}, |config| {
        (config.duration, config.timeouts) = (duration, timeouts);
    })
}

/// Does the same with other settings.
fn run_configured(
    script: &str,
    interrupt: &Interrupt,
    on_progress: &mut dyn FnMut(&Outcome),
    configure: impl FnOnce(&mut PoolConfig<'_>),
) -> Result<Outcome, Error> {
    let command = || {
        let mut command = process::Command::new("sh");
        command.args(["-c", script]);
        command
    };
    let mut config = PoolConfig {
        command: &command,
        workers: vec![config(0), config(1)],
        start_at: None,
        connect_lead: LEAD,
        duration: None,
        timeout: Duration::from_millis(10),
        timeouts: PoolTimeouts::default(),
        interrupt,
    };
    configure(&mut config);
    run(&config, on_progress)
}

fn run_script(script: &str) -> Result<Outcome, Error> {
    let (read, _write) = UnixStream::pair().unwrap();
    run_with(script, None, PoolTimeouts::default(), &Interrupt::from(read))
}

/// Returns `true` if the process has exited and has been waited for.
fn is_gone(pid: u32) -> bool {
    !std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn adds_up_the_statistics_of_all_processes() {
    let progress = send(&progress(3));
    let outcome = run_script(&[ready(), progress, done(4)].concat()).unwrap();
    assert_eq!((outcome.stats.messages, outcome.failed_processes.len()), (14, 0));
    let seconds: Vec<_> = outcome.series.intervals().iter().map(|it| it.messages).collect();
    assert_eq!((seconds, outcome.series.intervals()[0].connections), (vec![6, 8], 2));
    assert_eq!(outcome.measured, Duration::from_secs(1));
    assert!((outcome.busiest_process - 0.2).abs() < 1e-9, "{}", outcome.busiest_process);
    assert!(outcome.cores >= 0.4, "{}", outcome.cores);
    assert!(!outcome.stopped_early);
}

#[test]
fn starts_when_the_last_process_is_ready() {
    // The first is ready after the second has written to a pipe between them.
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let pipe = pipe.to_str().unwrap();
    assert!(process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let script = format!(
        "read config\ncase $config in *'\"process\":0'*) read command <{pipe};; *) echo go >{pipe};; esac\n{}read start\n{}",
        send(&WorkerMessage::Ready),
        done(1)
    );
    assert_eq!(run_script(&script).unwrap().stats.messages, 2);
}

#[test]
fn names_a_process_that_dies_and_keeps_its_statistics() {
    let progress = send(&progress(3));
    for (end, reason) in [
        ("kill -KILL $$", "was killed by SIGKILL before it had finished"),
        ("exit 7", "exited with status 7 before it had finished"),
        ("echo nonsense; read command", "sent an invalid message"),
    ] {
        let script = format!("{}{progress}{end}", ready());
        let outcome = run_script(&script).unwrap();
        assert_eq!((outcome.stats.messages, outcome.failed_processes.len()), (6, 2), "{outcome:?}");
        let first =
            outcome.failed_processes.iter().find(|text| text.starts_with("process 0 (pid "));
        assert!(first.is_some_and(|text| text.contains(reason)), "{outcome:?}");
    }
}

#[test]
fn reports_why_a_process_failed() {
    let message =
        WorkerMessage::Failed { kind: ErrorKind::Reset, errno: None, text: "no memory".to_owned() };
    let outcome = run_script(&(ready() + &send(&message))).unwrap();
    assert!(outcome.failed_processes[0].ends_with("failed: no memory"), "{outcome:?}");
}

#[test]
fn a_process_that_cannot_connect_ends_the_run_before_the_start() {
    let message =
        WorkerMessage::Failed { kind: ErrorKind::Connect, errno: Some(111), text: String::new() };
    let script = "read config\n".to_owned() + &send(&message) + "read command";
    let error = run_script(&script).unwrap_err();
    assert!(matches!(error, Error::Connect { errno: Some(111), .. }), "{error}");
}

#[test]
fn names_a_process_that_dies_before_the_start() {
    let error = run_script("exit 9").unwrap_err().to_string();
    assert!(error.contains("process ") && error.contains("exited with status 9"), "{error}");
}

#[test]
fn reports_a_program_that_does_not_exist() {
    let (read, _write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    let config = PoolConfig {
        command: &|| process::Command::new("/nowhere/program"),
        workers: vec![config(0)],
        start_at: None,
        connect_lead: LEAD,
        duration: None,
        timeout: Duration::ZERO,
        timeouts: PoolTimeouts::default(),
        interrupt: &interrupt,
    };
    let error = run(&config, &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("Could not start process 1 of 1: no such file"), "{error}");
}

/// No process outlives a run, and the statistics of those that hang are kept.
#[test]
fn kills_and_names_a_process_that_hangs() {
    let hang = format!("{}{}while read command; do :; done", ready(), send(&progress(1)));
    let soon = Duration::from_millis(1500);
    for (duration, timeouts, reason) in [
        (
            Some(Duration::ZERO),
            PoolTimeouts { finishing: soon, ..PoolTimeouts::default() },
            "did not finish in time",
        ),
        (
            None,
            PoolTimeouts { silence: soon, ..PoolTimeouts::default() },
            "sent nothing for too long",
        ),
    ] {
        let (read, _write) = UnixStream::pair().unwrap();
        let outcome = run_with(&hang, duration, timeouts, &Interrupt::from(read)).unwrap();
        assert_eq!((outcome.stats.messages, outcome.failed_processes.len()), (2, 2));
        for process in outcome.failed_processes {
            assert!(process.contains(reason), "{process}");
            let pid = process.split(['(', ')']).nth(1).and_then(|pid| pid.strip_prefix("pid "));
            assert!(is_gone(pid.unwrap().parse().unwrap()));
        }
    }
}

#[test]
fn names_a_process_that_is_never_ready() {
    let (read, _write) = UnixStream::pair().unwrap();
    let timeouts =
        PoolTimeouts { connecting: Duration::from_millis(50), ..PoolTimeouts::default() };
    let script = "while read command; do :; done";
    let error = run_with(script, None, timeouts, &Interrupt::from(read)).unwrap_err().to_string();
    assert!(error.contains("did not finish in time"), "{error}");
}

#[test]
fn ctrl_c_stops_all_processes_and_keeps_their_statistics() {
    let (read, mut write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    // Ctrl+C comes after the first report.
    let script = [
        ready(),
        send(&progress(3)),
        "read command\ntest \"$command\" = '\"stop\"' || exit 5\n".to_owned(),
        done(1),
    ]
    .concat();
    let (counted, has_counted) = mpsc::channel();
    thread::spawn(move || {
        if has_counted.recv().is_ok() {
            write.write_all(b"!").unwrap();
            // Keeps the stream open until the end of the test: its end would be another Ctrl+C.
            let _ = has_counted.recv();
        }
    });
    let config = PoolConfig {
        command: &|| {
            let mut command = process::Command::new("sh");
            command.args(["-c", &script]);
            command
        },
        workers: vec![config(0), config(1)],
        start_at: None,
        connect_lead: LEAD,
        duration: None,
        timeout: Duration::from_secs(5),
        timeouts: PoolTimeouts::default(),
        interrupt: &interrupt,
    };
    let mut is_interrupted = false;
    let outcome = run(&config, &mut |outcome| {
        if outcome.stats.messages == 6 && !std::mem::replace(&mut is_interrupted, true) {
            counted.send(()).unwrap();
        }
    })
    .unwrap();
    assert!(outcome.stopped_early && outcome.failed_processes.is_empty(), "{outcome:?}");
    assert_eq!(outcome.stats.messages, 8);
}

#[test]
fn a_second_ctrl_c_ends_the_run_immediately() {
    let (read, mut write) = UnixStream::pair().unwrap();
    let interrupt = Interrupt::from(read);
    let ignoring = ready() + &send(&progress(1)) + "while read command; do :; done";
    let config = PoolConfig {
        command: &|| {
            let mut command = process::Command::new("sh");
            command.args(["-c", &ignoring]);
            command
        },
        workers: vec![config(0)],
        start_at: None,
        connect_lead: LEAD,
        duration: None,
        timeout: Duration::from_mins(1),
        timeouts: PoolTimeouts::default(),
        interrupt: &interrupt,
    };
    let outcome = run(&config, &mut |_| write.write_all(b"!").unwrap());
    assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
}

/// Runs a script in two processes that start at this time.
fn run_at(
    start_at: Timestamp,
    script: &str,
    interrupt: &Interrupt,
    on_progress: &mut dyn FnMut(&Outcome),
) -> Result<Outcome, Error> {
    run_configured(script, interrupt, on_progress, |config| {
        (config.start_at, config.timeout) = (Some(start_at), Duration::from_secs(5));
    })
}

fn from_now(time: Duration) -> Timestamp {
    clock_time().checked_add(time).unwrap()
}

#[test]
fn processes_that_are_ready_start_at_the_requested_time_and_not_before() {
    let (read, _write) = UnixStream::pair().unwrap();
    let start_at = from_now(Duration::from_millis(200));
    let script = ready() + &done(1);
    let outcome = run_at(start_at, &script, &Interrupt::from(read), &mut |_| {}).unwrap();
    assert!(outcome.start.unwrap().time >= start_at, "{outcome:?}");
    assert_eq!((outcome.stats.messages, outcome.starts_in), (2, None));
}

#[test]
fn a_start_that_has_passed_when_the_processes_are_ready_is_overdue() {
    let (read, _write) = UnixStream::pair().unwrap();
    let mut waits = 0;
    let script = ready() + &done(1);
    let start_at = from_now(Duration::ZERO);
    let outcome = run_at(start_at, &script, &Interrupt::from(read), &mut |outcome| {
        waits += u32::from(outcome.starts_in.is_some());
    })
    .unwrap();
    assert!(outcome.start.unwrap().is_overdue && waits == 0, "{outcome:?}");
    assert!(!run_script(&script).unwrap().start.unwrap().is_overdue);
}

#[test]
fn ctrl_c_and_the_death_of_a_process_end_the_wait_for_the_start() {
    // The processes are ready at the first one, and not started at the second one.
    let soon = from_now(LEAD);
    for start_at in [soon, from_now(Duration::from_hours(1))] {
        let (read, mut write) = UnixStream::pair().unwrap();
        let error = run_at(start_at, &ready(), &Interrupt::from(read), &mut |outcome| {
            assert!(outcome.starts_in.is_some());
            write.write_all(b"!").unwrap();
        });
        assert!(matches!(error, Err(Error::Interrupted)), "{error:?}");
    }
    let (read, _write) = UnixStream::pair().unwrap();
    let dies = format!("read config\n{}exit 9", send(&WorkerMessage::Ready));
    let error = run_at(soon, &dies, &Interrupt::from(read), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("exited with status 9"), "{error}");
}

/// A process connects as soon as it is started.
#[test]
fn processes_are_not_started_long_before_the_start() {
    let (read, mut write) = UnixStream::pair().unwrap();
    let mut waits = 0;
    let error = run(
        &PoolConfig {
            command: &|| panic!("a process is started"),
            workers: vec![config(0)],
            start_at: Some(from_now(Duration::from_hours(1))),
            connect_lead: LEAD,
            duration: None,
            timeout: Duration::from_secs(5),
            timeouts: PoolTimeouts::default(),
            interrupt: &Interrupt::from(read),
        },
        &mut |_| {
            waits += 1;
            write.write_all(b"!").unwrap();
        },
    );
    assert!(matches!(error, Err(Error::Interrupted)) && waits > 0, "{error:?}");
}
