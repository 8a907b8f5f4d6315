//! The formats of a record: text and JSON.

use std::{cell::RefCell, fmt};

use fern::FormatCallback;
use jiff::{Timestamp, Zoned, fmt::strtime, tz::TimeZone};
use log::{
    Level, Record,
    kv::{self, Key, Value, VisitSource, VisitValue},
};

/// `2024-01-15 10:30:45 - INFO - text`, in local time.
pub(super) fn text(out: FormatCallback<'_>, message: &fmt::Arguments<'_>, record: &Record<'_>) {
    Second::with_now(|now, _| {
        out.finish(format_args!("{} - {} - {message}", now.text, level(record.level())));
    });
}

/// `{"time":"2024-01-15T10:30:45.123+01:00","level":"INFO","message":"text","peer":"..."}`
pub(super) fn json(out: FormatCallback<'_>, message: &fmt::Arguments<'_>, record: &Record<'_>) {
    Second::with_now(|now, milliseconds| {
        out.finish(format_args!(
            r#"{{"time":"{}.{milliseconds:03}{}","level":"{}","message":{}{}}}"#,
            now.rfc3339,
            now.offset,
            level(record.level()),
            JsonString(&message.to_string()),
            Fields(record),
        ));
    });
}

/// Returns the name of a level in Python's `logging`, which the original server uses.
fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

/// The local time of one second, formatted once for all records of that second.
struct Second {
    unix: i64,
    text: String,
    rfc3339: String,
    offset: String,
}

thread_local! {
    static SECOND: RefCell<Option<Second>> = const { RefCell::new(None) };
}

impl Second {
    /// Calls `write` with the present second and its milliseconds.
    fn with_now(write: impl FnOnce(&Self, i32)) {
        #[expect(clippy::disallowed_methods, reason = "a log shows the wall clock")]
        let now = Timestamp::now();
        SECOND.with_borrow_mut(|second| {
            if second.as_ref().is_none_or(|second| second.unix != now.as_second()) {
                *second = Some(Self::new(now, TimeZone::system()));
            }
            let second = second.as_ref().expect("the second was just set");
            write(second, now.subsec_millisecond());
        });
    }

    fn new(now: Timestamp, zone: TimeZone) -> Self {
        let local = now.to_zoned(zone);
        let write = |format: &str, zoned: &Zoned| {
            strtime::format(format, zoned).expect("the format is a constant that jiff knows")
        };
        Self {
            unix: now.as_second(),
            text: write("%Y-%m-%d %H:%M:%S", &local),
            rfc3339: write("%Y-%m-%dT%H:%M:%S", &local),
            offset: write("%:z", &local),
        }
    }
}

struct JsonString<'a>(&'a str);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
    }
}

/// The fields of the record, each preceded by a comma.
struct Fields<'a>(&'a Record<'a>);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.key_values().visit(&mut JsonFields(f)).map_err(|_| fmt::Error)
    }
}

struct JsonFields<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl<'kvs> VisitSource<'kvs> for JsonFields<'_, '_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        write!(self.0, ",{}:", JsonString(key.as_str()))?;
        value.visit(JsonValue(self.0))
    }
}

/// A number or a truth value as such, anything else as a string.
struct JsonValue<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl VisitValue<'_> for JsonValue<'_, '_> {
    fn visit_any(&mut self, value: Value<'_>) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{}", JsonString(&value.to_string()))?)
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        Ok(write!(self.0, "{value}")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_formatted_like_the_original() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let second = Second::new("2024-01-15T09:30:45.123Z".parse().unwrap(), zone);
        assert_eq!(second.text, "2024-01-15 10:30:45");
        assert_eq!(
            (second.rfc3339.as_str(), second.offset.as_str()),
            ("2024-01-15T10:30:45", "+01:00")
        );
    }

    #[test]
    fn levels_have_their_python_names() {
        let names = [Level::Error, Level::Warn, Level::Info, Level::Debug].map(level);
        assert_eq!(names, ["ERROR", "WARNING", "INFO", "DEBUG"]);
    }

    #[test]
    fn field_values_are_escaped_as_json() {
        let fields = [("bytes", Value::from(12_u64)), ("peer", Value::from("a\"b\n"))];
        let record = Record::builder().key_values(&fields).build();
        assert_eq!(Fields(&record).to_string(), r#","bytes":12,"peer":"a\"b\n""#);
    }
}
