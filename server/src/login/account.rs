//! The sessions of a user.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use thiserror::Error;

/// Reason for which a user gets no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum LoginError {
    /// The user was removed during the login.
    #[error("the user was removed")]
    Removed,
    /// The user has as many sessions as allowed.
    #[error("the user has {0} connections, as many as allowed")]
    TooManySessions(usize),
}

/// A user with open sessions.
#[derive(Debug)]
struct User {
    name: Box<str>,
    open: AtomicUsize,
    is_removed: AtomicBool,
}

/// One session in the count of its user; dropping it ends the session.
#[derive(Debug)]
pub(crate) struct Account(Arc<User>);

/// The users with open sessions.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// Also users whose last session has ended, until the next cleaning.
    users: HashMap<Box<str>, Arc<User>>,
    /// Number of users at which the table is cleaned. It doubles what is left, so that a login takes the same time however
    /// many users there are.
    clean_at: usize,
}

impl Account {
    /// Returns the name of the user.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns whether the user has been removed since the login.
    pub(crate) fn is_removed(&self) -> bool {
        self.0.is_removed.load(SeqCst)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
    }
}

impl Accounts {
    /// Counts a session of a user.
    ///
    /// `exists` is asked under the lock that [`mark_removed`](Self::mark_removed) takes after a change of the users: a user
    /// who is removed meanwhile is either refused here or marked there.
    pub(super) fn open(
        &self,
        name: &str,
        max: usize,
        exists: impl FnOnce() -> bool,
    ) -> Result<Account, LoginError> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !exists() {
            return Err(LoginError::Removed);
        }
        let Table { users, clean_at } = &mut *table;
        if users.len() >= *clean_at {
            // Otherwise the table would grow with every user that ever logged in.
            users.retain(|_, user| user.open.load(SeqCst) > 0);
            *clean_at = 2 * users.len() + 16;
        }
        let user = users.entry(name.into()).or_insert_with(|| {
            Arc::new(User {
                name: name.into(),
                open: AtomicUsize::new(0),
                is_removed: AtomicBool::new(false),
            })
        });
        if user.open.load(SeqCst) >= max {
            return Err(LoginError::TooManySessions(max));
        }
        user.open.fetch_add(1, SeqCst);
        Ok(Account(Arc::clone(user)))
    }

    /// Marks the users that no longer exist. Returns whether one of them has a session.
    pub(super) fn mark_removed(&self, exists: impl Fn(&str) -> bool) -> bool {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = table.users.len();
        table.users.retain(|name, user| {
            let exists = exists(name);
            // A user of the same name later is another one.
            user.is_removed.fetch_or(!exists, SeqCst);
            exists
        });
        table.users.len() < count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_until_they_end_and_the_table_is_cleaned() {
        let accounts = Accounts::default();
        let first = accounts.open("alice", 1, || true).unwrap();
        assert_eq!(accounts.open("alice", 1, || true).unwrap_err(), LoginError::TooManySessions(1));
        drop(first);
        let _second = accounts.open("alice", 1, || true).unwrap();
        for number in 0..1000 {
            accounts.open(&format!("user{number}"), 1, || true).unwrap();
        }
        assert!(accounts.0.lock().unwrap().users.len() < 50);
        assert_eq!(accounts.open("alice", 1, || true).unwrap_err(), LoginError::TooManySessions(1));
    }

    #[test]
    fn a_removed_user_stays_removed() {
        let accounts = Accounts::default();
        let [alice, bob] = ["alice", "bob"].map(|name| accounts.open(name, 9, || true).unwrap());
        assert!(!accounts.mark_removed(|_| true));
        assert!(accounts.mark_removed(|name| name == "bob"));
        let again = accounts.open("alice", 9, || true).unwrap();
        assert_eq!(accounts.open("carol", 9, || false).unwrap_err(), LoginError::Removed);
        assert_eq!([&alice, &bob, &again].map(Account::is_removed), [true, false, false]);
    }
}
