//! Comparison of two reports, as configured.

use std::path::PathBuf;

use super::{
    args::CompareArgs,
    report_config::{Contradiction, HTML, JSON, check_files, destination},
};
use crate::load::{evaluate::change::ChangeAssertion, report::files::Destinations};

/// Reports to compare, destinations of the comparison, and its assertions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CompareConfig {
    /// Report that is compared with.
    pub(crate) base: PathBuf,
    /// Report that is compared.
    pub(crate) other: PathBuf,
    /// Where the comparison goes.
    pub(crate) destinations: Destinations,
    /// Conditions on the changes.
    pub(crate) assertions: Vec<ChangeAssertion>,
    /// Only the verdict and the assertions are printed.
    pub(crate) is_quiet: bool,
}

impl TryFrom<CompareArgs> for CompareConfig {
    type Error = Contradiction;

    fn try_from(args: CompareArgs) -> Result<Self, Contradiction> {
        let CompareArgs { base, other, json, html, assertions, quiet } = args;
        check_files(&[(JSON, &json), (HTML, &html)], &[base.clone(), other.clone()])?;
        let destinations = Destinations {
            json: json.map(destination),
            html: html.map(destination),
            ..Destinations::default()
        };
        Ok(Self { base, other, destinations, assertions, is_quiet: quiet })
    }
}
