use proptest::prelude::*;

use super::*;
use crate::load::worker::payload::block::{BLOCK_LEN, FIRST_CHARACTER, NAME_LEN, Position};

fn bytes(streams: &Streams, connection: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Cursor::new(streams, connection).fill(streams, &mut bytes);
    bytes
}

#[test]
fn lines_have_the_given_sizes_and_no_letters() {
    let streams = Streams::new(7, 3..=40);
    let bytes = bytes(&streams, 5, 100_000);
    let mut lines: Vec<_> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    lines.pop();
    assert!(lines.iter().all(|line| (3..=40).contains(&line.len())));
    for size in 3..=40 {
        assert!(lines.iter().any(|line| line.len() == size), "no line of {size} bytes");
    }
    assert!(bytes.iter().all(|byte| (b'!'..=b'@').contains(byte) || *byte == b'\n'));
}

#[test]
fn payloads_of_different_seeds_and_connections_differ() {
    let one = Streams::new(1, 64..=64);
    assert_ne!(bytes(&one, 0, 63), bytes(&one, 1, 63));
    assert_ne!(bytes(&one, 0, 63), bytes(&Streams::new(2, 64..=64), 0, 63));
}

#[test]
fn a_line_of_one_byte_is_its_newline() {
    assert_eq!(bytes(&Streams::new(1, 1..=1), 0, 5), b"\n\n\n\n\n");
}

#[test]
fn a_datagram_names_its_connection_and_its_number() {
    let streams = Streams::new(7, 16..=100);
    let mut buffer = [0; 100];
    let mut lens = std::collections::BTreeSet::new();
    for number in 0..1000 {
        lens.insert(streams.write_datagram(3, number, &mut buffer));
        let name = buffer.first_chunk().unwrap();
        assert_eq!(streams.identify_datagram(name), Some((3, number)));
        assert_eq!(Streams::new(8, 16..=100).identify_datagram(name), None);
    }
    assert_eq!((lens.len(), lens.first(), lens.last()), (85, Some(&16), Some(&100)));
    // The middle of a datagram is not taken for the start of another.
    streams.write_characters(3, 32, &mut buffer);
    assert_eq!(streams.identify_datagram(buffer.first_chunk().unwrap()), None);
}

proptest! {
    /// The bytes do not depend on how a stream is cut.
    #[test]
    fn a_stream_is_a_function_of_the_offset(
        seed: u64, connection in 0..MAX_CONNECTIONS, sizes in (1_u32..70, 0_u32..70), pieces in proptest::collection::vec(0_usize..100, 1..20)
    ) {
        let streams = Streams::new(seed, sizes.0..=sizes.0 + sizes.1);
        let whole = bytes(&streams, connection, pieces.iter().sum());
        let (mut cursor, mut lines) = (Cursor::new(&streams, connection), 0);
        for len in pieces {
            let mut piece = vec![0; len];
            cursor.fill(&streams, &mut piece);
            let at = to_index(cursor.offset());
            prop_assert_eq!(&piece, &whole[at..at + len]);
            lines += cursor.advance(&streams, len as u64);
        }
        prop_assert_eq!(lines, memchr::memchr_iter(b'\n', &whole).count() as u64);
        prop_assert_eq!(lines, cursor.lines());
    }

    #[test]
    fn the_length_of_the_next_lines_is_known(seed: u64, start in 0_u64..500, lines in 1_u64..20) {
        let streams = Streams::new(seed, 1..=50);
        let mut cursor = Cursor::new(&streams, 3);
        cursor.advance(&streams, start);
        let bytes = cursor.len_of_lines(&streams, lines);
        prop_assert_eq!(cursor.advance(&streams, bytes), lines);
        prop_assert!(cursor.is_at_line_start(&streams));
    }

    /// A block can be identified, and a damaged one is not mistaken for it.
    #[test]
    fn blocks_name_their_position(seed: u64, connection in 0..MAX_CONNECTIONS, number in 0_u64..1 << 30, flip in 0_usize..NAME_LEN * 5) {
        let streams = Streams::new(seed, 64..=64);
        let place = Position { connection, offset: number * BLOCK_LEN as u64 };
        let mut block = [0; NAME_LEN];
        streams.write_characters(connection, place.offset, &mut block);
        prop_assert_eq!(streams.identify(&block), Some(place));
        block[flip / 5] = FIRST_CHARACTER + ((block[flip / 5] - FIRST_CHARACTER) ^ 1 << (flip % 5));
        prop_assert_ne!(streams.identify(&block), Some(place));
    }
}
