use proptest::prelude::*;

use super::*;
use crate::load::ipc::worker_config::Server;

const MS: Duration = Duration::from_millis(1);

fn schedule(rate: f64, process: u32, processes: u32, stop: Stop, warmup: Duration) -> Schedule {
    let config = WorkerConfig {
        server: Server::Unix("/unused".into()),
        tls: None,
        login: None,
        websocket: None,
        sources: Vec::new(),
        process,
        processes,
        connections: 2,
        seed: 0,
        min_size: 1,
        max_size: 1,
        pace: Pace::Rate(rate),
        stop,
        warmup,
        churn: None,
        expect_restart: false,
        expects_faults: false,
        expects_receipt: false,
        timeout: Duration::from_secs(1),
        room: None,
    };
    Schedule::new(&config).unwrap()
}

/// Returns the times at which the first messages of a process are due.
fn times(schedule: &Schedule) -> Vec<Duration> {
    (0..).map_while(|number| schedule.due_at(number)).collect()
}

#[test]
fn processes_and_channels_take_turns_at_one_rate() {
    let [first, second] =
        [0, 1].map(|process| schedule(1000.0, process, 2, Stop::After(6 * MS), Duration::ZERO));
    assert_eq!(times(&first), [Duration::ZERO, 2 * MS, 4 * MS]);
    assert_eq!(times(&second), [MS, 3 * MS, 5 * MS]);
    assert_eq!([0, 1].map(|channel| first.channel_count(3, channel)), [2, 1]);
    assert_eq!(first.channel_due_at(0, 1), 4 * MS);
    assert_eq!(first.channel_due_at(1, 0), 2 * MS);
}

#[test]
fn a_time_limit_includes_the_warm_up_and_excludes_its_end() {
    let mut schedule = schedule(1000.0, 0, 1, Stop::After(2 * MS), MS);
    schedule.end_warmup();
    assert_eq!(times(&schedule), [Duration::ZERO, MS, 2 * MS]);
    assert_eq!(schedule.due_count(Duration::MAX), 3);
}

#[test]
fn a_number_of_messages_applies_after_the_warm_up() {
    let schedule = schedule(1000.0, 0, 1, Stop::Messages(1), 3 * MS);
    assert_eq!(times(&schedule).len(), 3 + 2);
}

#[test]
fn what_a_channel_has_not_sent_in_the_warm_up_is_dropped_at_its_end() {
    // Three messages of the warm-up belong to channel 0, and two to channel 1.
    let mut schedule = schedule(1000.0, 0, 1, Stop::Messages(1), 5 * MS);
    assert_eq!(schedule.due_count(Duration::MAX), 5);
    schedule.end_warmup();
    assert_eq!(schedule.due_count(Duration::MAX), 7);
    schedule.drop_warmup(0, 1);
    schedule.drop_warmup(1, 2);
    assert_eq!([0, 1].map(|channel| schedule.channel_count(5, channel)), [1, 2]);
    assert_eq!([0, 1].map(|channel| schedule.channel_count(7, channel)), [2, 3]);
    assert_eq!([0, 1].map(|number| schedule.channel_due_at(0, number)), [Duration::ZERO, 6 * MS]);
    assert_eq!([1, 2].map(|number| schedule.channel_due_at(1, number)), [3 * MS, 5 * MS]);
    assert_eq!(schedule.first_from(0, 0..2, 5 * MS), 1);
}

#[test]
fn a_stop_removes_what_is_not_due() {
    let mut schedule = schedule(1000.0, 0, 1, Stop::After(Duration::MAX), Duration::ZERO);
    assert_eq!(schedule.due_count(Duration::ZERO), 1);
    schedule.stop(2 * MS);
    assert_eq!(times(&schedule), [Duration::ZERO, MS, 2 * MS]);
}

proptest! {
    #[test]
    fn a_message_is_due_exactly_from_its_time_on(
        rate in 0.01_f64..1e9, processes in 1_u32..5, number in 0_u64..1_000_000_000,
    ) {
        let schedule = schedule(rate, processes - 1, processes, Stop::After(Duration::MAX), Duration::ZERO);
        let due = schedule.due_at(number).unwrap();
        prop_assert!(schedule.due_count(due) > number);
        let before = due.saturating_sub(Duration::from_nanos(1));
        prop_assert!(due.is_zero() || schedule.due_count(before) <= number);
    }
}
