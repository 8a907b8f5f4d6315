//! Whether a server has kept still: growth over time, told from noise.
//!
//! A pure function of the samples. Must not know where they come from.

use std::time::Duration;

/// What the server held at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Since the soak began.
    pub(crate) at: Duration,
    /// All memory in use, in bytes, pages of files included: shown, not judged, because a page of the
    /// program counts from when it was first needed.
    pub(crate) resident: u64,
    /// Heap and stacks, in bytes.
    pub(crate) anonymous: u64,
    /// Open descriptors.
    pub(crate) descriptors: usize,
}

/// How much has been added to something in the judged time, by its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    /// What it came to.
    pub(crate) grown: f64,
    /// From how much on it is a leak.
    pub(crate) allowed: f64,
}

/// What became of memory and descriptors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judgement {
    /// From the end of the warm-up to the last sample.
    pub(crate) over: Duration,
    /// In bytes.
    pub(crate) memory: Growth,
    pub(crate) descriptors: Growth,
}

/// The first so many of the time are not judged: buffers, and the allocator's arenas, grow to what is
/// needed of them at the most, and it takes a while until that has been needed.
const WARM_UP: f64 = 0.25;

/// Fewer samples say nothing of a slope.
const FEWEST_SAMPLES: usize = 12;

/// Three in five. By half of all pairs, which is the slope of Theil and Sen, outliers do not matter, such
/// as the moments of a flood; with a few more a single step does not either, wherever it is: up to half
/// of all pairs have it between them.
const REACHED_BY: (usize, usize) = (3, 5);

/// Bytes of heap that may be added in the judged time, however long that is: what is flat stays flat,
/// and the longer a soak, the smaller the leak that it finds.
///
/// What is not flat is the log's room: its two buffers keep that of the longest backlog that there has
/// been, up to 1 MiB each under this load, and more where the disk stands still. A leak of 100 bytes by
/// each of 2,000 connections a second comes to four times as much in a soak of a minute.
const MEMORY: f64 = 2.0 * 1024.0 * 1024.0;

/// Descriptors that may be added in the judged time: peers come and go by dozens, so the slope is never
/// exactly zero. One lost in a thousand connections comes to four times as many in a soak of a minute.
/// Whether all are back when everybody has left is asked apart, and to the last one.
const DESCRIPTORS: f64 = 20.0;

impl Growth {
    /// Whether it is more than noise.
    pub(crate) fn is_leak(&self) -> bool {
        self.grown > self.allowed
    }
}

/// Judges samples, in their order; `None` if they are too few.
pub(crate) fn judge(samples: &[Sample]) -> Option<Judgement> {
    let warm = samples.last()?.at.mul_f64(WARM_UP);
    let judged = &samples[samples.partition_point(|sample| sample.at < warm)..];
    let ([first, .., last], FEWEST_SAMPLES..) = (judged, judged.len()) else { return None };
    let over = last.at.saturating_sub(first.at);
    let growth = |figure: fn(&Sample) -> u64, allowed| {
        let points = judged.iter().map(|sample| (sample.at.as_secs_f64(), as_f64(figure(sample))));
        Growth { grown: slope(&points.collect::<Vec<_>>()) * over.as_secs_f64(), allowed }
    };
    Some(Judgement {
        over,
        memory: growth(|sample| sample.anonymous, MEMORY),
        descriptors: growth(|sample| sample.descriptors as u64, DESCRIPTORS),
    })
}

/// The slope that [`REACHED_BY`] of all pairs of points reach.
fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(at, (x, y))| {
        points[at + 1..].iter().map(move |(later_x, later_y)| (later_y - y) / (later_x - x))
    });
    let mut slopes: Vec<f64> = pairs.filter(|slope| slope.is_finite()).collect();
    slopes.sort_by(|one, other| other.total_cmp(one));
    slopes.get(slopes.len() * REACHED_BY.0 / REACHED_BY.1).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "2^53 bytes are more than any memory")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use ::tests::payload::Random;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// A sample a second of what `memory` and `descriptors` say of that second.
    fn samples(
        seconds: u64,
        mut memory: impl FnMut(u64) -> u64,
        mut descriptors: impl FnMut(u64) -> u64,
    ) -> Vec<Sample> {
        let sample = |at| {
            let anonymous = memory(at);
            let descriptors = usize::try_from(descriptors(at)).unwrap();
            let at = Duration::from_secs(at);
            Sample { at, resident: anonymous + 3 * MIB, anonymous, descriptors }
        };
        (1..=seconds).map(sample).collect()
    }

    /// Whether memory, and whether descriptors leak.
    fn leaks(samples: &[Sample]) -> (bool, bool) {
        let judgement = judge(samples).expect("enough samples");
        (judgement.memory.is_leak(), judgement.descriptors.is_leak())
    }

    #[test]
    fn what_is_flat_has_no_slope() {
        let judgement = judge(&samples(60, |_| 5 * MIB, |_| 80)).unwrap();
        assert_eq!((judgement.memory.grown, judgement.descriptors.grown), (0.0, 0.0));
        assert_eq!(judgement.over, Duration::from_secs(45));
        assert!(!judgement.memory.is_leak() && !judgement.descriptors.is_leak());
    }

    #[test]
    fn noise_is_no_leak() {
        for seed in 0..200 {
            let (mut memory, mut descriptors) = (Random::new(seed), Random::new(!seed));
            let noise = |random: &mut Random, most: u64| random.number() % most;
            let restless = samples(
                60,
                |_| 5 * MIB + noise(&mut memory, 2 * MIB),
                |_| {
                    // Every tenth sample or so falls into a flood.
                    let flood = if noise(&mut descriptors, 10) == 0 { 170 } else { 0 };
                    80 + noise(&mut descriptors, 40) + flood
                },
            );
            assert_eq!(leaks(&restless), (false, false), "seed {seed}: {:?}", judge(&restless));
        }
    }

    #[test]
    fn a_slow_leak_beneath_noise_is_found() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            // 2,000 connections a second that lose 100 bytes each.
            let leaking = samples(60, |at| 5 * MIB + at * 200_000 + random.number() % MIB, |_| 80);
            assert_eq!(leaks(&leaking), (true, false), "seed {seed}: {:?}", judge(&leaking));
            // One descriptor of each thousand.
            let leaking = samples(60, |_| 5 * MIB, |at| 80 + at * 2 + random.number() % 40);
            assert_eq!(leaks(&leaking), (false, true), "seed {seed}: {:?}", judge(&leaking));
        }
    }

    #[test]
    fn a_leak_is_found_however_long_the_soak_is() {
        for seconds in [60, 600, 1800] {
            let leaking = samples(seconds, |at| 5 * MIB + at * 200_000, |at| 80 + at * 2);
            assert_eq!(leaks(&leaking), (true, true), "{seconds} s");
        }
    }

    #[test]
    fn what_grows_in_the_warm_up_only_is_no_leak() {
        let warming = |at: u64| 2 * MIB + at.min(14) * MIB;
        assert_eq!(leaks(&samples(60, warming, |at| 20 + 10 * at.min(14))), (false, false));
        assert!(!leaks(&samples(60, |at| if at < 8 { MIB } else { 99 * MIB }, |_| 80)).0);
    }

    #[test]
    fn one_step_is_no_leak_but_a_staircase_is() {
        for step in 16..60 {
            let stepped = samples(60, |at| if at < step { 5 * MIB } else { 20 * MIB }, |_| 80);
            assert_eq!(leaks(&stepped), (false, false), "at {step} s");
        }
        assert!(leaks(&samples(60, |at| 5 * MIB + at / 5 * MIB, |_| 80)).0);
    }

    #[test]
    fn a_few_samples_say_nothing() {
        assert_eq!(judge(&[]), None);
        assert_eq!(judge(&samples(14, |at| at * MIB, |_| 80)), None);
        assert!(judge(&samples(16, |_| MIB, |_| 80)).is_some());
    }
}
