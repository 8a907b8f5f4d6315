//! Rates.

/// Returns a rate, or zero if nothing was measured.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(crate) fn per_second(number: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { number as f64 / seconds } else { 0.0 }
}
