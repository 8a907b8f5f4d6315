//! Whether a worker that has nothing to do looks for more for a moment before it sleeps.
//!
//! A sleep and a wake cost more than an echo. Where the next bytes come within microseconds, as from
//! a lone client that waits for each reply, looking for them is cheaper than sleeping, and much
//! faster. Everywhere else it is a waste, and where threads outnumber cores it takes the time from
//! those who would send the next bytes. So a worker looks only while that would lately have paid, and
//! stops at once when it finds that it has kept somebody from a core.
//!
//! It knows neither polls nor clocks: it is told what happened and how long it took.

use std::time::Duration;

use crate::limits::{SPIN, SPIN_AFTER, SPIN_KEPT_OFF, SPIN_PENANCE};

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
    /// Rounds in a row that came soon enough after the one before to have been worth looking for.
    soon: u32,
    /// Rounds to sit out.
    penance: u32,
}

impl Spinner {
    pub(crate) fn new(spin: Spin) -> Self {
        Self { spin, soon: 0, penance: 0 }
    }

    /// A round begins, so long after the one before.
    pub(crate) fn round(&mut self, after: Duration) {
        self.penance = self.penance.saturating_sub(1);
        self.soon = if after <= SPIN { self.soon.saturating_add(1) } else { 0 };
    }

    /// How long to look before sleeping; `None` for not at all.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.spin {
            Spin::Auto => (self.penance == 0 && self.soon >= SPIN_AFTER).then_some(SPIN),
            Spin::Off => None,
            Spin::For(time) => Some(time),
        }
    }

    /// It looked in vain; the last look took so long.
    pub(crate) fn missed(&mut self, last_look: Duration) {
        self.soon = 0;
        if last_look >= SPIN_KEPT_OFF {
            self.penance = SPIN_PENANCE;
        }
    }

    /// Whether a look that took so long means that somebody else wanted the core.
    pub(crate) fn is_kept_off(&self, look: Duration) -> bool {
        self.spin == Spin::Auto && look >= SPIN_KEPT_OFF
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_micros(10);
    const LATE: Duration = Duration::from_secs(1);

    fn after(rounds: impl IntoIterator<Item = Duration>) -> Spinner {
        let mut spinner = Spinner::new(Spin::Auto);
        rounds.into_iter().for_each(|after| spinner.round(after));
        spinner
    }

    #[test]
    fn it_looks_while_bytes_have_lately_come_soon() {
        assert_eq!(after([]).patience(), None);
        assert_eq!(after(vec![SOON; SPIN_AFTER as usize]).patience(), Some(SPIN));
        assert_eq!(
            after(vec![SOON; SPIN_AFTER as usize].into_iter().chain([LATE])).patience(),
            None
        );
    }

    #[test]
    fn a_vain_look_is_the_last_until_bytes_come_soon_again() {
        let mut spinner = after(vec![SOON; 100]);
        spinner.missed(SOON);
        assert_eq!(spinner.patience(), None);
        (0..SPIN_AFTER).for_each(|_| spinner.round(SOON));
        assert_eq!(spinner.patience(), Some(SPIN));
    }

    #[test]
    fn who_has_kept_somebody_from_a_core_sits_out() {
        let mut spinner = after(vec![SOON; 100]);
        assert!(spinner.is_kept_off(SPIN_KEPT_OFF));
        spinner.missed(SPIN_KEPT_OFF);
        (1..SPIN_PENANCE).for_each(|_| spinner.round(SOON));
        assert_eq!(spinner.patience(), None);
        spinner.round(SOON);
        assert_eq!(spinner.patience(), Some(SPIN));
    }

    #[test]
    fn off_is_off_and_a_time_is_that_time() {
        let mut never = Spinner::new(Spin::Off);
        (0..100).for_each(|_| never.round(SOON));
        assert_eq!(never.patience(), None);
        assert_eq!(Spinner::new(Spin::For(LATE)).patience(), Some(LATE));
    }
}
