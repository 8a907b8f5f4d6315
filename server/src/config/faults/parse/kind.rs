//! The parser of a fault with its figures.

use super::values::{SIZE, SizeError, block, duration, positive_size, rate, share, size, whole};
use crate::config::faults::{
    kind::{FaultKind, Jitter},
    share::Share,
};

/// Parses the value of a fault. The share of `refuse` is its value, and is returned apart.
///
/// # Errors
///
/// The expected form.
pub(super) fn kind(name: &str, value: &str) -> Result<(FaultKind, Option<Share>), String> {
    let kind = match name {
        "delay" => FaultKind::Delay(duration(value)?),
        "jitter" => jitter(value)?,
        "throttle" => FaultKind::Throttle(rate(value)?),
        "drip" => drip(value)?,
        "stall-after" => stall(value)?,
        "reset-after" => FaultKind::ResetAfter(place(value)?),
        "close-after" => FaultKind::CloseAfter(place(value)?),
        "half-close-after" => FaultKind::HalfCloseAfter(place(value)?),
        "truncate" => FaultKind::Truncate(place(value)?),
        "refuse" => return share(value).map(|share| (FaultKind::Refuse, Some(share))),
        "accept-delay" => FaultKind::AcceptDelay(duration(value)?),
        "corrupt" => FaultKind::Corrupt(block(value)?),
        "drop" => FaultKind::Drop(share(value)?),
        "duplicate" => FaultKind::Duplicate(share(value)?),
        "reorder" => FaultKind::Reorder(share(value)?),
        "split" => split(value)?,
        "coalesce" => FaultKind::Coalesce(duration(value)?),
        "no-close-notify" => on(value, FaultKind::NoCloseNotify)?,
        "handshake-stall" => FaultKind::HandshakeStall(duration(value)?),
        "bad-mask" => bad_mask(value)?,
        "close-code" => close_code(value)?,
        "login-wrong-proof" => on(value, FaultKind::LoginWrongProof)?,
        _ => return Err(format!("unknown fault; the faults are {}", joined_names())),
    };
    Ok((kind, None))
}

/// Returns the names of all faults, for messages.
pub(super) fn joined_names() -> String {
    FaultKind::names().collect::<Vec<_>>().join(", ")
}

fn on(value: &str, kind: FaultKind) -> Result<FaultKind, String> {
    (value == "on").then_some(kind).ok_or_else(|| "expected on or off".to_owned())
}

fn jitter(value: &str) -> Result<FaultKind, String> {
    let (spread, distribution) = value.split_once(':').unwrap_or((value, "uniform"));
    let all = [Jitter::Uniform, Jitter::Normal, Jitter::Exponential, Jitter::Pareto];
    let distribution = all.into_iter().find(|jitter| jitter.name() == distribution);
    let distribution = distribution.ok_or(
        "expected a duration and one of uniform, normal, exponential and pareto, like 20ms:normal",
    )?;
    Ok(FaultKind::Jitter { spread: duration(spread)?, distribution })
}

/// Parses the number of bytes before a fault.
fn place(value: &str) -> Result<u64, String> {
    size(value).map_err(|error| error.message(SIZE))
}

fn drip(value: &str) -> Result<FaultKind, String> {
    let drip = || {
        let (bytes, every) = value.split_once('/').ok_or(SizeError::Form)?;
        let every = duration(every).ok().filter(|every| !every.is_zero());
        let (bytes, every) = (positive_size(bytes)?, every.ok_or(SizeError::Form)?);
        Ok(FaultKind::Drip { bytes, every })
    };
    drip().map_err(|error: SizeError| {
        error
            .message("expected a size of at least 1B and a duration longer than zero, like 1B/10ms")
    })
}

fn stall(value: &str) -> Result<FaultKind, String> {
    let stall = || {
        let (bytes, time) = value.split_once(':').ok_or(SizeError::Form)?;
        let (bytes, time) = (size(bytes)?, duration(time).map_err(|_| SizeError::Form)?);
        Ok(FaultKind::StallAfter { bytes, time })
    };
    stall().map_err(|error: SizeError| error.message("expected a size and a duration, like 1MB:5s"))
}

fn split(value: &str) -> Result<FaultKind, String> {
    let split = || {
        let (min, max) = value.split_once("..").unwrap_or((value, value));
        let (min, max) = (positive_size(min)?, positive_size(max)?);
        if min > max { Err(SizeError::Form) } else { Ok(FaultKind::Split { min, max }) }
    };
    split().map_err(|error| {
        error.message("expected the shortest and the longest segment, at least 1 byte, like 1..7, or one size for both")
    })
}

fn bad_mask(value: &str) -> Result<FaultKind, String> {
    let after = if value == "on" { Some(0) } else { whole(value) };
    let after = after.ok_or("expected on, or the number of messages before it")?;
    Ok(FaultKind::BadMask(after))
}

fn close_code(value: &str) -> Result<FaultKind, String> {
    let (code, after) = value.split_once(':').unwrap_or((value, "0"));
    let code = whole(code).and_then(|code| u16::try_from(code).ok());
    let (code, after) = code.zip(whole(after)).ok_or(
        "expected a code from 0 to 65535, like 1002, or a code and the number of messages before it, like 1002:5",
    )?;
    Ok(FaultKind::CloseCode { code, after })
}
