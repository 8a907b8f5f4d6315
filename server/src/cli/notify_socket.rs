//! The notification socket of a service manager (`sd_notify(3)`).

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

use sd_notify::NotifyState;

/// Address of the service manager: `NOTIFY_SOCKET`, unless it is missing or empty.
#[derive(Clone, Debug)]
pub(crate) struct NotifySocket(SocketAddr);

impl NotifySocket {
    /// Returns the address from the environment. `None`: no service manager expects notifications.
    ///
    /// # Errors
    ///
    /// If the variable is not an address: neither a path nor `@` and an abstract name.
    pub(crate) fn from_env() -> io::Result<Option<Self>> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            [b'/', ..] => SocketAddr::from_pathname(&name),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(Some(Self(address?)))
    }

    /// Sends a notification. `wait`: whether to wait for a service manager that does not read its socket.
    ///
    /// # Errors
    ///
    /// If the service manager cannot be reached; "would block" only without `wait`.
    pub(crate) fn send(&self, states: &[NotifyState<'_>], wait: bool) -> io::Result<()> {
        let lines: Vec<_> = states.iter().map(|state| format!("{state}\n")).collect();
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(!wait)?;
        socket.connect_addr(&self.0)?;
        socket.send(lines.concat().as_bytes()).map(drop)
    }
}
