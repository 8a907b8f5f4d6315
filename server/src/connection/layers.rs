//! The layer and the faults between a session and its socket.

#[cfg(feature = "login")]
use crate::layer::Identity;
use crate::{
    faults::{EchoPlace, FaultPlan, MessageFaults, Wire},
    layer::{Handshake, Layer, PlainLayer},
};

/// The layer and the faults between a session and its socket, if there are any.
///
/// A plain connection pays one predictable branch per read and per write for it.
#[derive(Debug)]
pub(crate) enum Layers {
    /// The bytes on the wire are those of the session.
    Plain,
    /// Boxed, so that it is no larger than one pointer.
    Stacked(Box<Stack>),
}

/// A layer, and the faults beneath it.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(super) layer: Box<dyn Layer>,
    /// `None`: the connection has and had no faults.
    pub(super) wire: Option<Box<Wire>>,
    pub(super) messages: FaultyEcho,
    /// Whether the end of the layer is omitted, once that is decided.
    pub(super) omits_end: Option<bool>,
    /// The faults that omit it, until that is on record.
    pub(super) unrecorded_omission: Option<FaultPlan>,
}

/// The faults of the messages of an echo.
#[derive(Debug, Default)]
pub(super) struct FaultyEcho {
    /// `None`: the echo has and had none.
    pub(super) faults: Option<Box<MessageFaults>>,
    /// The end of the last echo, at which faults begin unless it is within a message. Of a connection without faults, it is
    /// only the number of bytes that were echoed through its layer.
    pub(super) end: EchoPlace,
}

impl Stack {
    fn new(layer: Box<dyn Layer>) -> Self {
        Self {
            layer,
            wire: None,
            messages: FaultyEcho::default(),
            omits_end: None,
            unrecorded_omission: None,
        }
    }
}

impl Layers {
    /// Creates the layers of a new connection.
    pub(super) fn new(layer: Option<Box<dyn Layer>>) -> Self {
        layer.map_or(Self::Plain, |layer| Self::Stacked(Box::new(Stack::new(layer))))
    }

    /// Returns the layer, if there is one.
    pub(super) fn layer(&mut self) -> Option<&mut dyn Layer> {
        match self {
            Self::Plain => None,
            Self::Stacked(stack) => Some(&mut *stack.layer),
        }
    }

    /// Returns the faults, if the connection has or had any.
    pub(super) fn wire(&self) -> Option<&Wire> {
        match self {
            Self::Plain => None,
            Self::Stacked(stack) => stack.wire.as_deref(),
        }
    }

    /// Returns the faults for a change.
    pub(super) fn wire_mut(&mut self) -> Option<&mut Wire> {
        match self {
            Self::Plain => None,
            Self::Stacked(stack) => stack.wire.as_deref_mut(),
        }
    }

    /// Returns the faults of a connection through whose stream bytes have passed, which are new unless it has some.
    pub(super) fn wire_or_new(&mut self, received: u64, sent: u64) -> &mut Wire {
        if let Self::Plain = self {
            *self = Self::new(Some(Box::new(PlainLayer::default())));
        }
        let Self::Stacked(stack) = self else { unreachable!("it has a layer now") };
        stack.wire.get_or_insert_with(|| Box::new(Wire::new(received, sent)))
    }

    /// Returns the result of the layer's handshake.
    pub(super) fn handshake(&self) -> Option<Handshake> {
        match self {
            Self::Plain => None,
            Self::Stacked(stack) => stack.layer.handshake(),
        }
    }

    /// Returns the properties of the layer that a login may use. `None`: there is no layer.
    #[cfg(feature = "login")]
    pub(super) fn identity(&self) -> Option<Identity> {
        match self {
            Self::Plain => None,
            // The plain layer has no identity.
            Self::Stacked(stack) => stack.layer.has_end().then(|| stack.layer.identity()),
        }
    }

    pub(super) fn is_established(&self) -> bool {
        match self {
            Self::Plain => true,
            Self::Stacked(stack) => stack.layer.is_established(),
        }
    }
}
