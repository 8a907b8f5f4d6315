//! A request to the admin listener.

use std::borrow::Cow;

use common::escape::Quoted;

use crate::{
    config::limits,
    http::{Framing, Head, Refusal, Status, check_own_host, refused},
};

const _: () = assert!(limits::ADMIN_BODY == 4096, "the limit is in the text");

/// A valid request.
#[derive(Debug)]
pub(in crate::admin) struct Request<'a> {
    head: Head<'a>,
    /// The bytes behind the head: its body, or a part of it, and further requests.
    rest: &'a [u8],
}

/// The permissions of a client of the admin listener.
#[derive(Debug)]
pub(in crate::admin) struct Access {
    /// Names of the server in `Host`. `None`: any name, since no page of a browser can connect.
    pub(in crate::admin) hosts: Option<Vec<String>>,
    /// Why no client may change anything. `None`: each may.
    pub(in crate::admin) no_control: Option<&'static str>,
}

impl<'a> Request<'a> {
    /// The only path at which something can be changed.
    const CHANGEABLE: &'static str = "/faults";

    /// Parses the head at the beginning of `bytes`, whose length is `len`.
    ///
    /// # Errors
    ///
    /// If it is invalid.
    pub(in crate::admin) fn parse(bytes: &'a [u8], len: usize) -> Result<Self, Refusal> {
        Ok(Self { head: Head::parse(bytes, len)?, rest: &bytes[len..] })
    }

    /// Checks the requirements of all endpoints: a host of this server; a method that only reads, and no body; or a change that the
    /// client may make, with a body of known length.
    ///
    /// # Errors
    ///
    /// If the request does not meet them.
    pub(in crate::admin) fn check(&self, access: &Access) -> Result<(), Refusal> {
        if let Some(hosts) = &access.hosts {
            check_own_host(&self.head, hosts, Status::Misdirected)?;
        }
        if self.is_change() {
            return self.check_change(access);
        }
        if !matches!(self.head.method, "GET" | "HEAD") {
            return Err(refused(Status::MethodNotAllowed, self.advice()));
        }
        if self.has_body() {
            return Err(refused(Status::ContentTooLarge, "this request takes no body"));
        }
        Ok(())
    }

    fn advice(&self) -> &'static str {
        if self.head.path == Self::CHANGEABLE {
            "use GET or HEAD to read the faults of listeners, PUT to set and DELETE to clear them"
        } else {
            "this is read-only: use GET or HEAD"
        }
    }

    /// Checks a request that changes something. A page in a browser can send PUT and DELETE to another host only after a
    /// preflight (OPTIONS), which is refused; to its own host, it names itself in `Origin`.
    fn check_change(&self, access: &Access) -> Result<(), Refusal> {
        if let Some(reason) = access.no_control {
            return Err(refused(Status::Forbidden, reason));
        }
        let own = self.head.value("host").map(|host| [b"http://", host].concat());
        if let Some(foreign) =
            self.head.values("origin").find(|origin| own.as_deref() != Some(origin))
        {
            return Err(refused(
                Status::Forbidden,
                format!("a page of {} may not change this server", Quoted(foreign)),
            ));
        }
        match self.head.framing {
            Framing::Chunked => {
                Err(refused(Status::LengthRequired, "the body needs a Content-Length"))
            }
            Framing::None | Framing::Length(0) => Ok(()),
            Framing::Length(_) if self.is_delete() => {
                Err(refused(Status::ContentTooLarge, "DELETE takes no body"))
            }
            Framing::Length(len) if len > limits::ADMIN_BODY as u64 => {
                Err(refused(Status::ContentTooLarge, "the body is longer than 4096 bytes"))
            }
            Framing::Length(_) if self.head.expects_continue => Err(refused(
                Status::ExpectationFailed,
                "send the body without waiting for 100-continue",
            )),
            Framing::Length(_) => self.check_type(),
        }
    }

    fn check_type(&self) -> Result<(), Refusal> {
        let mut types = self.head.values("content-type").map(|content_type| {
            let media = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
            media.trim_ascii().eq_ignore_ascii_case(b"text/plain")
        });
        // `curl -T` sends no type.
        if types.next().unwrap_or(true) && types.next().is_none() {
            return Ok(());
        }
        Err(refused(
            Status::UnsupportedMediaType,
            "the body is text/plain: curl -T FILE, or curl -X PUT -H 'Content-Type: text/plain' -d TEXT",
        ))
    }

    /// Returns whether the request asks to change something.
    pub(in crate::admin) fn is_change(&self) -> bool {
        self.head.path == Self::CHANGEABLE && matches!(self.head.method, "PUT" | "DELETE")
    }

    /// Returns whether the request clears faults.
    pub(in crate::admin) fn is_delete(&self) -> bool {
        self.head.method == "DELETE"
    }

    /// Returns the methods that the path allows.
    pub(in crate::admin) fn allowed(&self) -> &'static str {
        if self.head.path == Self::CHANGEABLE { "GET, HEAD, PUT, DELETE" } else { "GET, HEAD" }
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

    /// Returns the body, if it has arrived and is not over the limit.
    pub(in crate::admin) fn body(&self) -> Option<&'a [u8]> {
        self.rest.get(..self.body_len()?)
    }

    /// Returns the length of the body. `None`: it is unknown or over the limit, and the body is not read.
    pub(in crate::admin) fn body_len(&self) -> Option<usize> {
        match self.head.framing {
            Framing::None => Some(0),
            Framing::Length(len) => {
                usize::try_from(len).ok().filter(|len| *len <= limits::ADMIN_BODY)
            }
            Framing::Chunked => None,
        }
    }

    /// Returns the header `Connection` of the response, and whether the connection continues. It ends after a request whose
    /// body has not been read.
    pub(in crate::admin) fn connection(&self) -> (Option<&'static str>, bool) {
        match (self.head.keeps_alive && self.is_complete(), self.head.is_1_1) {
            (false, _) => (Some("close"), false),
            (true, false) => (Some("keep-alive"), true),
            (true, true) => (None, true),
        }
    }

    /// Returns whether everything has arrived that belongs to the request and is read.
    fn is_complete(&self) -> bool {
        if self.is_change() { self.body().is_some() } else { !self.has_body() }
    }

    fn has_body(&self) -> bool {
        !matches!(self.head.framing, Framing::None | Framing::Length(0))
    }
}
