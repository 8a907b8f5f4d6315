//! Growth over time, distinguished from noise.
//!
//! A pure function of the samples. It must not know where they come from.

use std::time::Duration;

/// Resources of the server at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Time since the start of the run.
    pub(crate) at: Duration,
    /// Resident memory in bytes, including pages of files. It is shown and not evaluated, because a page of the
    /// program counts only after its first use.
    pub(crate) resident: u64,
    /// Heap and stacks in bytes.
    pub(crate) anonymous: u64,
    /// Number of open descriptors.
    pub(crate) descriptors: usize,
}

/// Growth of one resource during the evaluated time, according to its slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    /// Growth.
    pub(crate) grown: f64,
    /// Maximum growth that is not a leak.
    pub(crate) allowed: f64,
}

/// Growth of memory and descriptors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Evaluation {
    /// Time from the end of the warm-up to the last sample.
    pub(crate) over: Duration,
    /// In bytes.
    pub(crate) memory: Growth,
    pub(crate) descriptors: Growth,
}

/// Share of the run that is not evaluated: buffers and the arenas of the allocator grow until they have reached
/// their maximum once.
const WARM_UP: f64 = 0.25;

/// Minimum number of samples for a slope.
const MIN_SAMPLES: usize = 12;

/// Share of all pairs of samples that reach the slope. With one half (the Theil-Sen slope), outliers such as a flood
/// have no effect. With three fifths, a single step has no effect either: it lies between at most half of all pairs.
const REACHED_BY: (usize, usize) = (3, 5);

/// Allowed growth of the heap in bytes. It does not depend on the duration, so that a longer run finds a smaller
/// leak.
///
/// The two buffers of the log keep the memory of the longest backlog: up to 1 MiB each under this load, and more if
/// the disk stalls. A leak of 100 bytes by each of 2,000 connections per second adds four times as much in a minute.
const MEMORY: f64 = 2.0 * 1024.0 * 1024.0;

/// Allowed growth of the number of descriptors. Dozens of peers connect and disconnect, so the slope is never exactly
/// zero. One lost descriptor per thousand connections adds four times as many in a minute. After all peers have left,
/// a separate check allows no difference at all.
const DESCRIPTORS: f64 = 20.0;

impl Growth {
    /// Returns true if the growth exceeds noise.
    pub(crate) fn is_leak(&self) -> bool {
        self.grown > self.allowed
    }
}

/// Evaluates samples in their order. Returns `None` if there are too few.
pub(crate) fn evaluate(samples: &[Sample]) -> Option<Evaluation> {
    let warm = samples.last()?.at.mul_f64(WARM_UP);
    let evaluated = &samples[samples.partition_point(|sample| sample.at < warm)..];
    let ([first, .., last], MIN_SAMPLES..) = (evaluated, evaluated.len()) else { return None };
    let over = last.at.saturating_sub(first.at);
    let growth = |figure: fn(&Sample) -> u64, allowed| {
        let points =
            evaluated.iter().map(|sample| (sample.at.as_secs_f64(), as_f64(figure(sample))));
        Growth { grown: slope(&points.collect::<Vec<_>>()) * over.as_secs_f64(), allowed }
    };
    Some(Evaluation {
        over,
        memory: growth(|sample| sample.anonymous, MEMORY),
        descriptors: growth(|sample| sample.descriptors as u64, DESCRIPTORS),
    })
}

/// Returns the slope that [`REACHED_BY`] of all pairs of points reach.
fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs = points.iter().enumerate().flat_map(|(at, (x, y))| {
        points[at + 1..].iter().map(move |(later_x, later_y)| (later_y - y) / (later_x - x))
    });
    let mut slopes: Vec<f64> = pairs.filter(|slope| slope.is_finite()).collect();
    slopes.sort_by(|one, other| other.total_cmp(one));
    slopes.get(slopes.len() * REACHED_BY.0 / REACHED_BY.1).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "no memory has 2^53 bytes")]
pub(crate) fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use ::tests::payload::Random;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Returns one sample per second, with the values that `memory` and `descriptors` return for it.
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

    /// Returns whether memory leaks and whether descriptors leak.
    fn leaks(samples: &[Sample]) -> (bool, bool) {
        let evaluation = evaluate(samples).expect("enough samples");
        (evaluation.memory.is_leak(), evaluation.descriptors.is_leak())
    }

    #[test]
    fn constant_resources_have_no_slope() {
        let evaluation = evaluate(&samples(60, |_| 5 * MIB, |_| 80)).unwrap();
        assert_eq!((evaluation.memory.grown, evaluation.descriptors.grown), (0.0, 0.0));
        assert_eq!(evaluation.over, Duration::from_secs(45));
        assert!(!evaluation.memory.is_leak() && !evaluation.descriptors.is_leak());
    }

    #[test]
    fn noise_is_not_a_leak() {
        for seed in 0..200 {
            let (mut memory, mut descriptors) = (Random::new(seed), Random::new(!seed));
            let noise = |random: &mut Random, max: u64| random.number() % max;
            let measured = samples(
                60,
                |_| 5 * MIB + noise(&mut memory, 2 * MIB),
                |_| {
                    // About every tenth sample is taken during a flood.
                    let flood = if noise(&mut descriptors, 10) == 0 { 170 } else { 0 };
                    80 + noise(&mut descriptors, 40) + flood
                },
            );
            assert_eq!(leaks(&measured), (false, false), "seed {seed}: {:?}", evaluate(&measured));
        }
    }

    #[test]
    fn a_slow_leak_is_found_in_noise() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            // 2,000 connections per second lose 100 bytes each.
            let leaking = samples(60, |at| 5 * MIB + at * 200_000 + random.number() % MIB, |_| 80);
            assert_eq!(leaks(&leaking), (true, false), "seed {seed}: {:?}", evaluate(&leaking));
            // One descriptor per thousand connections is lost.
            let leaking = samples(60, |_| 5 * MIB, |at| 80 + at * 2 + random.number() % 40);
            assert_eq!(leaks(&leaking), (false, true), "seed {seed}: {:?}", evaluate(&leaking));
        }
    }

    #[test]
    fn a_leak_is_found_in_a_run_of_any_length() {
        for seconds in [60, 600, 1800] {
            let leaking = samples(seconds, |at| 5 * MIB + at * 200_000, |at| 80 + at * 2);
            assert_eq!(leaks(&leaking), (true, true), "{seconds} s");
        }
    }

    #[test]
    fn growth_during_the_warm_up_is_not_a_leak() {
        let warming = |at: u64| 2 * MIB + at.min(14) * MIB;
        assert_eq!(leaks(&samples(60, warming, |at| 20 + 10 * at.min(14))), (false, false));
        assert!(!leaks(&samples(60, |at| if at < 8 { MIB } else { 99 * MIB }, |_| 80)).0);
    }

    #[test]
    fn one_step_is_not_a_leak_and_a_staircase_is() {
        for step in 16..60 {
            let stepped = samples(60, |at| if at < step { 5 * MIB } else { 20 * MIB }, |_| 80);
            assert_eq!(leaks(&stepped), (false, false), "at {step} s");
        }
        assert!(leaks(&samples(60, |at| 5 * MIB + at / 5 * MIB, |_| 80)).0);
    }

    #[test]
    fn a_few_samples_are_too_few_to_evaluate() {
        assert_eq!(evaluate(&[]), None);
        assert_eq!(evaluate(&samples(14, |at| at * MIB, |_| 80)), None);
        assert!(evaluate(&samples(16, |_| MIB, |_| 80)).is_some());
    }
}
