//! Flags before and after a subcommand: each may be given once.

/// A flag is given before and after the subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the argument '{0}' is given before and after the subcommand")]
pub(crate) struct BeforeAndAfter(pub(super) &'static str);

/// Returns the value of a flag that is given at most once.
pub(super) fn either<T>(
    name: &'static str,
    one: Option<T>,
    other: Option<T>,
) -> Result<Option<T>, BeforeAndAfter> {
    match (one, other) {
        (Some(_), Some(_)) => Err(BeforeAndAfter(name)),
        (one, other) => Ok(one.or(other)),
    }
}
