//! Stand-ins for a program that is built without TLS. They have no values, so nothing of them can be called.

use std::io::{Read, Write};

use super::{
    error::{Error, Unusable},
    options::TlsOptions,
};
use crate::login::Channel;

/// Never exists: see [`Client::new`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Client {}

/// Never exists.
#[derive(Debug)]
pub(crate) enum Session {}

impl Client {
    pub(crate) fn new(_: &TlsOptions) -> Result<Self, Unusable> {
        Err(Unusable::NoTls)
    }

    pub(crate) fn options(&self) -> &TlsOptions {
        match *self {}
    }
}

impl Session {
    pub(crate) fn new(client: &Client) -> Result<Self, Error> {
        match *client {}
    }

    pub(crate) fn advance(&mut self, _: &mut (impl Read + Write)) -> Result<bool, Error> {
        match *self {}
    }

    pub(crate) fn wants_write(&self) -> bool {
        match *self {}
    }

    pub(crate) fn flush(&mut self, _: &mut impl Write) {
        match *self {}
    }

    pub(crate) fn is_readable(&mut self) -> bool {
        match *self {}
    }

    pub(crate) fn fill(&mut self, _: &mut impl Read) {
        match *self {}
    }

    pub(crate) fn send(&mut self, _: &[u8], _: &mut impl Write) -> std::io::Result<usize> {
        match *self {}
    }

    pub(crate) fn receive(&mut self, _: &mut [u8]) -> Result<Option<usize>, Error> {
        match *self {}
    }

    pub(crate) fn peek(&mut self, _: &mut [u8]) -> Result<Option<usize>, Error> {
        match *self {}
    }

    pub(crate) fn send_end(&mut self) {
        match *self {}
    }

    pub(crate) fn has_sent_end(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_resumed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn channel(&self) -> Channel {
        match *self {}
    }

    pub(crate) fn summary(&self) -> String {
        match *self {}
    }
}
