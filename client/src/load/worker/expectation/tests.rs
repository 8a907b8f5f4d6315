use proptest::prelude::*;

use super::*;

#[test]
fn what_has_not_come_back_whole_is_sent_again() {
    let streams = Streams::new(7, 10..=20);
    let (mut conversation, wire) = all_sent(&streams, 5);
    let first = wire.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut buffer = vec![0; wire.len()];
    let whole = |_, _| {};
    conversation.receive(&streams, &wire[..first + 3], &mut buffer, whole).unwrap();
    assert_eq!(conversation.send_again(&streams), 4);

    let mut again = Vec::new();
    conversation.send(&streams, &mut again, &mut [0; 10]).unwrap();
    assert_eq!(again, wire[first..]);
    let mut lines = Vec::new();
    let whole = |since, count| lines.push((since, count));
    conversation.receive(&streams, &again, &mut buffer, whole).unwrap();
    assert_eq!(lines, [(SECOND, 1), (2 * SECOND, 1), (3 * SECOND, 1), (4 * SECOND, 1)]);
    assert_eq!((conversation.under_way(), conversation.owed_bytes()), (0, 0));
}

/// Takes so many bytes at a time, then would block.
struct Narrow(Vec<u8>, usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(std::mem::take(&mut self.1));
        self.0.extend_from_slice(&bytes[..len]);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn all_sent(streams: &Streams, lines: u32) -> (Conversation, Vec<u8>) {
    let mut conversation = Conversation::new(streams, 3);
    (0..lines).for_each(|line| conversation.allow(streams, 1, SECOND * line));
    let mut wire = Vec::new();
    conversation.send(streams, &mut wire, &mut [0; 10]).unwrap();
    (conversation, wire)
}

#[test]
fn nothing_is_sent_that_is_not_allowed() {
    let streams = Streams::new(1, 8..=8);
    let (mut conversation, wire) = all_sent(&streams, 2);
    assert_eq!(wire.len(), 16);
    assert_eq!((conversation.under_way(), conversation.owed_lines(&streams)), (2, 2));
    assert_eq!(conversation.send(&streams, &mut Vec::new(), &mut [0; 10]).unwrap(), 0);
}

#[test]
fn each_whole_line_is_timed_from_its_own_time() {
    let streams = Streams::new(1, 8..=8);
    let (mut conversation, wire) = all_sent(&streams, 3);
    let mut times = Vec::new();
    conversation
        .receive(&streams, &wire[..17], &mut [0; 64], |at, lines| times.push((at, lines)))
        .unwrap();
    assert_eq!(times, [(Duration::ZERO, 1), (SECOND, 1)]);
    assert_eq!((conversation.under_way(), conversation.returned().offset()), (1, 17));
}

#[test]
fn a_line_that_was_begun_is_owed() {
    let streams = Streams::new(1, 8..=8);
    let mut conversation = Conversation::new(&streams, 0);
    conversation.allow(&streams, 3, SECOND);
    conversation.send(&streams, &mut Narrow(Vec::new(), 9), &mut [0; 64]).unwrap();
    assert_eq!((conversation.under_way(), conversation.owed_lines(&streams)), (3, 2));
    assert!(conversation.has_unsent());
}

#[test]
fn a_wrong_byte_is_found_where_it_is() {
    let streams = Streams::new(1, 8..=8);
    for at in 0..24 {
        let (mut conversation, mut wire) = all_sent(&streams, 3);
        wire[at] ^= 1;
        let mut lines = 0;
        let found = conversation.receive(&streams, &wire, &mut [0; 64], |_, whole| lines += whole);
        assert_eq!((found, lines), (Err(Difference { right: at }), at as u64 / 8));
    }
}

#[test]
fn bytes_that_were_not_sent_are_wrong_even_if_they_would_be_next() {
    let streams = Streams::new(1, 8..=8);
    let mut conversation = Conversation::new(&streams, 0);
    conversation.allow(&streams, 1, SECOND);
    let mut socket = Narrow(Vec::new(), 3);
    conversation.send(&streams, &mut socket, &mut [0; 64]).unwrap();
    let mut next = [0; 8];
    streams.fill(&streams.cursor(0), &mut next);
    let found = conversation.receive(&streams, &next, &mut [0; 64], |_, _| ());
    assert_eq!(found, Err(Difference { right: 3 }));
}

proptest! {
    #[test]
    fn any_pieces_of_the_right_bytes_are_right(seed: u64, pieces in proptest::collection::vec(1_usize..60, 1..60)) {
        let streams = Streams::new(seed, 1..=30);
        let mut conversation = Conversation::new(&streams, 9);
        let mut wire = Narrow(Vec::new(), 0);
        let (mut back, mut lines) = (0, 0);
        for piece in pieces {
            conversation.allow(&streams, 1, SECOND);
            wire.1 = piece;
            conversation.send(&streams, &mut wire, &mut [0; 16]).unwrap();
            let here = (wire.0.len() - back).min(piece / 2);
            let received = &wire.0[back..back + here];
            prop_assert!(conversation.receive(&streams, received, &mut [0; 64], |_, whole| lines += whole).is_ok());
            back += here;
        }
        prop_assert_eq!(conversation.returned_lines(), lines);
        prop_assert_eq!(conversation.returned().offset(), back as u64);
    }
}
