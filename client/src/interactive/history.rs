//! Where the history of what was typed is kept.
//!
//! Must not know what is in it. Having none is never a failure: what cannot be kept is forgotten.

use std::{env, ffi::OsString, fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::PathBuf};

/// The history file, its directory made; `None` if there is no place for one.
#[must_use]
pub fn file() -> Option<PathBuf> {
    let path = path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))?;
    // What someone types into a client is theirs alone.
    DirBuilder::new().recursive(true).mode(0o700).create(path.parent()?).ok()?;
    Some(path)
}

/// `$XDG_STATE_HOME/echo-client/history`, or what the XDG specification puts in its place where it is
/// not set or not absolute.
fn path(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let state =
        state.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".local/state")))?;
    Some(state.join("echo-client/history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_directory_then_the_home_then_none() {
        let at = |state: Option<&str>, home: Option<&str>| {
            path(state.map(OsString::from), home.map(OsString::from))
        };
        let in_home = Some(PathBuf::from("/home/me/.local/state/echo-client/history"));
        assert_eq!(at(Some("/s"), Some("/home/me")), Some("/s/echo-client/history".into()));
        assert_eq!(at(None, Some("/home/me")), in_home);
        assert_eq!(at(Some("relative"), Some("/home/me")), in_home);
        assert_eq!(at(Some(""), None), None);
    }
}
