//! Description of damaged bytes.

/// Maximum number of bytes of either side in a description.
pub(in crate::load::worker) const MAX_SHOWN: usize = 32;

/// Describes bytes that belong to no stream of the run.
pub(in crate::load::worker) fn describe_damage(expected: &[u8], received: &[u8]) -> String {
    match (expected, received) {
        ([expected], [received]) if (expected ^ received).is_power_of_two() => {
            let bit = (expected ^ received).trailing_zeros();
            format!("one byte is damaged (bit {bit} of it)")
        }
        (_, [_]) => "one byte is damaged".to_owned(),
        _ => format!("{} bytes are damaged: they belong to no stream of this run", received.len()),
    }
}
