//! Mechanisms of SASL. Without the feature `login` there are none.

#[cfg(feature = "login")]
pub(crate) use common::login::Mechanism;

#[cfg(not(feature = "login"))]
pub(crate) use absent::Mechanism;

/// Returns whether a mechanism logs in with the certificate of the client.
pub(crate) fn is_external(mechanism: Mechanism) -> bool {
    #[cfg(feature = "login")]
    return mechanism == Mechanism::External;
    #[cfg(not(feature = "login"))]
    match mechanism {}
}

#[cfg(not(feature = "login"))]
mod absent {
    use std::{fmt, str::FromStr};

    /// Never exists.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Mechanism {}

    impl Mechanism {
        pub(crate) fn needs_tls(self) -> bool {
            match self {}
        }
    }

    impl FromStr for Mechanism {
        type Err = &'static str;

        fn from_str(_: &str) -> Result<Self, &'static str> {
            Err("this program was built without login; build it with the feature 'login'")
        }
    }

    impl fmt::Display for Mechanism {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }
}
