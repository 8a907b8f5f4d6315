//! The properties of a listener that its faults require.

use common::endpoint::Endpoint;
#[cfg(feature = "login")]
use common::login::Mechanism;

#[cfg(feature = "login")]
use crate::config::listener::Login;
use crate::config::{
    faults::FaultKind,
    listener::{Listener, ListenerOptions},
};

/// The properties of a listener on which its faults depend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultScope {
    pub(crate) transport: FaultTransport,
    pub(crate) has_tls: bool,
    pub(crate) has_http: bool,
    pub(crate) has_rooms: bool,
    /// Whether the server proves in a login that it knows the password, as SCRAM does. `None`: there is no login.
    pub(crate) login_has_proof: Option<bool>,
}

/// The transport of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultTransport {
    Tcp,
    Unix,
    Udp,
}

impl From<&Endpoint> for FaultTransport {
    fn from(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Tcp(_) => Self::Tcp,
            Endpoint::Udp(_) => Self::Udp,
            Endpoint::Unix(_) | Endpoint::Abstract(_) => Self::Unix,
        }
    }
}

impl FaultScope {
    /// Returns the properties of a listener.
    pub(crate) fn of(listener: &Listener) -> Self {
        let Listener { endpoint, options } = listener;
        Self {
            transport: endpoint.into(),
            has_tls: options.is_tls(),
            has_http: options.is_http(),
            has_rooms: has_rooms(options),
            login_has_proof: login_has_proof(options),
        }
    }

    /// Checks that the listener can have a fault.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub(super) fn check(self, kind: &FaultKind) -> Result<(), String> {
        let reason = match kind {
            _ if self.transport == FaultTransport::Udp && !is_for_datagrams(kind) => {
                "UDP has no connections; it can have delay, jitter, throttle, truncate, corrupt, drop, duplicate and reorder"
            }
            FaultKind::ResetAfter(_) | FaultKind::Refuse
                if self.transport == FaultTransport::Unix =>
            {
                "a Unix socket has no reset; close-after ends its connections"
            }
            FaultKind::NoCloseNotify | FaultKind::HandshakeStall(_) if !self.has_tls => {
                "it needs TLS: tls://HOST:PORT, https://HOST:PORT or unix:///PATH?tls=on"
            }
            FaultKind::BadMask(_) | FaultKind::CloseCode { .. } if !self.has_http => {
                "it needs a WebSocket: http://HOST:PORT, https://HOST:PORT or unix:///PATH?http=on"
            }
            FaultKind::BadMask(_) | FaultKind::CloseCode { .. } if self.has_rooms => {
                "it counts the messages that are echoed, and a room has events instead"
            }
            FaultKind::Drop(_) | FaultKind::Duplicate(_) | FaultKind::Reorder(_)
                if self.has_rooms =>
            {
                "it applies to echoes, and a room has events instead"
            }
            FaultKind::LoginWrongProof => return self.check_proof(),
            _ => return Ok(()),
        };
        Err(reason.to_owned())
    }

    fn check_proof(self) -> Result<(), String> {
        let reason = match self.login_has_proof {
            None => "it needs login=required",
            _ if self.has_http => {
                "it needs a login by SCRAM, and HTTP has a password, a token or a cookie"
            }
            Some(false) => "it needs SCRAM-SHA-256 or SCRAM-SHA-256-PLUS in 'mechanisms'",
            Some(true) => return Ok(()),
        };
        Err(reason.to_owned())
    }
}

fn is_for_datagrams(kind: &FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Delay(_)
            | FaultKind::Jitter { .. }
            | FaultKind::Throttle(_)
            | FaultKind::Truncate(_)
            | FaultKind::Corrupt(_)
            | FaultKind::Drop(_)
            | FaultKind::Duplicate(_)
            | FaultKind::Reorder(_)
    )
}

fn has_rooms(options: &ListenerOptions) -> bool {
    #[cfg(feature = "rooms")]
    let has_rooms = options.room.is_some();
    #[cfg(not(feature = "rooms"))]
    let has_rooms = {
        let _ = options;
        false
    };
    has_rooms
}

fn login_has_proof(options: &ListenerOptions) -> Option<bool> {
    #[cfg(feature = "login")]
    let has_proof = options.login.as_deref().map(|login| has_proof(login, options.is_tls()));
    #[cfg(not(feature = "login"))]
    let has_proof = {
        let _ = options;
        None
    };
    has_proof
}

/// Returns whether the server proves in a login that it knows the password.
#[cfg(feature = "login")]
pub(crate) fn has_proof(login: &Login, has_tls: bool) -> bool {
    login.mechanisms.iter().any(|mechanism| match mechanism {
        Mechanism::ScramSha256 => true,
        Mechanism::ScramSha256Plus => has_tls,
        Mechanism::External | Mechanism::Plain => false,
    })
}
