//! The configuration of the admin listener.

use std::{fmt, sync::Arc};

use common::endpoint::Endpoint;

use super::limits;

/// A listener for those who operate the server: health, metrics and connections over HTTP. Its clients do not count as
/// clients of the server.
///
/// Every client that can connect can read everything, so it belongs on a loopback address or a Unix socket. There, clients can
/// also set and clear the [faults](crate::Faults) of the other listeners.
///
/// ```
/// use std::{io::{Read, Write}, net::TcpStream, thread};
/// use common::endpoint::{Endpoint, HostPort};
///
/// let at = HostPort { host: "127.0.0.1".into(), port: 0 };
/// let mut config = server::Config::default();
/// config.listeners = vec![server::Listener::tcp("127.0.0.1", 0)];
/// config.admin = Some(server::Admin::new(Endpoint::Tcp(at)));
/// let server = server::Server::bind(config)?;
/// let (admin, handle) = (server.admin_endpoints(), server.handle());
/// let running = thread::spawn(|| server.run());
///
/// let Endpoint::Tcp(at) = &admin[0] else { panic!("the admin listener is a TCP listener") };
/// let mut client = TcpStream::connect((&at.host[..], at.port))?;
/// client.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
/// let mut response = String::new();
/// client.read_to_string(&mut response)?;
/// assert!(response.ends_with("\r\n\r\nok\n"));
///
/// handle.shutdown();
/// running.join().expect("the server does not panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two are equal if they differ in [`settings`](Self::settings) only, which a reload can change.
#[derive(Clone)]
#[non_exhaustive]
pub struct Admin {
    /// Endpoint to listen on: TCP or a Unix socket. Port 0 takes any free port.
    pub endpoint: Endpoint,
    /// Permissions of a Unix socket, as for `chmod(2)`. Default: 600, its owner.
    pub mode: u32,
    /// Names of the server in `Host`, besides addresses, `localhost` and the host of the endpoint. A page under another name
    /// could be one of somebody else, whose name resolves to this server (DNS rebinding). Default: none.
    pub hosts: Vec<String>,
    /// Permission to change the faults of the other listeners. Default: `None`, which means yes on a loopback address and on a
    /// Unix socket, and no on other addresses.
    pub control: Option<bool>,
    /// The settings of the program as text, which `/config` shows. It must have no secret. Default: none, then there is no
    /// `/config`.
    pub settings: Option<Arc<str>>,
}

impl Admin {
    /// Creates an admin listener with the default options.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            mode: limits::SOCKET_MODE,
            hosts: Vec::new(),
            control: None,
            settings: None,
        }
    }
}

impl PartialEq for Admin {
    fn eq(&self, other: &Self) -> bool {
        let Self { endpoint, mode, hosts, control, settings: _ } = self;
        (endpoint, mode, hosts, control)
            == (&other.endpoint, &other.mode, &other.hosts, &other.control)
    }
}

impl Eq for Admin {}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, mode, hosts, control, settings: _ } = self;
        f.debug_struct("Admin")
            .field("endpoint", endpoint)
            .field("mode", mode)
            .field("hosts", hosts)
            .field("control", control)
            .finish_non_exhaustive()
    }
}
