//! The check of all faults of a listener.

#[cfg(any(feature = "admin", feature = "cli"))]
use super::scope::FaultTransport;
use super::{pairs, scope::FaultScope, single};
#[cfg(any(feature = "admin", feature = "cli"))]
use crate::config::faults::FaultParameters;
use crate::config::{
    faults::{FaultRule, Faults},
    listener::Listener,
};

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
        self.check_in(FaultScope::of(listener), |rule| format!("'{rule}'"))
    }

    /// Checks that a listener with these properties can have these faults. `name` returns the name of a fault for messages.
    pub(super) fn check_in(
        &self,
        scope: FaultScope,
        name: impl Fn(&FaultRule) -> String,
    ) -> Result<(), String> {
        if self.rules.is_empty() && self.seed.is_some() {
            return Err("'fault-seed' needs a fault, such as delay=50ms".to_owned());
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let refuse = |reason: String| format!("{}: {reason}", name(rule));
            single::check(rule).map_err(refuse)?;
            scope.check(&rule.kind).map_err(refuse)?;
            for other in &self.rules[..index] {
                if let Some(reason) = pairs::contradiction(other, rule) {
                    let (rule, other) = (name(rule), name(other));
                    return Err(format!("{rule} cannot be used with {other}: {reason}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(any(feature = "admin", feature = "cli"))]
impl FaultParameters {
    /// Returns the faults of a listener with these properties. `None`: no parameter is set.
    ///
    /// # Errors
    ///
    /// Why the listener cannot have them. The message has a fault as it was typed.
    pub(crate) fn checked(&self, scope: FaultScope) -> Result<Option<Faults>, String> {
        let faults = self.faults(scope.transport == FaultTransport::Udp)?;
        if let Some(faults) = &faults {
            faults.check_in(scope, |rule| self.shown(rule))?;
        }
        Ok(faults)
    }
}
