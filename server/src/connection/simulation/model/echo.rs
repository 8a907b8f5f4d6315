//! The model of the protocols that only echo: every possible outcome.

use common::{
    exit::{Newline, goodbye, is_exit},
    frame::{PREFIX_LEN, encode, payload_len},
    protocol::{MAX_EXIT_PAYLOAD, Protocol},
};

/// The bytes that a peer must receive.
pub(in crate::connection::simulation) struct Echo {
    /// The echo up to an exit, or all of it.
    echo: Vec<u8>,
    exit: Option<Exit>,
}

struct Exit {
    /// The text of the exit: any number of its bytes are echoed if they arrived in earlier reads.
    early: Vec<u8>,
    reply: Vec<u8>,
}

impl Echo {
    pub(in crate::connection::simulation) fn new(protocol: Protocol, sent: &[u8]) -> Self {
        match protocol {
            Protocol::Raw => Self { echo: sent.to_vec(), exit: None },
            Protocol::Text => Self::text(sent),
            Protocol::Length => Self::length(sent),
        }
    }

    fn text(sent: &[u8]) -> Self {
        let mut at = 0;
        for line in sent.split_inclusive(|&byte| byte == b'\n') {
            if let Some(text) = line.strip_suffix(b"\n")
                && is_exit(text)
            {
                let newline = if text.ends_with(b"\r") { Newline::CrLf } else { Newline::Lf };
                let exit = Exit { early: text.to_vec(), reply: goodbye(newline).to_vec() };
                return Self { echo: sent[..at].to_vec(), exit: Some(exit) };
            }
            at += line.len();
        }
        Self { echo: sent.to_vec(), exit: None }
    }

    fn length(sent: &[u8]) -> Self {
        let mut at = 0;
        while let Some(payload) = payload_len(&sent[at..]) {
            let next = at + PREFIX_LEN + payload as usize;
            let Some(text) = sent.get(at + PREFIX_LEN..next) else { break };
            if payload <= MAX_EXIT_PAYLOAD && is_exit(text) {
                let reply = encode(goodbye(Newline::None)).expect("the goodbye is short");
                let exit = Exit { early: Vec::new(), reply };
                return Self { echo: sent[..at].to_vec(), exit: Some(exit) };
            }
            at = next;
        }
        Self { echo: sent.to_vec(), exit: None }
    }

    /// Returns whether the session ends with an exit.
    pub(in crate::connection::simulation) fn has_exit(&self) -> bool {
        self.exit.is_some()
    }

    /// Returns every sequence of bytes that the peer may have received in the end.
    pub(in crate::connection::simulation) fn outcomes(&self) -> Vec<Vec<u8>> {
        match &self.exit {
            None => vec![self.echo.clone()],
            Some(Exit { early, reply }) => (0..=early.len())
                .map(|early_len| [&self.echo, &early[..early_len], reply].concat())
                .collect(),
        }
    }

    /// Returns whether these are all bytes that the peer must receive.
    pub(in crate::connection::simulation) fn is_complete(&self, delivered: &[u8]) -> bool {
        self.outcomes().iter().any(|outcome| outcome == delivered)
    }

    /// Returns whether the peer may have received these bytes so far.
    pub(in crate::connection::simulation) fn allows(&self, delivered: &[u8]) -> bool {
        self.outcomes().iter().any(|outcome| outcome.starts_with(delivered))
    }
}
