//! The opening of a connection: its way to a worker, its session, and its first lines in the log.

#[cfg(any(feature = "http", feature = "login", feature = "rooms"))]
use std::sync::Arc;
use std::time::Instant;

use super::{
    connection::Connection,
    stream::Stream,
    turn::{TurnContext, wall_clock},
};
#[cfg(feature = "http")]
use crate::http::HttpHandler;
#[cfg(feature = "login")]
use crate::sasl::SaslHandler;
#[cfg(feature = "receipt")]
use crate::session::ReceiptSession;
use crate::{
    admission::{Peer, Permit},
    faults::FaultPlan,
    layer::is_client_hello,
    session::{Attributes, Session},
    telemetry::{ConnectionEvent, Recorder},
};
#[cfg(any(feature = "receipt", feature = "rooms"))]
use crate::{config::ListenerOptions, session::ProtocolHandler};
#[cfg(feature = "rooms")]
use crate::{config::Room, rooms::Rooms, session::RoomSession};

/// A connection on its way to a worker. Dropping it releases its permit.
#[derive(Debug)]
pub(crate) enum Incoming<S> {
    /// From the acceptor.
    New {
        stream: S,
        peer: Peer,
        permit: Permit,
        accepted_at: Instant,
        /// The faults on purpose. Boxed: most have none.
        faults: Option<Box<FaultPlan>>,
    },
    /// From another worker.
    Migrated(Box<Connection<S>>),
}

impl<S: Stream> Connection<S> {
    /// Returns the session of a new connection.
    pub(super) fn new_session(
        permit: &Permit,
        #[cfg(feature = "rooms")] rooms: Option<&Arc<Rooms>>,
    ) -> Session {
        let options = &*permit.policy().options;
        #[cfg(feature = "rooms")]
        let room = options.room.as_ref().zip(rooms);
        #[cfg(feature = "http")]
        if let Some(http) = &options.http {
            #[cfg_attr(
                not(any(feature = "login", feature = "receipt", feature = "rooms")),
                expect(unused_mut, reason = "there are no logins, receipts and rooms")
            )]
            let mut handler = HttpHandler::new(Arc::clone(http));
            #[cfg(feature = "login")]
            if let Some(login) = &options.login {
                let authenticator = Arc::clone(permit.authenticator());
                handler.require_login(Arc::clone(login), authenticator, options.handshake_timeout);
            }
            #[cfg(feature = "rooms")]
            if let Some((room, rooms)) = room {
                handler.use_rooms(Arc::clone(rooms), Arc::clone(room));
            }
            #[cfg(feature = "receipt")]
            {
                handler.has_receipts = options.client_receipt;
            }
            return Session::Other(Box::new(Box::new(handler)));
        }
        #[cfg(any(feature = "receipt", feature = "rooms"))]
        let handler = handler_of(
            options,
            #[cfg(feature = "rooms")]
            room,
        );
        #[cfg(feature = "login")]
        if let Some(login) = &options.login {
            let authenticator = Arc::clone(permit.authenticator());
            let timeout = options.handshake_timeout;
            let login =
                SaslHandler::new(Arc::clone(login), authenticator, options.protocol, timeout);
            #[cfg(any(feature = "receipt", feature = "rooms"))]
            let login = login.before(handler);
            return Session::Other(Box::new(Box::new(login)));
        }
        #[cfg(any(feature = "receipt", feature = "rooms"))]
        if let Some(handler) = handler {
            return Session::Other(Box::new(handler));
        }
        Session::new(options.protocol)
    }

    pub(super) fn log_connected(&mut self, telemetry: &Recorder<'_>) {
        if !std::mem::replace(&mut self.is_logged, true) {
            self.log_new(telemetry);
        }
    }

    /// Logs a plain connection at its first bytes.
    #[cold]
    pub(super) fn log_first(&mut self, bytes: &[u8], context: &TurnContext<'_>) {
        self.log_connected(context.telemetry);
        if self.session.recorded_as() == Some("text") && is_client_hello(bytes) {
            let event = ConnectionEvent::UnexpectedTls;
            context.telemetry.record_throttled(self.subject(), event, context.now);
        }
    }

    /// Logs the connection, and the handshake of its layer.
    #[cold]
    fn log_new(&mut self, telemetry: &Recorder<'_>) {
        let proxy = self.proxy.take();
        let through = proxy.as_ref().map(|proxy| &***proxy);
        let handshake = self.layers.handshake();
        let handshake = handshake.as_ref();
        self.begin_session(through, telemetry);
        telemetry.record(self.subject(), ConnectionEvent::Connected { through, handshake });
        if let Some(handshake) = handshake {
            telemetry.record(self.subject(), ConnectionEvent::HandshakeCompleted { handshake });
        }
    }

    /// Tells the session what its connection is.
    #[cold]
    pub(super) fn begin_session(&mut self, through: Option<&str>, telemetry: &Recorder<'_>) {
        let handshake = self.layers.handshake();
        let handshake = handshake.as_ref();
        if let Some(handler) = self.session.handler() {
            let local = self.stream.local_name();
            let peer = &self.peer;
            let listener = &self.permit.policy().name;
            #[cfg(feature = "login")]
            let identity = self.permit.policy().options.login.as_ref();
            #[cfg(feature = "login")]
            let identity = identity.and_then(|_| self.layers.identity());
            #[cfg(feature = "login")]
            let user = self.permit.account().map(|account| account.name().to_owned());
            #[cfg(not(feature = "login"))]
            let user: Option<String> = None;
            let attributes = Attributes {
                id: self.id,
                worker: telemetry.worker(),
                user: user.as_deref(),
                peer,
                proxy: through,
                local: &local,
                listener,
                time: wall_clock(),
                handshake,
                #[cfg(feature = "login")]
                identity: identity.as_ref(),
                opened_at: self.totals.opened_at,
            };
            handler.begin(&attributes, self.last_activity);
        }
        self.set_session_faults();
    }
}

/// Returns the handler of a listener without HTTP whose session is none of the plain ones.
#[cfg(any(feature = "receipt", feature = "rooms"))]
fn handler_of(
    options: &ListenerOptions,
    #[cfg(feature = "rooms")] room: Option<(&Arc<Room>, &Arc<Rooms>)>,
) -> Option<Box<dyn ProtocolHandler>> {
    #[cfg(feature = "rooms")]
    if let Some((room, rooms)) = room {
        let (room, rooms) = (Arc::clone(room), Arc::clone(rooms));
        return Some(Box::new(RoomSession::new(rooms, room, options.protocol)));
    }
    #[cfg(feature = "receipt")]
    if options.client_receipt {
        return ReceiptSession::new(options.protocol).map(|session| Box::new(session) as _);
    }
    None
}
