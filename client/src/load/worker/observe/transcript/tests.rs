use super::*;
use crate::load::worker::payload::streams::Streams;
use proptest::prelude::*;

fn echo() -> EchoStream {
    EchoStream::new(&Streams::new(11, 48..=200), 2, (0, 0), None)
}

/// Returns the bytes that a transcript stands for.
fn bytes(echo: &mut EchoStream, pieces: &[Piece], damage: &[Damage]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend(echo.bytes(piece.start, usize::try_from(piece.len).unwrap()));
    }
    for damage in damage {
        bytes[usize::try_from(damage.at).unwrap()] ^= damage.mask;
    }
    bytes
}

/// Returns the transcript of bytes that arrive in parts of this length.
fn transcript(received: &[u8], sent: u64, part: usize) -> (Vec<Piece>, Vec<Damage>) {
    let mut transcript = Transcript::new(echo());
    for part in received.chunks(part) {
        transcript.receive(part, sent, |_| {});
    }
    transcript.finish(sent, |_| {});
    assert_eq!(transcript.placed(), received.len() as u64);
    let (pieces, damage, limit) = transcript.into_parts();
    assert_eq!(limit, None);
    (pieces, damage)
}

/// Returns these messages of the echo, in this order.
fn messages(numbers: &[u64]) -> Vec<u8> {
    let mut echo = echo();
    let mut bytes = Vec::new();
    for &number in numbers {
        let (start, end) = (echo.start_of(number), echo.start_of(number + 1));
        bytes.extend(echo.bytes(start, usize::try_from(end - start).unwrap()));
    }
    bytes
}

#[test]
fn the_echo_without_faults_is_one_piece() {
    let received = messages(&[0, 1, 2, 3]);
    let len = received.len() as u64;
    assert_eq!(transcript(&received, len, 7), (vec![Piece { start: 0, len }], Vec::new()));
}

#[test]
fn a_damaged_byte_has_its_offset_and_its_bits() {
    let mut received = messages(&[0, 1, 2, 3]);
    let (len, last) = (received.len() as u64, received.len() - 1);
    for at in [0, 5, 47, 150, last - 1, last] {
        received[at] ^= 0x55;
        let damage = vec![Damage { at: at as u64, mask: 0x55 }];
        assert_eq!(transcript(&received, len, 40), (vec![Piece { start: 0, len }], damage));
        received[at] ^= 0x55;
    }
}

#[test]
fn a_missing_message_a_repeated_one_and_swapped_ones_begin_a_piece() {
    let sent = echo().start_of(6);
    for (numbers, pieces) in [
        (&[0, 2, 3, 4, 5][..], 2),
        (&[0, 1, 1, 2, 3, 4, 5], 2),
        (&[0, 2, 1, 3, 4, 5], 4),
        (&[1, 2, 3, 4, 5], 1),
        (&[0, 1, 2, 3, 5], 2),
        (&[0, 1, 2, 3, 5, 4], 3),
        (&[0, 1, 2, 3, 4, 5, 5], 2),
    ] {
        let received = messages(numbers);
        for part in [1, 50, 1000] {
            let (found, damage) = transcript(&received, sent, part);
            assert_eq!((found.len(), &damage[..]), (pieces, &[][..]), "{numbers:?}");
            assert_eq!(bytes(&mut echo(), &found, &damage), received, "{numbers:?}");
        }
    }
}

#[test]
fn a_connection_with_too_many_differences_says_from_where_on_it_is_incomplete() {
    let received = vec![0; 3 * MAX_FINDINGS];
    let mut transcript = Transcript::new(echo());
    transcript.receive(&received, 0, |_| {});
    transcript.finish(0, |_| {});
    assert_eq!(transcript.placed(), received.len() as u64);
    let (_, damage, limit) = transcript.into_parts();
    assert_eq!((damage.len(), limit), (MAX_FINDINGS, Some(MAX_FINDINGS as u64)));
}

proptest! {
    #[test]
    fn a_transcript_gives_the_received_bytes_again(
        numbers in prop::collection::vec(0_u64..30, 0..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..20),
        cut in 0_usize..100,
        part in 1_usize..500,
    ) {
        let mut received = messages(&numbers);
        received.truncate(received.len().saturating_sub(cut));
        for (at, mask) in damage {
            if !received.is_empty() {
                let at = at.index(received.len());
                received[at] ^= mask;
            }
        }
        let sent = echo().start_of(30);
        let (pieces, damage) = transcript(&received, sent, part);
        prop_assert_eq!(bytes(&mut echo(), &pieces, &damage), received);
    }
}
