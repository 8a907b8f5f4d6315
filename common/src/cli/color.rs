//! Colors of a terminal.

/// Returns true if a terminal may get colors: see <https://no-color.org>.
#[must_use]
pub(super) fn has_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}
