//! The check of all faults of a listener.

use super::{pairs, scope::FaultScope, single};
use crate::config::{faults::Faults, listener::Listener};

impl Faults {
    /// Checks that a listener can have these faults.
    ///
    /// # Errors
    ///
    /// The fault that contradicts another one or the listener, and the reason.
    ///
    /// ```
    /// use server::{Faults, Listener};
    ///
    /// let faults: Faults = "delay=50ms&no-close-notify=on".parse()?;
    /// let error = faults.check(&Listener::tcp("127.0.0.1", 0)).unwrap_err();
    /// assert!(error.starts_with("'no-close-notify=on': it needs TLS"));
    /// # Ok::<(), String>(())
    /// ```
    pub fn check(&self, listener: &Listener) -> Result<(), String> {
        self.check_in(FaultScope::of(listener))
    }

    /// Checks that a listener with these properties can have these faults.
    pub(crate) fn check_in(&self, scope: FaultScope) -> Result<(), String> {
        if self.rules.is_empty() && self.seed.is_some() {
            return Err("'fault-seed' needs a fault, such as delay=50ms".to_owned());
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let refuse = |reason: String| format!("'{rule}': {reason}");
            single::check(rule).map_err(refuse)?;
            scope.check(&rule.kind).map_err(refuse)?;
            for other in &self.rules[..index] {
                if let Some(reason) = pairs::contradiction(other, rule) {
                    return Err(format!("'{rule}' cannot be used with '{other}': {reason}"));
                }
            }
        }
        Ok(())
    }
}
