use super::*;
use proptest::prelude::*;

fn sent(input: &[u8]) -> Window {
    let mut window = Window::default();
    window.take(input);
    while !window.unsent().is_empty() {
        window.sent(window.unsent().len());
    }
    window
}

fn verdict(window: &mut Window, received: &[u8]) -> Result<(), String> {
    window.check(received).1.map_err(|error| error.to_string())
}

#[test]
fn a_wrong_byte_is_named_by_its_place_in_the_stream() {
    let mut window = sent(b"one\ntwo\n");
    assert_eq!(verdict(&mut window, b"one\n"), Ok(()));
    let (right, wrong) = window.check(b"tWo\n");
    assert_eq!(right, 1);
    assert_eq!(
        wrong.unwrap_err().to_string(),
        r"Wrong echo at byte 6: expected 'wo\n', received 'Wo\n'"
    );
}

#[test]
fn an_echo_of_bytes_not_sent_yet_is_unasked() {
    let mut window = Window::default();
    window.take(b"abc");
    window.sent(1);
    assert_eq!(window.check(b"a").0, 1);
    assert_eq!(verdict(&mut window, b"bc").unwrap_err(), "The server sent something unasked: 'bc'");
}

#[test]
fn an_exit_line_ends_the_stream_and_is_answered_by_goodbye_or_echo() {
    for answer in [&b"Goodbye!\r\n"[..], b"Goodbye!", b" eXit\r\n", b" eXGoodbye!\r\n"] {
        for split in 0..=answer.len() {
            let mut window = sent(b"hello\n eXit\r\nnot sent\n");
            assert!(window.has_ended());
            assert_eq!(window.owed(), b"hello\n eXit\r\n".len());
            assert_eq!(verdict(&mut window, b"hello\n"), Ok(()));
            assert_eq!(verdict(&mut window, &answer[..split]), Ok(()));
            assert_eq!(verdict(&mut window, &answer[split..]), Ok(()), "{answer:?} at {split}");
            assert_eq!(window.owed(), 0);
        }
    }
}

#[test]
fn a_bare_exit_may_be_answered_too() {
    let mut window = sent(b"exit");
    assert!(!window.has_ended());
    assert_eq!(verdict(&mut window, b"Goodbye!"), Ok(()));
    assert!(window.has_ended());
}

#[test]
fn a_goodbye_that_nobody_asked_for_is_a_wrong_echo() {
    assert!(verdict(&mut sent(b"exit now\n"), b"Goodbye!\n").is_err());
    assert!(verdict(&mut sent(b"hello\nexit\n"), b"Goodbye!\n").is_err());
    assert!(verdict(&mut sent(b"exit\n"), b"Goodbye!\nand more").is_err());
    assert!(verdict(&mut sent(b""), b"Goodbye!\n").is_err());
}

proptest! {
    /// However a stream is cut on its way out and back, it is right as long as it is the same.
    #[test]
    fn any_pieces_of_the_right_bytes_are_right(
        stream in proptest::collection::vec(any::<u8>(), 0..400),
        pieces in proptest::collection::vec(1_usize..50, 1..100),
        flip in proptest::option::of(0_usize..400),
    ) {
        let mut window = Window::default();
        let (mut taken, mut back) = (0, 0);
        for piece in pieces {
            let next = &stream[taken..(taken + piece).min(stream.len())];
            window.take(next);
            taken += next.len();
            window.sent(window.unsent().len().min(piece / 2 + 1));
            let mut received = stream[back..back + window.sent.min(piece)].to_vec();
            if let Some(flip) = flip && (back..back + received.len()).contains(&flip) {
                received[flip - back] ^= 1;
                let (right, wrong) = window.check(&received);
                prop_assert_eq!(right, flip - back);
                prop_assert!(wrong.is_err());
                return Ok(());
            }
            let (right, verdict) = window.check(&received);
            prop_assert_eq!(right, received.len());
            prop_assert!(verdict.is_ok());
            back += right;
        }
        prop_assert_eq!(window.owed(), taken - back);
    }
}
