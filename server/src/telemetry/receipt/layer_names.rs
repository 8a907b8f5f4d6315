//! The layers of a connection, for the log.

use std::fmt;

/// The names of all layers, in order from the socket.
const NAMES: [&str; 5] = ["proxy", "tls", "http", "websocket", "login"];

/// Which of the layers a connection has: the PROXY header, TLS, HTTP, WebSocket and the login, in this order.
///
/// Its text is their names, separated by commas; empty for a plain connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerNames(pub(crate) [bool; NAMES.len()]);

impl LayerNames {
    /// Returns the names of the layers, in order from the socket.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().zip(self.0).filter_map(|(name, has)| has.then_some(name))
    }
}

impl fmt::Display for LayerNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            write!(f, "{}{name}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_from_the_socket() {
        assert_eq!(LayerNames::default().to_string(), "");
        assert_eq!(LayerNames([false, true, true, true, false]).to_string(), "tls,http,websocket");
        assert_eq!(LayerNames([true; 5]).to_string(), "proxy,tls,http,websocket,login");
    }
}
