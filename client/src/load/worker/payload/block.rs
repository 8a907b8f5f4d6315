//! Block of 32 bytes that starts with its own position.

use common::split_mix::finalize;

/// Length of a block, which is generated from one number.
pub(crate) const BLOCK_LEN: usize = 32;

/// Length of the name at the start of a block: its position and its connection.
pub(crate) const NAME_LEN: usize = 16;

/// Maximum number of connections of a run: a name holds no more.
pub(crate) const MAX_CONNECTIONS: u64 = 1 << (HALF_BITS - CHECK_BITS);

/// First of the 32 characters of the payload.
pub(super) const FIRST_CHARACTER: u8 = b'!';

/// Returns `true` if a byte is one of the characters of the payload.
pub(crate) fn is_character(byte: u8) -> bool {
    byte.wrapping_sub(FIRST_CHARACTER) < 32
}

/// Bits in half of a name: five in each of eight characters.
pub(super) const HALF_BITS: u32 = 40;

/// Bits that verify the half of a name that holds the connection.
const CHECK_BITS: u32 = 16;

const MASK_40: u64 = (1 << HALF_BITS) - 1;

const CHECK_MASK: u64 = (1 << CHECK_BITS) - 1;

/// Digits that make the second half of a block differ from its first half, and from a name.
const FILLER: [u64; 2] = [0x150b_1e07_0d12_0319, 0x081a_0311_1f06_160d];

/// Addend that turns eight digits into characters.
const CHARACTERS: u64 = u64::from_ne_bytes([FIRST_CHARACTER; 8]);

/// Position in the stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the connection.
    pub(crate) connection: u64,
    /// Offset in its stream.
    pub(crate) offset: u64,
}

/// Generator of the blocks of one connection.
pub(super) struct BlockGenerator {
    key: u64,
    owner: u64,
}

impl BlockGenerator {
    pub(super) fn new(seed: u64, connection: u64) -> Self {
        let key = key(seed, connection);
        Self { key, owner: owner(key, connection) }
    }

    /// Generates the block with this number.
    #[inline]
    pub(super) fn block(&self, number: u64) -> [u8; BLOCK_LEN] {
        let position = spread(scatter(number ^ self.key));
        // The owner's digits are combined with the position's: otherwise half of every block would be
        // equal.
        let name = [position, position ^ self.owner];
        // The second half adds no information, and costs little.
        let words = [name[0], name[1], name[1] ^ FILLER[0], name[0] ^ FILLER[1]];
        let mut block = [0; BLOCK_LEN];
        for (bytes, word) in block.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&(word + CHARACTERS).to_le_bytes());
        }
        block
    }
}

/// Decodes a name; returns `None` if it is not the name of a block of this seed.
pub(super) fn parse_name(seed: u64, name: &[u8; NAME_LEN]) -> Option<Position> {
    let digits = |half: [u8; 8]| {
        let digits = half.map(|byte| byte.wrapping_sub(FIRST_CHARACTER));
        digits.iter().all(|&digit| digit < 32).then(|| u64::from_le_bytes(digits))
    };
    let position = digits(*name.first_chunk()?)?;
    let found_owner = digits(*name.last_chunk()?)? ^ position;
    let connection = gather(found_owner) >> CHECK_BITS;
    let key = key(seed, connection);
    let number = unscatter(gather(position)) ^ key;
    let place = Position { connection, offset: number * BLOCK_LEN as u64 };
    (found_owner == owner(key, connection)).then_some(place)
}

/// Returns the digits of a connection.
fn owner(key: u64, connection: u64) -> u64 {
    spread(connection << CHECK_BITS | key & CHECK_MASK)
}

/// Returns a key that makes the digits of connections, and of runs with different seeds, differ.
fn key(seed: u64, connection: u64) -> u64 {
    finalize(connection ^ seed) & MASK_40
}

/// Spreads 40 bits over eight bytes, five bits each: the digits.
fn spread(bits: u64) -> u64 {
    // 20 bits to each half, then 10 to each quarter, then 5 to each byte.
    let halves = bits & 0xf_ffff | (bits & 0xff_fff0_0000) << 12;
    let quarters = halves & 0x0000_03ff_0000_03ff | (halves & 0x000f_fc00_000f_fc00) << 6;
    quarters & 0x001f_001f_001f_001f | (quarters & 0x03e0_03e0_03e0_03e0) << 3
}

/// Reverses [`spread`].
fn gather(digits: u64) -> u64 {
    digits.to_le_bytes().iter().rev().fold(0, |bits, &digit| bits << 5 | u64::from(digit))
}

/// Odd factor, so that the multiplication can be reversed: 40 bits of the golden ratio.
const SCATTER: u64 = 0x9e_3779_b97f;

/// Inverse of [`SCATTER`] modulo 2^40.
const UNSCATTER: u64 = 0x4c_19bc_067f;

const _: () = assert!(SCATTER.wrapping_mul(UNSCATTER) & MASK_40 == 1);

/// Makes adjacent numbers of 40 bits differ in nearly every digit.
fn scatter(number: u64) -> u64 {
    let product = number.wrapping_mul(SCATTER) & MASK_40;
    product ^ product >> (HALF_BITS / 2)
}

/// Reverses [`scatter`].
fn unscatter(scattered: u64) -> u64 {
    (scattered ^ scattered >> (HALF_BITS / 2)).wrapping_mul(UNSCATTER) & MASK_40
}
