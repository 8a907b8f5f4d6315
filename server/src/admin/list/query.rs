//! The parameters of a list.

use std::{borrow::Cow, str::FromStr, time::Duration};

use common::escape::Quoted;

use crate::{
    config::limits,
    connection::{Filter, Order},
    http::{Refusal, Status, refused},
};

/// Names of the parameters.
const PARAMETERS: &str = "limit, after, listener, peer, user, worker, min_idle and sort";

/// Which connections are listed, and in which order.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::admin) struct Query {
    /// Maximum number of connections.
    pub(super) limit: usize,
    /// The place at which an earlier list ended.
    pub(super) after: Option<Cursor>,
    /// The index of the only worker whose connections are listed.
    pub(super) worker: Option<usize>,
    pub(super) filter: Filter,
    /// `None`: by worker and slot.
    pub(super) order: Option<Order>,
}

/// A place in the order of workers and slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The index of the worker.
    pub(super) worker: usize,
    /// The first slot.
    pub(super) slot: usize,
}

impl Query {
    /// Parses the names and values of a query. `workers` is the number of workers.
    ///
    /// # Errors
    ///
    /// If one is unknown or malformed, or two contradict each other.
    pub(in crate::admin) fn parse<'a>(
        parameters: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        workers: usize,
    ) -> Result<Self, Refusal> {
        let mut query = Self {
            limit: limits::LISTED_BY_DEFAULT,
            after: None,
            worker: None,
            filter: Filter::default(),
            order: None,
        };
        let mut seen = Vec::new();
        for (name, value) in parameters {
            if seen.contains(&name) {
                return Err(bad(format!("{} is set twice", Quoted(name.as_bytes()))));
            }
            query.set(&name, &value, workers).map_err(|expected| {
                let parameter = format!("{name}={value}");
                bad(format!("{}: {expected}", Quoted(parameter.as_bytes())))
            })?;
            seen.push(name);
        }
        query.check()
    }

    /// Checks that the listener of the filter is one of the server. `tcp://` may precede the name of a plain one, as in its URL.
    ///
    /// # Errors
    ///
    /// If none has the name.
    pub(in crate::admin) fn for_listeners<'a>(
        mut self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self, Refusal> {
        let Some(listener) = &mut self.filter.listener else { return Ok(self) };
        let name = listener.strip_prefix("tcp://").unwrap_or(listener);
        if !names.clone().any(|known| known == name) {
            let known: Vec<_> = names.collect();
            let name = Quoted(listener.as_bytes()).to_string();
            return Err(bad(format!(
                "no listener has the address {name}; the listeners are {}",
                known.join(", ")
            )));
        }
        *listener = name.to_owned();
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &str, workers: usize) -> Result<(), String> {
        match name {
            "limit" => {
                let limit =
                    number(value).filter(|limit| (1..=limits::LISTED_CONNECTIONS).contains(limit));
                self.limit = limit.ok_or_else(|| {
                    format!("expected a number from 1 to {}", limits::LISTED_CONNECTIONS)
                })?;
            }
            "after" => {
                let cursor = value.parse().ok().filter(|cursor: &Cursor| cursor.worker < workers);
                let expected = "expected 'next' of an earlier list, such as 1-4096";
                self.after = Some(cursor.ok_or_else(|| expected.to_owned())?);
            }
            "listener" => self.filter.listener = Some(value.to_owned()),
            "peer" => self.filter.peer = Some(value.to_owned()),
            "user" => self.filter.user = Some(value.to_owned()),
            "worker" => {
                let worker = number(value).filter(|worker| (1..=workers).contains(worker));
                let expected = || format!("expected the number of a worker, from 1 to {workers}");
                self.worker = Some(worker.ok_or_else(expected)? - 1);
            }
            "min_idle" => self.filter.min_idle = Some(duration(value)?),
            "sort" => {
                self.order = Some(match value {
                    "bytes" => Order::Bytes,
                    "age" => Order::Age,
                    "idle" => Order::Idle,
                    "unsent" => Order::Unsent,
                    _ => return Err("expected bytes, age, idle or unsent".to_owned()),
                });
            }
            _ => return Err(format!("unknown parameter; the parameters are {PARAMETERS}")),
        }
        Ok(())
    }

    fn check(self) -> Result<Self, Refusal> {
        match (self.after, self.worker, self.order) {
            (Some(_), _, Some(_)) => Err(bad("'after' has no meaning with 'sort'".to_owned())),
            (Some(cursor), Some(worker), None) if cursor.worker != worker => {
                Err(bad("'after' and 'worker' name different workers".to_owned()))
            }
            _ => Ok(self),
        }
    }
}

impl FromStr for Cursor {
    type Err = ();

    /// Parses `1-4096`: a worker, from 1, and a slot.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (worker, slot) = text.split_once('-').ok_or(())?;
        let worker = number(worker).and_then(|worker| worker.checked_sub(1)).ok_or(())?;
        Ok(Self { worker, slot: number(slot).ok_or(())? })
    }
}

impl Cursor {
    /// Returns the text that a client passes as `after`.
    pub(super) fn to_text(self) -> String {
        format!("{}-{}", self.worker + 1, self.slot)
    }
}

fn bad(rule: String) -> Refusal {
    refused(Status::BadRequest, rule)
}

/// Parses digits without a sign.
fn number(text: &str) -> Option<usize> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Parses a duration with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let has_calendar_unit = text.contains(['M', 'y']);
    let parsed = humantime::parse_duration(text).ok().filter(|_| !has_calendar_unit);
    parsed.ok_or_else(|| "expected a duration like 30s, 5m or 1h 30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, String> {
        let parsed = Query::parse(form_urlencoded::parse(query.as_bytes()), 2);
        parsed.map_err(|refusal| refusal.rule.into_owned())
    }

    #[test]
    fn each_parameter_has_its_meaning() {
        let plain = parse("").unwrap();
        assert_eq!((plain.limit, plain.after, plain.order), (100, None, None));
        let filter =
            parse("listener=tls%3A%2F%2Fh&peer=::1&user=a+b&min_idle=1m30s").unwrap().filter;
        assert_eq!(filter.listener.as_deref(), Some("tls://h"));
        assert_eq!((filter.peer.as_deref(), filter.user.as_deref()), (Some("::1"), Some("a b")));
        assert_eq!(filter.min_idle, Some(Duration::from_secs(90)));
        let page = parse("limit=1000&after=2-4096&worker=2").unwrap();
        assert_eq!((page.limit, page.worker), (1000, Some(1)));
        assert_eq!(page.after, Some(Cursor { worker: 1, slot: 4096 }));
        assert_eq!(page.after.unwrap().to_text(), "2-4096");
        assert_eq!(parse("sort=unsent").unwrap().order, Some(Order::Unsent));
    }

    #[test]
    fn what_is_unknown_or_malformed_is_refused_by_name() {
        for (query, message) in [
            ("limit=0", "'limit=0': expected a number from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=+1", "'limit= 1'"),
            ("after=1", "'after=1': expected 'next' of an earlier list"),
            ("after=0-1", "'next' of an earlier list"),
            ("after=3-1", "'next' of an earlier list"),
            ("worker=3", "from 1 to 2"),
            ("min_idle=5", "expected a duration"),
            ("min_idle=5M", "expected a duration"),
            ("sort=size", "expected bytes, age, idle or unsent"),
            ("peers=1", "'peers=1': unknown parameter; the parameters are limit, after,"),
            ("user=a&user=b", "'user' is set twice"),
            ("sort=age&after=1-0", "'after' has no meaning with 'sort'"),
            ("worker=1&after=2-0", "name different workers"),
            ("%0a=1", "unknown parameter"),
        ] {
            let error = parse(query).unwrap_err();
            assert!(error.contains(message) && !error.contains('\n'), "{query}: {error}");
        }
    }

    #[test]
    fn a_listener_is_named_as_in_the_log_or_by_its_url() {
        let names = ["127.0.0.1:7", "tls://127.0.0.1:8"];
        let find = |name: &str| {
            let listener = Some(name.to_owned());
            let filter = Filter { listener, ..Filter::default() };
            let query = Query { filter, ..Query::parse([].into_iter(), 1).unwrap() };
            query.for_listeners(names.into_iter()).map(|query| query.filter.listener.unwrap())
        };
        assert_eq!(find("127.0.0.1:7").unwrap(), "127.0.0.1:7");
        assert_eq!(find("tcp://127.0.0.1:7").unwrap(), "127.0.0.1:7");
        assert_eq!(find("tls://127.0.0.1:8").unwrap(), "tls://127.0.0.1:8");
        let refusal = find("127.0.0.1:9").unwrap_err();
        assert_eq!(
            refusal.rule,
            "no listener has the address '127.0.0.1:9'; the listeners are 127.0.0.1:7, tls://127.0.0.1:8"
        );
    }
}
