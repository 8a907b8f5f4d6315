use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SOCKETS: u64 = 10;

/// Of socket 3; each datagram was sent, and counts, a second after the one before.
struct Sending {
    streams: Streams,
    conversation: Conversation,
    wire: Vec<Vec<u8>>,
}

impl Sending {
    fn new(count: u32, size: u32) -> Self {
        let streams = Streams::new(7, size..=size);
        let mut conversation = Conversation::new(3, SOCKETS);
        let mut wire = Vec::new();
        for number in 0..count {
            let mut buffer = vec![0; size as usize];
            let len = conversation.next(&streams, &mut buffer);
            wire.push(buffer[..len].to_vec());
            conversation.sent(SECOND * number, SECOND * number);
        }
        Self { streams, conversation, wire }
    }

    fn receive(&mut self, bytes: &[u8]) -> Came {
        self.conversation.receive(&self.streams, bytes, &mut [0; 1024])
    }

    /// The datagram with this number comes, as it was sent.
    fn comes(&mut self, number: usize) -> Came {
        self.receive(&self.wire[number].clone())
    }

    fn give_up(&mut self, before: u32) -> Vec<Duration> {
        let mut lost = Vec::new();
        self.conversation.give_up(SECOND * before, |since| lost.push(since));
        lost
    }
}

fn back(second: u32) -> Back {
    Back { since: SECOND * second, is_late: false, is_reordered: false }
}

#[test]
fn what_comes_in_order_is_back() {
    let mut sending = Sending::new(3, 64);
    for number in 0..3 {
        assert_eq!(sending.comes(number as usize), Came::Back(back(number)));
    }
    assert_eq!((sending.conversation.under_way(), sending.conversation.all_sent()), (0, 3));
    assert!(sending.conversation.window.is_empty());
}

/// The example of RFC 4737, section 3.2: of 1 2 3 7 8 9 10 4 5 6 the last three are reordered.
#[test]
fn what_comes_behind_a_higher_number_is_reordered() {
    let mut sending = Sending::new(10, 64);
    let order = [0, 1, 2, 6, 7, 8, 9, 3, 4, 5];
    let reordered = order.map(|number| match sending.comes(number) {
        Came::Back(back) => back.is_reordered,
        other => panic!("{other:?}"),
    });
    assert_eq!(reordered, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1].map(|one| one == 1));
}

#[test]
fn what_comes_again_is_a_duplicate() {
    let mut sending = Sending::new(3, 64);
    sending.comes(0);
    sending.comes(2);
    // Behind the window, and in it.
    assert_eq!((sending.comes(0), sending.comes(2)), (Came::Duplicate, Came::Duplicate));
    assert_eq!(sending.conversation.under_way(), 1);
    assert_eq!(sending.comes(1), Came::Back(Back { is_reordered: true, ..back(1) }));
}

#[test]
fn what_does_not_come_in_time_is_lost_and_makes_room() {
    let mut sending = Sending::new(5, 64);
    sending.comes(1);
    assert_eq!(sending.give_up(3), [Duration::ZERO, 2 * SECOND]);
    assert_eq!(sending.conversation.under_way(), 2);
    assert_eq!(sending.give_up(3), []);
    assert_eq!(sending.comes(3), Came::Back(back(3)));
}

#[test]
fn what_was_lost_and_comes_is_late_and_then_a_duplicate() {
    let mut sending = Sending::new(5, 64);
    sending.comes(1);
    sending.give_up(4);
    let late = Back { is_late: true, ..back(2) };
    assert_eq!(sending.comes(2), Came::Back(late));
    assert_eq!(sending.comes(0), Came::Back(Back { is_reordered: true, is_late: true, ..back(0) }));
    assert_eq!((sending.comes(2), sending.comes(1)), (Came::Duplicate, Came::Duplicate));
    assert_eq!(sending.conversation.under_way(), 1);
}

#[test]
fn a_wrong_byte_is_corrupt_wherever_it_is_and_the_datagram_is_not_back() {
    for size in [16, 20, 64, 100] {
        let mut sending = Sending::new(3, size);
        for at in 0..size as usize {
            let mut wrong = sending.wire[1].clone();
            wrong[at] ^= 0x80;
            let came = sending.receive(&wrong);
            assert_eq!(came, Came::Corrupt(Which { connection: 3, number: 1 }), "{at} of {size}");
        }
        assert_eq!(sending.conversation.under_way(), 3);
        assert_eq!(sending.comes(1), Came::Back(back(1)));
    }
}

#[test]
fn a_datagram_that_is_cut_or_longer_is_corrupt() {
    let mut sending = Sending::new(3, 64);
    let whole = sending.wire[1].clone();
    let which = Which { connection: 3, number: 1 };
    for len in 4..64 {
        assert_eq!(sending.receive(&whole[..len]), Came::Corrupt(which), "{len}");
    }
    assert_eq!(sending.receive(&[&whole[..], b"!"].concat()), Came::Corrupt(which));
}

#[test]
fn what_this_socket_has_not_sent_is_corrupt() {
    let mut sending = Sending::new(3, 64);
    let mut other = [0; 64];
    for which in [Which { connection: 4, number: 1 }, Which { connection: 3, number: 3 }] {
        sending.streams.datagram(which.connection, which.number, &mut other);
        assert_eq!(sending.receive(&other), Came::Corrupt(which));
    }
}

#[test]
fn what_is_not_of_this_run_is_a_stranger() {
    let mut sending = Sending::new(3, 64);
    let mut other = [0; 64];
    Streams::new(8, 64..=64).datagram(3, 1, &mut other);
    let hello = b"\x1b[2JServer is full\r\n";
    let mut another = [0; 64];
    sending.streams.datagram(SOCKETS, 1, &mut another);
    for stranger in [&b""[..], b"z", hello, &other, &another, &[0; 1024]] {
        assert_eq!(sending.receive(stranger), Came::Stranger, "{stranger:?}");
    }
    assert_eq!(sending.conversation.under_way(), 3);
}

#[test]
fn what_was_lost_long_ago_is_forgotten() {
    let count = u32::try_from(REMEMBERED).unwrap() + 1;
    let mut sending = Sending::new(count, 16);
    assert_eq!(sending.give_up(u32::MAX).len(), REMEMBERED + 1);
    assert_eq!(sending.comes(0), Came::Duplicate);
    assert!(matches!(sending.comes(1), Came::Back(Back { is_late: true, .. })));
}

proptest! {
    /// Whatever a network does, every datagram is counted once.
    #[test]
    fn what_was_sent_is_back_or_lost_or_under_way(
        steps in proptest::collection::vec((0_usize..40, 0_u32..60), 0..200)
    ) {
        let mut sending = Sending::new(40, 32);
        let (mut back, mut lost) = (0, 0);
        for (number, before) in steps {
            match sending.comes(number) {
                Came::Back(came) => {
                    back += 1;
                    lost -= usize::from(came.is_late);
                }
                Came::Duplicate => {}
                other => prop_assert!(false, "{:?}", other),
            }
            // Most of the time nothing is given up.
            if before < 42 && before % 7 == 0 {
                lost += sending.give_up(before).len();
            }
            let under_way = usize::try_from(sending.conversation.under_way()).unwrap();
            prop_assert_eq!(back + lost + under_way, 40);
        }
    }
}
