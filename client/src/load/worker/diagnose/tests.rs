use super::*;

const CONNECTIONS: u64 = 40;

fn wire(streams: &Streams, connection: u64, lines: usize) -> Vec<Vec<u8>> {
    let cursor = streams.cursor(connection);
    let len = cursor.bytes_of(streams, lines as u64);
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    streams.fill(&cursor, &mut bytes);
    bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Explains what came back for connection 7.
fn judged(streams: &Streams, came: &[u8]) -> Fault {
    let right = wire(streams, 7, 100).concat();
    let at = right.iter().zip(came).position(|(one, other)| one != other).unwrap();
    let mut expected = streams.cursor(7);
    expected.advance(streams, at as u64);
    let evidence = &came[at..came.len().min(at + enough_evidence(64))];
    explain(streams, &expected, CONNECTIONS, evidence)
}

/// Every lie, with long lines whose blocks can be read, and with ones too short for that.
fn for_sizes(lie: impl Fn(Streams)) {
    for seed in 0..40 {
        lie(Streams::new(seed, 10..=30));
    }
    lie(Streams::new(11, 64..=64));
    lie(Streams::new(12, 20..=90));
    lie(Streams::new(13, 10..=10));
}

#[test]
fn a_refusal_is_no_riddle() {
    let streams = Streams::new(1, 64..=64);
    let said = b"Server is full: it serves 1 connection at most. Try again later.\r\n";
    let fault = explain(&streams, &streams.cursor(7), 8, said);
    assert_eq!(
        fault.text,
        "connection 7: the server has no room for it, and says 'Server is full: it serves 1 \
         connection at most. Try again later.'"
    );
}

#[test]
fn a_flipped_bit_is_damage() {
    for_sizes(|streams| {
        let mut came = wire(&streams, 7, 40).concat();
        came[133] ^= 4;
        let fault = judged(&streams, &came);
        assert_eq!((fault.kind, fault.connection, fault.offset), (FaultKind::Damaged, 7, 133));
        assert!(fault.text.contains("one byte is damaged (bit 2 of it)"), "{}", fault.text);
    });
}

#[test]
fn a_dropped_byte_and_a_dropped_line_are_skipped() {
    for_sizes(|streams| {
        let mut came = wire(&streams, 7, 60).concat();
        came.remove(101);
        let fault = judged(&streams, &came);
        assert_eq!(fault.kind, FaultKind::Skipped, "{}", fault.text);
        assert!(fault.text.contains(": missing: 1 byte;"), "{}", fault.text);

        let mut lines = wire(&streams, 7, 60);
        let dropped = lines.remove(5).len();
        let fault = judged(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Skipped, "{}", fault.text);
        assert!(fault.text.contains(&format!(": missing: {dropped} bytes;")), "{}", fault.text);
    });
}

#[test]
fn a_line_that_comes_twice_is_repeated() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines.insert(5, lines[4].clone());
        let fault = judged(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Repeated, "{}", fault.text);
    });
}

#[test]
fn swapped_lines_are_reordered() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines.swap(5, 6);
        let fault = judged(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Reordered, "{}", fault.text);
    });
}

#[test]
fn another_connections_lines_are_foreign_and_named() {
    for_sizes(|streams| {
        let mut lines = wire(&streams, 7, 60);
        lines[5] = wire(&streams, 21, 60)[5].clone();
        let fault = judged(&streams, &lines.concat());
        assert_eq!(fault.kind, FaultKind::Foreign, "{}", fault.text);
        assert!(fault.text.contains("bytes of connection 21"), "{}", fault.text);
    });
}

#[test]
fn bytes_that_nobody_sent_in_between_are_damage() {
    for_sizes(|streams| {
        let mut came = wire(&streams, 7, 60).concat();
        came.splice(133..133, *b"GARBAGE GARBAGE");
        let fault = judged(&streams, &came);
        assert_eq!(fault.kind, FaultKind::Damaged, "{}", fault.text);
    });
}

#[test]
fn bytes_of_nobody_are_damage_and_shown_escaped() {
    for_sizes(|streams| {
        let mut came = wire(&streams, 7, 3).concat();
        came.extend(b"\x1b[2JServer is full\r\n");
        let fault = judged(&streams, &came);
        assert_eq!(fault.kind, FaultKind::Damaged);
        assert!(fault.text.contains(r"received '\x1b[2JServer is full\r\n'"), "{}", fault.text);
    });
}
