//! Server to connect to: from an endpoint to addresses, and from addresses to a stream.
//!
//! Owns name resolution and the attempts at each address, within one time limit. Must not know what the
//! connection is for.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    os::fd::OwnedFd,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use common::{
    cli::print_error,
    endpoint::{Endpoint, HostPort, split_zone},
    escape::Escaped,
};
use socket2::SockAddr;

use super::{
    byte_transport::ByteTransport,
    connect::connect,
    error::Error,
    handshake::{Failure, handshake, log_in, upgrade},
    poll::{Deadline, Interrupt},
    sign::{Sign, is_alert},
    stream::Stream,
    transport::Transport,
    unreachable::Unreachable,
};
use crate::{
    login::{self, Mechanism},
    tls, websocket,
};

/// Server to connect to, and the time limit for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// Endpoint of the server. Invariant: its port is not zero.
    pub(crate) endpoint: Endpoint,
    /// Limit for the connection, and for each reply.
    pub(crate) timeout: Duration,
    /// TLS on each connection.
    pub(crate) tls: Option<tls::Client>,
    /// Login on each connection, unless it is a WebSocket.
    pub(crate) login: Option<login::Client>,
    /// WebSocket on each connection.
    pub(crate) websocket: Option<websocket::Options>,
    /// The server is to send a receipt at the end of each connection.
    pub(crate) expects_receipt: bool,
    /// Each connection is described on standard error.
    pub(crate) is_verbose: bool,
}

/// Connection to a server, and how long it took.
#[derive(Debug)]
pub(crate) struct Connected<'i> {
    /// The stream.
    pub(crate) stream: Stream<'i>,
    /// Address that answered.
    pub(crate) address: SockAddr,
    /// What it took.
    pub(crate) times: ConnectionTimes,
}

/// Times of the steps in which a connection is made, each after the previous one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionTimes {
    /// Connect.
    pub(crate) connect: Duration,
    /// Handshake of TLS, if there is TLS.
    pub(crate) tls: Option<Duration>,
    /// Login, if there is one.
    pub(crate) login: Option<Duration>,
    /// Handshake of WebSocket, if there is one.
    pub(crate) websocket: Option<Duration>,
}

impl fmt::Display for Target {
    /// Writes `HOST:PORT` for TCP, as the original does, and the URL otherwise. A path may come from elsewhere, and
    /// must not control the terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.endpoint {
            _ if let Some(websocket) = &self.websocket => websocket.url.clone(),
            endpoint if self.tls.is_some() => endpoint.tls_url().unwrap_or_default(),
            Endpoint::Tcp(tcp) => tcp.to_string(),
            endpoint => endpoint.to_string(),
        };
        Escaped(text.as_bytes()).fmt(f)
    }
}

impl Target {
    /// Returns a target without layers.
    pub(crate) fn new(endpoint: Endpoint, timeout: Duration) -> Self {
        let (tls, login, websocket) = (None, None, None);
        let (expects_receipt, is_verbose) = (false, false);
        Self { endpoint, timeout, tls, login, websocket, expects_receipt, is_verbose }
    }

    /// Returns `true` if a connection has a handshake or a login.
    pub(crate) fn has_layers(&self) -> bool {
        self.tls.is_some() || self.login.is_some() || self.websocket.is_some()
    }

    /// Resolves the endpoint and connects a stream to the first address that answers. Not for UDP.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]
    pub(crate) fn connect(&self) -> Result<Stream<'static>, Error> {
        let deadline = Deadline::after(self.timeout);
        let addresses = self.resolve(deadline)?;
        self.connect_to(&addresses, deadline, None).map(|connected| connected.stream)
    }

    /// Returns the addresses of the endpoint, at least one: those of a host, or a path.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`]: the name is unknown or not resolved in time, or the path is too long.
    pub(crate) fn resolve(&self, deadline: Deadline) -> Result<Vec<SockAddr>, Error> {
        match &self.endpoint {
            Endpoint::Tcp(host) | Endpoint::Udp(host) => {
                Ok(self.look_up(host, deadline)?.into_iter().map(SockAddr::from).collect())
            }
            Endpoint::Unix(_) | Endpoint::Abstract(_) => {
                let address = SockAddr::unix(self.endpoint.socket_name().unwrap_or_default());
                address.map(|it| vec![it]).map_err(|_| self.unreachable(Unreachable::LongPath))
            }
        }
    }

    fn look_up(&self, name: &HostPort, deadline: Deadline) -> Result<Vec<SocketAddr>, Error> {
        if let Ok(address) = name.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, name.port)]);
        }
        // The system's resolver has no deadline, so it runs in a thread that is left alone after ours.
        let (result, resolved) = mpsc::channel();
        let host = (name.host.clone(), name.port);
        thread::spawn(move || result.send(host.to_socket_addrs().map(Vec::from_iter)));
        let addresses = match deadline.left() {
            Some(left) => resolved.recv_timeout(left).ok(),
            None => resolved.recv().ok(),
        };
        match addresses {
            Some(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Some(_) => Err(self.unreachable(match split_zone(&name.host) {
                Some((_, Some(zone))) => Unreachable::UnknownInterface(zone.to_owned()),
                _ => Unreachable::UnknownHost,
            })),
            None => Err(self.unreachable(Unreachable::NoAnswer(self.timeout))),
        }
    }

    /// Connects to the first address that answers. A failed TLS handshake is final: another address of the same name
    /// would have the same certificate, or be a surprise.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] with the reason of each address, [`Error::Interrupted`].
    pub(crate) fn connect_to<'i>(
        &self,
        addresses: &[SockAddr],
        deadline: Deadline,
        interrupt: Option<&'i Interrupt>,
    ) -> Result<Connected<'i>, Error> {
        let mut reasons = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            // An address that never answers leaves time for the others.
            let share = deadline.share(addresses.len() - index);
            let start = Instant::now();
            match connect(address, share, interrupt) {
                Ok(Some(socket)) => {
                    let connect = start.elapsed();
                    let (transport, times) =
                        self.add_layers(address, socket, connect, deadline, interrupt)?;
                    let stream = Stream::over(transport, self.timeout).interrupted_by(interrupt);
                    return Ok(Connected { stream, address: address.clone(), times });
                }
                Ok(None) => return Err(Error::Interrupted),
                Err(error) => reasons.push((self.show(address), self.reason(error))),
            }
        }
        Err(self.unreachable(Unreachable::combine(reasons)))
    }

    /// Makes the handshakes of the layers, and logs in; `connect` is how long the connect took.
    fn add_layers(
        &self,
        address: &SockAddr,
        socket: OwnedFd,
        connect: Duration,
        deadline: Deadline,
        interrupt: Option<&Interrupt>,
    ) -> Result<(Transport, ConnectionTimes), Error> {
        let start = Instant::now();
        let bytes = self.secure(socket, deadline, interrupt)?;
        let secured = start.elapsed();
        let mechanism = self.log_in(&bytes, deadline, interrupt)?;
        let logged_in = start.elapsed();
        let (mut transport, protocol) = self.upgrade(bytes, deadline, interrupt)?;
        if self.expects_receipt {
            transport.keep_ledger();
        }
        let upgraded = start.elapsed();
        let times = ConnectionTimes {
            connect,
            tls: self.tls.as_ref().map(|_| secured),
            login: mechanism.map(|_| logged_in.saturating_sub(secured)),
            websocket: self.websocket.as_ref().map(|_| upgraded.saturating_sub(logged_in)),
        };
        if self.is_verbose {
            self.describe(address, times, &transport, mechanism, protocol.as_deref());
        }
        Ok((transport, times))
    }

    /// Makes the TLS handshake, if there is one.
    fn secure(
        &self,
        socket: OwnedFd,
        deadline: Deadline,
        interrupt: Option<&Interrupt>,
    ) -> Result<ByteTransport, Error> {
        let Some(client) = &self.tls else { return Ok(ByteTransport::plain(socket)) };
        handshake(socket, client, deadline, interrupt).map_err(|failure| {
            self.failed(failure, Unreachable::Tls(tls::Error::Late(self.timeout)))
        })
    }

    /// Logs in, if there is a login; returns the mechanism.
    fn log_in(
        &self,
        bytes: &ByteTransport,
        deadline: Deadline,
        interrupt: Option<&Interrupt>,
    ) -> Result<Option<Mechanism>, Error> {
        let Some(client) = &self.login else { return Ok(None) };
        match log_in(bytes, client, deadline, interrupt) {
            Ok(mechanism) => Ok(Some(mechanism)),
            Err(Failure::Late) => {
                Err(self.login_failed(login::Error::Late(self.timeout).with_advice()))
            }
            Err(Failure::Login(login::Error::Unexpected(answer)))
                if is_alert(&answer) && self.tls.is_none() =>
            {
                let tip = self.tip(Sign::TlsAlert, false).unwrap_or_default();
                Err(self.login_failed(format!("the server answered with a TLS alert\nTip: {tip}")))
            }
            Err(failure) => {
                Err(self.failed(failure, Unreachable::Tls(tls::Error::Late(self.timeout))))
            }
        }
    }

    /// Returns the error for a login that failed, with its text and advice.
    pub(crate) fn login_failed(&self, text: String) -> Error {
        Error::Login { target: self.to_string(), text }
    }

    /// Makes the handshake of WebSocket, if there is one; also returns the subprotocol that the server has selected.
    fn upgrade(
        &self,
        bytes: ByteTransport,
        deadline: Deadline,
        interrupt: Option<&Interrupt>,
    ) -> Result<(Transport, Option<String>), Error> {
        let Some(options) = &self.websocket else { return Ok((bytes.into(), None)) };
        upgrade(bytes, options, self.expects_receipt, deadline, interrupt).map_err(|failure| {
            self.failed(failure, Unreachable::WebSocket(websocket::Error::Late(self.timeout)))
        })
    }

    /// Returns the error for a failed handshake.
    fn failed(&self, failure: Failure, late: Unreachable) -> Error {
        match failure {
            Failure::Late => self.unreachable(late),
            Failure::Interrupted => Error::Interrupted,
            Failure::Tls(error) => self.unreachable(Unreachable::Tls(error)),
            Failure::Login(error) => self.login_failed(error.with_advice()),
            Failure::WebSocket(error) => self.unreachable(Unreachable::WebSocket(error)),
        }
    }

    fn describe(
        &self,
        address: &SockAddr,
        times: ConnectionTimes,
        transport: &Transport,
        mechanism: Option<Mechanism>,
        protocol: Option<&str>,
    ) {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        print_error(&format!("Connected to {} in {:.3} ms", self.show(address), ms(times.connect)));
        if let Some((time, summary)) = times.tls.zip(transport.tls_summary()) {
            print_error(&format!("TLS handshake in {:.3} ms: {summary}", ms(time)));
        }
        if let Some((time, mechanism)) = times.login.zip(mechanism) {
            print_error(&format!("Login in {:.3} ms: {mechanism}", ms(time)));
        }
        if let Some(time) = times.websocket {
            let protocol = protocol.unwrap_or("none");
            print_error(&format!(
                "WebSocket handshake in {:.3} ms: subprotocol {protocol}",
                ms(time)
            ));
        }
    }

    /// Returns the text of one of the endpoint's addresses.
    pub(crate) fn show(&self, address: &SockAddr) -> String {
        match (&self.endpoint, address.as_socket()) {
            // The system knows the number of the network interface, and the user its name.
            (Endpoint::Tcp(at) | Endpoint::Udp(at), _) if at.host.contains('%') => at.to_string(),
            (_, Some(address)) => address.to_string(),
            (_, None) => self.to_string(),
        }
    }

    /// Returns the tip that follows from a sign of another protocol or of a login, on a connection with TLS or without; `None`
    /// if the target is with this protocol already.
    pub(crate) fn tip(&self, sign: Sign, is_tls: bool) -> Option<String> {
        let url = match (sign, &self.endpoint) {
            // The handshake of a WebSocket has its own advice.
            _ if self.websocket.is_some() => return None,
            (Sign::Login, _) => String::new(),
            (Sign::Http, Endpoint::Tcp(at)) if is_tls => format!("wss://{at}"),
            (Sign::Http, Endpoint::Tcp(at)) => format!("ws://{at}"),
            (Sign::TlsAlert | Sign::NoAnswer, endpoint) if !is_tls => endpoint.tls_url()?,
            _ => return None,
        };
        Some(sign.tip(&url))
    }

    /// Returns the reason for which the endpoint cannot be reached, from the system's error.
    pub(crate) fn reason(&self, error: io::Error) -> Unreachable {
        let is_file = matches!(self.endpoint, Endpoint::Unix(_));
        let is_abstract = matches!(self.endpoint, Endpoint::Abstract(_));
        match error.kind() {
            io::ErrorKind::ConnectionRefused if is_file || is_abstract => Unreachable::NoListener,
            io::ErrorKind::NotFound if is_file => Unreachable::NoFile,
            io::ErrorKind::PermissionDenied if is_file => Unreachable::Denied,
            io::ErrorKind::ConnectionRefused => Unreachable::Refused,
            // WouldBlock: the backlog of a Unix socket was full until the deadline.
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Unreachable::NoAnswer(self.timeout)
            }
            _ => Unreachable::Io(error),
        }
    }

    /// Returns the error for a server that cannot be reached for this reason.
    pub(crate) fn unreachable(&self, reason: Unreachable) -> Error {
        Error::Connect { target: self.to_string(), reason }
    }
}

#[cfg(test)]
mod tests;
