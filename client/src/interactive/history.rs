//! Location of the history file.
//!
//! Must not know its content. A missing history is never a failure.

use std::{env, ffi::OsString, fs::DirBuilder, os::unix::fs::DirBuilderExt as _, path::PathBuf};

/// Returns the history file, after creating its directory; `None` if there is no place for it.
pub(super) fn file() -> Option<PathBuf> {
    let path = path(env::var_os("XDG_STATE_HOME"), env::var_os("HOME"))?;
    // Other users must not read what the user has typed.
    DirBuilder::new().recursive(true).mode(0o700).create(path.parent()?).ok()?;
    Some(path)
}

/// Returns `$XDG_STATE_HOME/echo-client/history`, with the default of the XDG Base Directory Specification
/// if the variable is unset or not absolute.
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
    fn prefers_the_state_directory_then_the_home_then_has_no_file() {
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
