//! A request to the admin listener.

use std::borrow::Cow;

use crate::http::{Framing, Head, Refusal, Status, check_own_host, refused};

/// A valid request.
#[derive(Debug)]
pub(in crate::admin) struct Request<'a> {
    head: Head<'a>,
}

impl<'a> Request<'a> {
    /// Parses the head at the beginning of `bytes`, whose length is `len`.
    ///
    /// # Errors
    ///
    /// If it is invalid.
    pub(in crate::admin) fn parse(bytes: &'a [u8], len: usize) -> Result<Self, Refusal> {
        Ok(Self { head: Head::parse(bytes, len)? })
    }

    /// Checks what all endpoints require: a host of this server, no body, a method that only reads.
    ///
    /// # Errors
    ///
    /// If the request does not have it. `hosts`: `None` allows any.
    pub(in crate::admin) fn check(&self, hosts: Option<&[String]>) -> Result<(), Refusal> {
        if let Some(hosts) = hosts {
            check_own_host(&self.head, hosts, Status::Misdirected)?;
        }
        if !matches!(self.head.method, "GET" | "HEAD") {
            return Err(refused(
                Status::MethodNotAllowed,
                "the admin listener is read-only: use GET or HEAD",
            ));
        }
        if self.has_body() {
            return Err(refused(Status::ContentTooLarge, "the admin listener takes no body"));
        }
        Ok(())
    }

    /// Returns the path of the target.
    pub(in crate::admin) fn path(&self) -> &'a str {
        self.head.path
    }

    /// Returns the names and values of the query.
    pub(in crate::admin) fn query(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        let query = self.head.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes())
    }

    /// Returns the elements of `Accept`.
    pub(in crate::admin) fn accepted(&self) -> impl Iterator<Item = &'a str> {
        self.head.options("accept")
    }

    /// Returns whether the client asks for the head of the response only.
    pub(in crate::admin) fn is_head(&self) -> bool {
        self.head.method == "HEAD"
    }

    /// Returns the header `Connection` of the response, and whether the connection continues. It ends after a request with
    /// a body, which is not read.
    pub(in crate::admin) fn connection(&self) -> (Option<&'static str>, bool) {
        match (self.head.keeps_alive && !self.has_body(), self.head.is_1_1) {
            (false, _) => (Some("close"), false),
            (true, false) => (Some("keep-alive"), true),
            (true, true) => (None, true),
        }
    }

    fn has_body(&self) -> bool {
        !matches!(self.head.framing, Framing::None | Framing::Length(0))
    }
}
