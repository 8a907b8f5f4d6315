//! Events: what each declares, and how it is recorded.

use std::fmt;

use log::{
    Level, Record,
    kv::{self, Key, Source, Value, VisitSource},
};

use crate::metrics::{Counter, ListenerCounters};

/// An event. Its [`Display`](fmt::Display) is the text of the log; the rest is for JSON and for the metrics.
pub(super) trait Event: fmt::Display {
    fn declaration(&self) -> Declaration;

    /// Returns the counter of its listener that counts the event, if there is one.
    fn counter<'a>(&self, counters: &'a ListenerCounters) -> Option<&'a Counter>;

    /// Passes the JSON fields to `visit`, each with its name.
    fn visit_fields<'a>(&'a self, visit: &mut dyn FnMut(&'static str, Value<'a>));
}

/// Properties of an event that do not depend on its values.
pub(super) struct Declaration {
    pub(super) level: Level,
    /// The JSON field `event`.
    pub(super) name: &'static str,
}

impl Declaration {
    pub(super) const fn new(level: Level, name: &'static str) -> Self {
        Self { level, name }
    }
}

/// Counts an event, and logs it if `is_logged`.
pub(super) fn record(event: &impl Event, counters: &ListenerCounters, is_logged: bool) {
    let Declaration { level, name } = event.declaration();
    if let Some(counter) = event.counter(counters) {
        counter.add(1);
    }
    if is_logged && level <= log::STATIC_MAX_LEVEL && level <= log::max_level() {
        log::logger().log(
            &Record::builder()
                .level(level)
                .target(module_path!())
                .module_path_static(Some(module_path!()))
                .key_values(&Fields { name, event })
                .args(format_args!("{event}"))
                .build(),
        );
    }
}

/// The JSON fields of an event, which are formatted only for a log in JSON.
struct Fields<'a, E> {
    name: &'static str,
    event: &'a E,
}

impl<E: Event> Source for Fields<'_, E> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), kv::Error> {
        let mut result = visitor.visit_pair(Key::from_str("event"), Value::from(self.name));
        self.event.visit_fields(&mut |name, value| {
            if result.is_ok() {
                result = visitor.visit_pair(Key::from_str(name), value);
            }
        });
        result
    }
}
