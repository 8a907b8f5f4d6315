//! All faults of a listener.

use std::fmt;

use super::rule::FaultRule;

/// Faults that a listener injects into its connections, or into its datagrams.
///
/// The seed and the number of a connection determine all random choices, so a run with the same seed has the same faults at
/// the same bytes.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use server::{FaultKind, FaultRule, Faults, Listener};
///
/// let mut faults = Faults::default();
/// faults.rules.push(FaultRule::always(FaultKind::Delay(Duration::from_millis(50))));
/// let mut listener = Listener::tcp("127.0.0.1", 0);
/// listener.options.faults = Some(Arc::new(faults));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Seed of all random choices. `None`: the server chooses one, and logs it.
    pub seed: Option<u64>,
    /// The faults, at most one rule of each kind.
    pub rules: Vec<FaultRule>,
}

impl fmt::Display for Faults {
    /// Writes the parameters of a listener's URL: `delay=50ms&reset-after=1MB@5%&fault-seed=7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.rules.iter().enumerate() {
            let separator = if index == 0 { "" } else { "&" };
            write!(f, "{separator}{rule}")?;
        }
        if let Some(seed) = self.seed {
            let separator = if self.rules.is_empty() { "" } else { "&" };
            write!(f, "{separator}fault-seed={seed}")?;
        }
        Ok(())
    }
}
