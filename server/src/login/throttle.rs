//! Failed logins: each one is answered later, and after many further ones are refused for a while.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use common::login::{Key, hash};

use super::source::Source;
use crate::config::limits;

/// Failed logins by source and by name.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    sources: Failures<Source>,
    /// By the hash of the name, which may be long.
    names: Failures<Key>,
}

impl Throttle {
    /// Returns whether a login must be refused without a look at it.
    pub(super) fn is_refused(&self, source: Source, name: &str, now: Instant) -> bool {
        self.sources.is_refused(&source, now) || self.names.is_refused(&hash(name.as_bytes()), now)
    }

    /// Counts a failed login. Returns the time by which its answer is delayed.
    pub(super) fn count(&mut self, source: Source, name: Option<&str>, now: Instant) -> Duration {
        let mut failures = self.sources.count(source, limits::LOGIN_FAILURES_OF_SOURCE, now);
        if let Some(name) = name {
            let of_name =
                self.names.count(hash(name.as_bytes()), limits::LOGIN_FAILURES_OF_NAME, now);
            failures = failures.max(of_name);
        }
        let doublings = failures.saturating_sub(1).min(16);
        (limits::LOGIN_DELAY * (1 << doublings)).min(limits::MAX_LOGIN_DELAY)
    }
}

/// The failures of each key.
#[derive(Debug)]
struct Failures<K>(HashMap<K, Count>);

/// Failures of one key.
#[derive(Clone, Copy, Debug)]
struct Count {
    /// Since the last refusal.
    failures: u32,
    last: Instant,
    refused_until: Option<Instant>,
}

impl<K> Default for Failures<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Failures<K> {
    fn is_refused(&self, key: &K, now: Instant) -> bool {
        let until = self.0.get(key).and_then(|count| count.refused_until);
        until.is_some_and(|until| now < until)
    }

    /// Counts a failure. Returns the number of those that are not forgotten. The one that reaches `max` begins a refusal.
    fn count(&mut self, key: K, max: u32, now: Instant) -> u32 {
        if self.0.len() >= limits::LOGIN_TABLE && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let new = Count { failures: 0, last: now, refused_until: None };
        let count = self.0.entry(key).or_insert(new);
        if now.duration_since(count.last) >= limits::LOGIN_MEMORY {
            *count = new;
        }
        count.failures += 1;
        count.last = now;
        let failures = count.failures;
        if failures >= max {
            *count =
                Count { failures: 0, last: now, refused_until: Some(now + limits::LOGIN_REFUSAL) };
        }
        failures
    }

    /// Forgets what is old, or else the one that failed the longest time ago.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, count| now.duration_since(count.last) < limits::LOGIN_MEMORY);
        if self.0.len() >= limits::LOGIN_TABLE {
            let oldest = self.0.iter().min_by_key(|(_, count)| count.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Source {
        Source::of(&format!("10.0.0.{last}:1"))
    }

    #[test]
    fn each_failure_of_a_source_or_a_name_doubles_the_delay_up_to_a_bound() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let delays: Vec<_> = (0..9).map(|_| throttle.count(source(1), None, now)).collect();
        assert_eq!(delays[..3], [1, 2, 4].map(|times| limits::LOGIN_DELAY * times));
        assert_eq!(delays[8], limits::MAX_LOGIN_DELAY);
        let delays = [2, 3].map(|last| throttle.count(source(last), Some("alice"), now));
        assert_eq!(delays, [1, 2].map(|times| limits::LOGIN_DELAY * times));
        let later = now + limits::LOGIN_MEMORY;
        assert_eq!(throttle.count(source(1), Some("alice"), later), limits::LOGIN_DELAY);
    }

    #[test]
    fn many_failures_are_followed_by_a_refusal_that_ends() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..limits::LOGIN_FAILURES_OF_SOURCE {
            assert!(!throttle.is_refused(source(1), "alice", now));
            throttle.count(source(1), Some("alice"), now);
        }
        assert!(throttle.is_refused(source(1), "bob", now));
        assert!(!throttle.is_refused(source(2), "alice", now));
        assert!(!throttle.is_refused(source(1), "bob", now + limits::LOGIN_REFUSAL));
        let elsewhere = Source::of("[::1]:1");
        for number in 0..limits::LOGIN_FAILURES_OF_NAME {
            assert!(!throttle.is_refused(elsewhere, "bob", now), "{number}");
            throttle.count(source(number.to_le_bytes()[0]), Some("bob"), now);
        }
        assert!(throttle.is_refused(elsewhere, "bob", now));
        assert!(!throttle.is_refused(elsewhere, "bob", now + limits::LOGIN_REFUSAL));
    }

    #[test]
    fn the_tables_are_bounded() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..2 * limits::LOGIN_TABLE {
            throttle.count(source(1), Some(&number.to_string()), now);
        }
        assert_eq!(throttle.names.0.len(), limits::LOGIN_TABLE);
    }
}
