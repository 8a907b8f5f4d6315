//! What becomes of messages: the log shows them, the history records them, both, or neither.

/// The switches for messages in one byte, so that the path of a message needs one test for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recording(u8);

const LOG: u8 = 1;
const HISTORY: u8 = 2;

impl Recording {
    pub(crate) const fn new(log: bool, history: bool) -> Self {
        Self((if log { LOG } else { 0 }) | (if history { HISTORY } else { 0 }))
    }

    /// Returns the same with the log switched on or off.
    pub(crate) const fn with_log(self, log: bool) -> Self {
        Self::new(log, self.0 & HISTORY != 0)
    }

    pub(super) fn is_any(self) -> bool {
        self.0 != 0
    }

    pub(super) fn is_log(self) -> bool {
        self.0 & LOG != 0
    }

    pub(super) fn is_history(self) -> bool {
        self.0 & HISTORY != 0
    }
}

impl From<bool> for Recording {
    /// The log alone.
    fn from(log: bool) -> Self {
        Self::new(log, false)
    }
}
