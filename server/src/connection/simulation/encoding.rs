//! The encoding of a peer's bytes on the wire: none, the layer for tests, or TLS.

use std::ops::Range;

use fastrand::Rng;

use super::{
    application::Application,
    layer_end::LayerEnd,
    tls::{self, MAX_RECORD, TlsPeer},
};
use crate::{
    admission::ConnectionPolicy,
    layer::{NewScrambled, ScrambledPeer},
    tls::NewTls,
};

/// The encodings of the peers of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encodings {
    /// No TLS: a schedule takes microseconds.
    Plain,
    /// TLS for most peers.
    Tls,
}

/// The encoding of one peer.
pub(super) enum Encoding {
    Plain,
    Scrambled,
    Tls(Box<TlsPeer>),
}

impl Encoding {
    /// Returns a random encoding of this plaintext. Appends what its peer sends first, or all of it, to the script.
    pub(super) fn random(
        encodings: Encodings,
        application: &Application,
        plaintext: Vec<u8>,
        script: &mut Vec<u8>,
        rng: &mut Rng,
    ) -> Self {
        match encodings {
            Encodings::Tls if rng.u8(0..8) > 0 => {
                let is_long = application.is_stream() && rng.u8(0..8) == 0;
                let line = if is_long { rng.usize(1..3 * MAX_RECORD) } else { 0 };
                let line = (0..line).map(|_| rng.alphanumeric() as u8).collect();
                let plaintext = [plaintext, line].concat();
                Self::Tls(Box::new(TlsPeer::new(plaintext, script, rng)))
            }
            _ if rng.u8(0..3) == 0 => {
                script.extend(ScrambledPeer::encode(&plaintext, rng.bool()));
                Self::Scrambled
            }
            _ => {
                script.extend(plaintext);
                Self::Plain
            }
        }
    }

    /// Returns the policy with the layer of this encoding.
    pub(super) fn apply(&self, policy: ConnectionPolicy) -> ConnectionPolicy {
        match self {
            Self::Plain => policy,
            Self::Scrambled => policy.with_layer(NewScrambled),
            Self::Tls(_) => policy.with_layer(NewTls(tls::server())),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    pub(super) fn has_layer(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Returns the plaintext in a part of the script, and whether the peer has ended its direction of the layer in it.
    pub(super) fn sent(&self, script: &[u8], part: Range<usize>) -> (Vec<u8>, bool) {
        match self {
            Self::Plain => (script[part].to_vec(), false),
            Self::Scrambled => ScrambledPeer::sent(&script[part]),
            Self::Tls(peer) => (peer.sent(part.end).to_vec(), peer.has_sent_end(part.end)),
        }
    }

    /// Returns the plaintext that the peer has received, of what was delivered to it, and the state of its layer.
    pub(super) fn received(&self, delivered: &[u8]) -> (Vec<u8>, LayerEnd) {
        match self {
            Self::Plain => (delivered.to_vec(), LayerEnd::Absent),
            Self::Scrambled => {
                let (plaintext, has_ended) = ScrambledPeer::received(delivered);
                (plaintext, if has_ended { LayerEnd::Ended } else { LayerEnd::Open })
            }
            Self::Tls(peer) => (peer.received.clone(), peer.layer_end()),
        }
    }

    /// Returns the peer if it speaks TLS.
    pub(super) fn tls(&self) -> Option<&TlsPeer> {
        match self {
            Self::Plain | Self::Scrambled => None,
            Self::Tls(peer) => Some(peer),
        }
    }
}
