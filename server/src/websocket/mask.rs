//! The mask of a payload (RFC 6455, section 5.3).

/// Removes the mask from `bytes[from..from + len]`, and moves the result to `bytes[to..]`, where `to <= from`. Returns the
/// mask for the bytes after these.
pub(super) fn unmask(
    bytes: &mut [u8],
    from: usize,
    to: usize,
    len: usize,
    mask: [u8; 4],
) -> [u8; 4] {
    debug_assert!(to <= from, "the header of the server is shorter");
    if to < from {
        bytes.copy_within(from..from + len, to);
    }
    let word = u32::from_ne_bytes(mask);
    let double = u64::from(word) << 32 | u64::from(word);
    let (words, rest) = bytes[to..to + len].as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ double).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let mut next = mask;
    next.rotate_left(len % 4);
    next
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_unmasked_like_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            mask: [u8; 4],
            at in 0..100_usize,
            shift in 0..9_usize,
        ) {
            let at = at.min(bytes.len());
            let expected: Vec<u8> =
                bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
            let mut buffer = [vec![0; shift], bytes.clone()].concat();
            let rest = unmask(&mut buffer, shift, 0, at, mask);
            unmask(&mut buffer, shift + at, at, bytes.len() - at, rest);
            prop_assert_eq!(&buffer[..bytes.len()], &expected[..]);
        }
    }
}
