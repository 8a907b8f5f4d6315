use proptest::prelude::*;

use super::*;

const SENDERS: u32 = 3;

/// What a check has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    delivered: u64,
    told: u64,
    missing: u64,
    duplicates: u64,
    order: u64,
}

/// What arrives at a member.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Event(u64, Content),
    Gap { first: u64, count: u64 },
}

fn sent(sender: u32, counter: u64) -> Content {
    Content::Sent(MessageId { sender, counter })
}

/// Checks what arrives at a member of a room whose last event is `last`.
fn check(
    arrivals: &[Arrival],
    last: u64,
    counts: [u64; SENDERS as usize],
) -> (Found, Vec<Violation>) {
    let mut check = Check::new(0, SENDERS);
    let (mut found, mut violations) = (Found::default(), Vec::new());
    for arrival in arrivals {
        let mut report = |violation| violations.push(violation);
        match *arrival {
            Arrival::Event(number, content) => {
                found.delivered += u64::from(check.receive(number, content, &mut report));
            }
            Arrival::Gap { first, count } => {
                found.told += check.receive_gap(first, count, &mut report);
            }
        }
    }
    check.finish(last, counts, &mut |violation| violations.push(violation));
    found.missing = check.missing();
    for violation in &violations {
        match violation {
            Violation::Duplicate { .. } | Violation::Repeated { .. } => found.duplicates += 1,
            Violation::OutOfOrder { .. }
            | Violation::OvertakenBySender { .. }
            | Violation::FalseGap { .. } => found.order += 1,
            Violation::Skipped { .. } | Violation::Unnumbered { .. } => {}
        }
    }
    (found, violations)
}

/// Returns the messages of sender 0 with these numbers, whose counters follow from them.
fn messages(numbers: &[u64]) -> Vec<Arrival> {
    numbers.iter().map(|&number| Arrival::Event(number, sent(0, number - 1))).collect()
}

#[test]
fn finds_nothing_if_every_number_arrives_in_order() {
    let (found, violations) = check(&messages(&[1, 2, 3]), 3, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 3, ..Found::default() });
    assert_eq!(violations, []);
}

#[test]
fn a_number_that_never_arrives_is_missing_once() {
    let (found, violations) = check(&messages(&[1, 3]), 3, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 2, missing: 1, ..Found::default() });
    assert_eq!(violations, [Violation::Skipped { first: 2, count: 1 }]);
}

#[test]
fn a_last_number_that_does_not_arrive_is_missing() {
    let (found, _) = check(&messages(&[1]), 3, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 1, missing: 2, ..Found::default() });
}

#[test]
fn a_swap_is_one_violation_of_the_order_and_no_loss() {
    let (found, violations) = check(&messages(&[1, 3, 2, 4]), 4, [4, 0, 0]);
    assert_eq!(found, Found { delivered: 4, order: 1, ..Found::default() });
    assert_eq!(violations[1], Violation::OutOfOrder { number: 2 });
}

#[test]
fn a_number_that_arrives_twice_is_a_duplicate() {
    let (found, violations) = check(&messages(&[1, 2, 3, 1, 3]), 3, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 3, duplicates: 2, ..Found::default() });
    assert_eq!(violations[0], Violation::Duplicate { number: 1 });
}

#[test]
fn a_gap_that_is_told_is_no_silent_loss() {
    let mut arrivals = messages(&[1]);
    arrivals.push(Arrival::Gap { first: 2, count: 3 });
    arrivals.extend(messages(&[5]));
    let (found, violations) = check(&arrivals, 5, [5, 0, 0]);
    assert_eq!(found, Found { delivered: 2, told: 3, ..Found::default() });
    assert_eq!(violations, []);
}

#[test]
fn a_gap_that_is_told_late_takes_back_the_loss() {
    let mut arrivals = messages(&[1, 4]);
    arrivals.push(Arrival::Gap { first: 2, count: 1 });
    let (found, _) = check(&arrivals, 4, [4, 0, 0]);
    assert_eq!(found, Found { delivered: 2, told: 1, missing: 1, ..Found::default() });
}

#[test]
fn a_gap_over_what_has_arrived_is_a_violation() {
    let mut arrivals = messages(&[1, 2]);
    arrivals.push(Arrival::Gap { first: 2, count: 2 });
    let (found, violations) = check(&arrivals, 3, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 2, told: 1, order: 1, ..Found::default() });
    assert_eq!(violations, [Violation::FalseGap { first: 2, count: 1 }]);
}

#[test]
fn a_message_that_the_server_never_numbers_is_missing() {
    let arrivals = [Arrival::Event(1, sent(0, 0)), Arrival::Event(2, sent(0, 2))];
    let (found, violations) = check(&arrivals, 2, [3, 0, 0]);
    assert_eq!(found, Found { delivered: 2, missing: 1, ..Found::default() });
    assert_eq!(violations, [Violation::Unnumbered { sender: 0, first: 1, count: 1 }]);
}

#[test]
fn messages_that_another_server_tells_to_be_lost_are_not_missing() {
    let arrivals = [
        Arrival::Event(1, sent(0, 0)),
        Arrival::Event(2, Content::RelayGap(2)),
        Arrival::Event(3, sent(0, 3)),
    ];
    let (found, violations) = check(&arrivals, 3, [4, 0, 0]);
    assert_eq!((found.missing, violations), (0, Vec::new()));
}

#[test]
fn a_damaged_text_is_not_missing_too() {
    let arrivals = [Arrival::Event(1, Content::Damaged), Arrival::Event(2, sent(1, 1))];
    let (found, violations) = check(&arrivals, 2, [0, 2, 0]);
    assert_eq!((found.missing, violations), (0, Vec::new()));
}

#[test]
fn numbers_at_the_end_of_their_range_do_not_overflow() {
    let arrivals = [
        Arrival::Event(u64::MAX - 1, Content::Other),
        Arrival::Event(u64::MAX, sent(0, u64::MAX)),
        Arrival::Event(u64::MAX, sent(9, 1)),
        Arrival::Gap { first: u64::MAX, count: u64::MAX },
        Arrival::Gap { first: 0, count: u64::MAX },
    ];
    check(&arrivals, u64::MAX, [u64::MAX; SENDERS as usize]);
}

/// Fault of a server, in a group of four messages of one sender.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// The second message is not delivered.
    Drop,
    /// The second message is delivered again, after this many others.
    Duplicate(usize),
    /// The second and the third message are delivered in the wrong order.
    Swap,
    /// The second and the third message are not delivered, and a gap tells it.
    Gap,
    /// The second message gets no number.
    Lose,
    /// The second message gets two numbers.
    Repeat,
    /// The third message gets the number before the second.
    Overtake,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::None),
        Just(Fault::Drop),
        (0..3_usize).prop_map(Fault::Duplicate),
        Just(Fault::Swap),
        Just(Fault::Gap),
        Just(Fault::Lose),
        Just(Fault::Repeat),
        Just(Fault::Overtake),
    ]
}

/// Server with faults, to one member.
#[derive(Default)]
struct FaultyRoom {
    arrivals: Vec<Arrival>,
    last: u64,
    counts: [u64; SENDERS as usize],
    expected: Found,
}

impl FaultyRoom {
    /// Numbers and delivers four messages of a sender.
    fn send_group(&mut self, sender: u32, fault: Fault) {
        let first = self.counts[sender as usize];
        self.counts[sender as usize] += 4;
        let mut counters: Vec<_> = (first..first + 4).collect();
        match fault {
            Fault::Lose => drop(counters.remove(1)),
            Fault::Repeat => counters.insert(2, first + 1),
            Fault::Overtake => counters.swap(1, 2),
            _ => {}
        }
        let mut group: Vec<_> = counters
            .iter()
            .map(|&counter| {
                self.last += 1;
                Arrival::Event(self.last, sent(sender, counter))
            })
            .collect();
        let expected = &mut self.expected;
        expected.delivered += 4;
        match fault {
            Fault::Drop => {
                group.remove(1);
                expected.missing += 1;
                expected.delivered -= 1;
            }
            Fault::Duplicate(after) => {
                group.insert(2 + after, group[1]);
                expected.duplicates += 1;
            }
            Fault::Swap => {
                group.swap(1, 2);
                expected.order += 1;
            }
            Fault::Gap => {
                group.splice(1..3, [Arrival::Gap { first: self.last - 2, count: 2 }]);
                expected.told += 2;
                expected.delivered -= 2;
            }
            Fault::Lose => {
                expected.missing += 1;
                expected.delivered -= 1;
            }
            Fault::Repeat => expected.duplicates += 1,
            Fault::Overtake => expected.order += 1,
            Fault::None => {}
        }
        self.arrivals.extend(group);
    }
}

proptest! {
    /// Losses, duplicates, swaps and gaps in any mix are found, and nothing else.
    #[test]
    fn finds_exactly_the_faults_of_a_server(
        groups in proptest::collection::vec((0..SENDERS, fault(), any::<bool>()), 0..60)
    ) {
        let mut room = FaultyRoom::default();
        for (sender, fault, is_joined) in groups {
            if is_joined {
                room.last += 1;
                room.expected.delivered += 1;
                room.arrivals.push(Arrival::Event(room.last, Content::Other));
            }
            room.send_group(sender, fault);
        }
        let (found, violations) = check(&room.arrivals, room.last, room.counts);
        prop_assert_eq!(found, room.expected, "{:?}", violations);
    }
}
