use super::*;
use proptest::prelude::*;

fn sent(input: &[u8]) -> Window {
    let mut window = Window::default();
    window.push(input);
    while !window.unsent().is_empty() {
        window.mark_sent(window.unsent().len());
    }
    window
}

fn check(window: &mut Window, received: &[u8]) -> Result<(), String> {
    window.check(received).1.map_err(|error| error.to_string())
}

#[test]
fn names_a_wrong_byte_by_its_position_in_the_stream() {
    let mut window = sent(b"one\ntwo\n");
    assert_eq!(check(&mut window, b"one\n"), Ok(()));
    let (valid, result) = window.check(b"tWo\n");
    assert_eq!(valid, 1);
    assert_eq!(
        result.unwrap_err().to_string(),
        r"Wrong echo at byte 6: expected 'wo\n', received 'Wo\n'"
    );
}

#[test]
fn refuses_an_echo_of_bytes_not_yet_sent() {
    let mut window = Window::default();
    window.push(b"abc");
    window.mark_sent(1);
    assert_eq!(window.check(b"a").0, 1);
    assert_eq!(check(&mut window, b"bc").unwrap_err(), "The server sent unexpected data: 'bc'");
}

#[test]
fn an_exit_line_ends_the_stream_and_may_be_answered_by_a_goodbye_or_its_echo() {
    for answer in [&b"Goodbye!\r\n"[..], b"Goodbye!", b" eXit\r\n", b" eXGoodbye!\r\n"] {
        for split in 0..=answer.len() {
            let mut window = sent(b"hello\n eXit\r\nnot sent\n");
            assert!(window.is_complete());
            assert_eq!(window.missing(), b"hello\n eXit\r\n".len());
            assert_eq!(check(&mut window, b"hello\n"), Ok(()));
            assert_eq!(check(&mut window, &answer[..split]), Ok(()));
            assert_eq!(check(&mut window, &answer[split..]), Ok(()), "{answer:?} at {split}");
            assert_eq!(window.missing(), 0);
        }
    }
}

#[test]
fn a_bare_exit_may_be_answered_by_a_goodbye() {
    let mut window = sent(b"exit");
    assert!(!window.is_complete());
    assert_eq!(check(&mut window, b"Goodbye!"), Ok(()));
    assert!(window.is_complete());
}

#[test]
fn refuses_a_goodbye_without_an_exit() {
    assert!(check(&mut sent(b"exit now\n"), b"Goodbye!\n").is_err());
    assert!(check(&mut sent(b"hello\nexit\n"), b"Goodbye!\n").is_err());
    assert!(check(&mut sent(b"exit\n"), b"Goodbye!\nand more").is_err());
    assert!(check(&mut sent(b""), b"Goodbye!\n").is_err());
}

proptest! {
    /// A stream may be cut anywhere, on its way out and back.
    #[test]
    fn accepts_the_right_bytes_in_any_pieces_and_finds_a_flipped_bit(
        stream in proptest::collection::vec(any::<u8>(), 0..400),
        pieces in proptest::collection::vec(1_usize..50, 1..100),
        flip in proptest::option::of(0_usize..400),
    ) {
        let mut window = Window::default();
        let (mut taken, mut returned) = (0, 0);
        for piece in pieces {
            let next = &stream[taken..(taken + piece).min(stream.len())];
            window.push(next);
            taken += next.len();
            window.mark_sent(window.unsent().len().min(piece / 2 + 1));
            let mut received = stream[returned..returned + window.sent.min(piece)].to_vec();
            if let Some(flip) = flip && (returned..returned + received.len()).contains(&flip) {
                received[flip - returned] ^= 1;
                let (valid, result) = window.check(&received);
                prop_assert_eq!(valid, flip - returned);
                prop_assert!(result.is_err());
                return Ok(());
            }
            let (valid, result) = window.check(&received);
            prop_assert_eq!(valid, received.len());
            prop_assert!(result.is_ok());
            returned += valid;
        }
        prop_assert_eq!(window.missing(), taken - returned);
    }
}

#[test]
fn a_receipt_behind_a_goodbye_is_left_over_at_every_split() {
    let answer = b"one\nGoodbye!\r\n{\"receipt\":";
    let end = answer.len() - 11;
    for at in 0..=answer.len() {
        let mut window = Window::default().with_receipt(true);
        window.push(b"one\nexit\n");
        window.mark_sent(9);
        let (mut valid, mut has_begun) = (0, false);
        for piece in [&answer[..at], &answer[at..]].into_iter().filter(|piece| !piece.is_empty()) {
            if has_begun {
                continue;
            }
            let (count, checked) = window.check(piece);
            valid += count;
            has_begun = match checked {
                Ok(()) => false,
                Err(Error::Unexpected(rest)) => rest.starts_with(b"{"),
                Err(error) => panic!("{error} at {at}"),
            };
        }
        assert_eq!((valid, has_begun), (end, true), "split at {at}");
        assert!(window.is_complete() && window.missing() == 0);
    }
}
