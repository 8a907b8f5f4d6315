//! Whether a worker that has nothing to do looks for more for a moment before it sleeps.
//!
//! A sleep and a wake cost more than an echo. Where the next bytes come within microseconds, as from
//! a lone client that waits for each reply, looking for them is cheaper than sleeping, and much
//! faster. Everywhere else it is a waste, and where threads outnumber cores it takes the time from
//! those who would send the next bytes. Which it is only shows when it is tried, because a client that
//! is answered sooner asks sooner. So a worker looks, goes on while that finds something, and after a
//! vain look rests for some rounds: for twice as many each time, for half as many after each find. It
//! yields its core between two looks, and stops at once when somebody has taken it for long and still
//! nothing has come.
//!
//! It knows neither polls nor clocks: it is told what happened and how long it took.

use std::time::Duration;

use crate::limits::{SPIN, SPIN_KEPT_OFF, SPIN_LONGEST_REST, SPIN_REST};

/// How a worker waits for the next bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spin {
    /// It looks for them for a moment first, while that has lately paid.
    #[default]
    Auto,
    /// It sleeps at once.
    Off,
    /// It always looks for them for so long first.
    For(Duration),
}

/// One worker's judgement.
#[derive(Debug)]
pub(crate) struct Spinner {
    spin: Spin,
    /// Rounds to go before it looks again.
    resting: u32,
    /// Rounds to rest after the next vain look.
    rest: u32,
}

impl Spinner {
    pub(crate) fn new(spin: Spin) -> Self {
        Self { spin, resting: 0, rest: SPIN_REST }
    }

    /// A round begins.
    pub(crate) fn round(&mut self) {
        self.resting = self.resting.saturating_sub(1);
    }

    /// How long to look before sleeping; `None` for not at all.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.spin {
            Spin::Auto => (self.resting == 0).then_some(SPIN),
            Spin::Off => None,
            Spin::For(time) => Some(time),
        }
    }

    /// It looked, and found something.
    pub(crate) fn found(&mut self) {
        self.rest = (self.rest / 2).max(SPIN_REST);
    }

    /// It looked in vain.
    pub(crate) fn missed(&mut self) {
        self.resting = self.rest;
        self.rest = (self.rest * 2).min(SPIN_LONGEST_REST);
    }

    /// Whether a look that took so long means that somebody else wanted the core: then it is over.
    pub(crate) fn is_kept_off(&self, look: Duration) -> bool {
        self.spin == Spin::Auto && look >= SPIN_KEPT_OFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(1);

    /// How many rounds go by before it looks again.
    fn rests(spinner: &mut Spinner) -> u32 {
        let mut rounds = 0;
        while spinner.patience().is_none() {
            spinner.round();
            rounds += 1;
        }
        rounds
    }

    #[test]
    fn it_goes_on_looking_while_that_finds_something() {
        let mut spinner = Spinner::new(Spin::Auto);
        for _ in 0..1000 {
            assert_eq!(spinner.patience(), Some(SPIN));
            spinner.found();
            spinner.round();
        }
    }

    #[test]
    fn it_rests_twice_as_long_after_every_vain_look_and_half_as_long_after_a_find() {
        let mut spinner = Spinner::new(Spin::Auto);
        assert!(!spinner.is_kept_off(QUICK) && spinner.is_kept_off(SPIN_KEPT_OFF));
        for rest in [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096] {
            spinner.missed();
            assert_eq!(rests(&mut spinner), rest);
        }
        spinner.found();
        spinner.missed();
        assert_eq!(rests(&mut spinner), SPIN_LONGEST_REST / 2);
    }

    #[test]
    fn off_is_off_and_a_time_is_that_time() {
        assert_eq!(Spinner::new(Spin::Off).patience(), None);
        let mut always = Spinner::new(Spin::For(Duration::from_secs(1)));
        always.missed();
        assert_eq!(always.patience(), Some(Duration::from_secs(1)));
        assert!(!always.is_kept_off(SPIN_KEPT_OFF));
    }
}
