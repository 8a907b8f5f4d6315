//! Stand-ins for a program that is built without login. They have no values, so nothing of them can be called.

use serde::{Deserialize, Serialize};

use super::{
    channel::Channel,
    error::{Error, Unusable},
    mechanism::Mechanism,
    options::Options,
    secret::SecretText,
};

/// Never exist: see [`Credentials::read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Credentials {}

/// Never exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Client {}

/// Never exists. It is no enum, so that the code after [`Dialogue::new`] is not called unreachable.
#[derive(Debug)]
pub(crate) struct Dialogue(Mechanism);

/// Refuses every name.
pub(crate) fn name(_: &str) -> Result<String, String> {
    Err(Unusable::NoLogin.to_string())
}

impl Credentials {
    pub(crate) fn read(_: &Options, _: &str) -> Result<Self, Unusable> {
        Err(Unusable::NoLogin)
    }

    pub(crate) fn authorization(&self) -> SecretText {
        match *self {}
    }
}

impl Client {
    pub(crate) fn new(credentials: Credentials) -> Result<Self, Unusable> {
        match credentials {}
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        match *self {}
    }
}

impl Dialogue {
    pub(crate) fn new(client: &Client, _: Channel) -> Self {
        match *client {}
    }

    pub(crate) fn unsent(&self) -> &[u8] {
        match self.0 {}
    }

    pub(crate) fn mark_sent(&mut self, _: usize) {
        match self.0 {}
    }

    pub(crate) fn receive(&mut self, _: &[u8]) -> Result<Option<Mechanism>, Error> {
        match self.0 {}
    }

    pub(crate) fn end(&self) -> Error {
        match self.0 {}
    }
}
