//! Report of a load, as configured: where it goes, and which assertions it has.

use std::{
    io,
    path::{Path, PathBuf},
};

use common::escape::Escaped;

use super::{args::ReportArgs, file_identity::FileIdentity};
use crate::load::{
    evaluate::assertion::Assertion,
    report::files::{Destination, STANDARD},
};

/// Destinations of a report, and its assertions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReportConfig {
    /// Destination of the report in JSON.
    pub(crate) json: Option<Destination>,
    /// Destination of the histogram log.
    pub(crate) histogram: Option<Destination>,
    /// Conditions on the report.
    pub(crate) assertions: Vec<Assertion>,
    /// Only the verdict and the assertions are printed.
    pub(crate) is_quiet: bool,
    /// A chart is drawn while the load runs.
    pub(crate) is_live: bool,
}

/// Contradiction between files.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Contradiction {
    /// One output would overwrite the other.
    #[error("'{JSON}' and '{HISTOGRAM}' name the same file")]
    SameFile,
    /// An output would overwrite error messages, or these it.
    #[error("'{0}' and standard error are the same file: redirect one of them to another file")]
    StandardError(&'static str),
    /// An output would overwrite a report that is merged.
    #[error("'{0}' would overwrite the input '{1}': choose another file")]
    Overwrites(&'static str, String),
    /// The messages of a file would be counted twice.
    #[error("the file '{0}' is given twice")]
    FileTwice(String),
}

const JSON: &str = "--json <FILE>";
const HISTOGRAM: &str = "--histogram <FILE>";

impl ReportConfig {
    /// Resolves the arguments of a report that is made from these input files.
    ///
    /// # Errors
    ///
    /// Two of the files are the same.
    pub(crate) fn resolve(args: ReportArgs, inputs: &[PathBuf]) -> Result<Self, Contradiction> {
        Self::resolve_beside(FileIdentity::of_descriptor(io::stderr()).as_ref(), args, inputs)
    }

    /// Does the same in a process with this standard error.
    fn resolve_beside(
        errors: Option<&FileIdentity>,
        args: ReportArgs,
        inputs: &[PathBuf],
    ) -> Result<Self, Contradiction> {
        let outputs = [(JSON, &args.json), (HISTOGRAM, &args.histogram)];
        let outputs = outputs.map(|(name, path)| Some((name, identity(path.as_deref()?, true)?)));
        if let [Some((_, json)), Some((_, histogram))] = &outputs
            && json == histogram
        {
            return Err(Contradiction::SameFile);
        }
        let mut known: Vec<(FileIdentity, String)> = Vec::new();
        for (name, output) in outputs.iter().flatten() {
            if output.has_content() && errors == Some(output) {
                return Err(Contradiction::StandardError(name));
            }
        }
        for path in inputs {
            let text = Escaped(path.as_os_str().as_encoded_bytes()).to_string();
            let Some(input) = identity(path, false) else { continue };
            if known.iter().any(|(other, _)| *other == input) {
                return Err(Contradiction::FileTwice(text));
            }
            known.push((input, text));
        }
        for (name, output) in outputs.into_iter().flatten().filter(|(_, it)| it.has_content()) {
            if let Some((_, input)) = known.iter().find(|(input, _)| *input == output) {
                return Err(Contradiction::Overwrites(name, input.clone()));
            }
        }
        Ok(Self {
            json: args.json.map(destination),
            histogram: args.histogram.map(destination),
            assertions: args.assertions,
            is_quiet: args.quiet,
            is_live: false,
        })
    }

    /// Returns `true` if standard output has the report, so that nothing else may be printed there.
    pub(crate) fn uses_standard_output(&self) -> bool {
        [&self.json, &self.histogram].contains(&&Some(Destination::StandardOutput))
    }
}

/// Returns the identity of a file, or of standard input or output for `-`.
fn identity(path: &Path, is_output: bool) -> Option<FileIdentity> {
    match path == Path::new(STANDARD) {
        true if is_output => FileIdentity::of_descriptor(io::stdout()),
        true => FileIdentity::of_descriptor(io::stdin()),
        false => FileIdentity::of_path(path),
    }
}

/// Returns the destination of a path. A second descriptor of standard output, such as `/dev/stdout`, would
/// overwrite what is written to the first.
fn destination(path: PathBuf) -> Destination {
    let stdout = FileIdentity::of_descriptor(io::stdout());
    let is_stdout = path == Path::new(STANDARD)
        || stdout.is_some_and(|stdout| FileIdentity::of_path(&path) == Some(stdout));
    if is_stdout { Destination::StandardOutput } else { Destination::File(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn resolve(json: &str, histogram: &str, inputs: &[&str]) -> Result<ReportConfig, String> {
        let path = |typed: &str| (!typed.is_empty()).then(|| PathBuf::from(typed));
        let args =
            ReportArgs { json: path(json), histogram: path(histogram), ..ReportArgs::default() };
        let inputs: Vec<_> = inputs.iter().map(PathBuf::from).collect();
        // The tests may run with any standard error, such as the file of their output.
        ReportConfig::resolve_beside(None, args, &inputs).map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_files_that_are_the_same_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("input"), "{}").unwrap();
        fs::hard_link(at("input"), at("link")).unwrap();
        let (input, link, new) = (at("input"), at("link"), at("new"));
        let same = "'--json <FILE>' and '--histogram <FILE>' name the same file";
        assert_eq!(resolve(&new, &at("./new"), &[]).unwrap_err(), same);
        let twice = format!("the file '{link}' is given twice");
        assert_eq!(resolve("", "", &[&input, &link]).unwrap_err(), twice);
        let overwrites =
            format!("'--json <FILE>' would overwrite the input '{input}': choose another file");
        assert_eq!(resolve(&link, "", &[&input]).unwrap_err(), overwrites);
        assert!(resolve(&new, &at("other"), &[&input]).is_ok());
        assert!(resolve("/dev/null", "/dev/null", &[]).is_ok());
    }

    #[test]
    fn a_hyphen_is_standard_output() {
        let config = resolve("-", "", &[]).unwrap();
        assert_eq!(config.json, Some(Destination::StandardOutput));
        assert!(config.uses_standard_output());
        let config = resolve("./-", "", &[]).unwrap();
        assert_eq!(config.json, Some(Destination::File("./-".into())));
        assert!(!config.uses_standard_output());
    }
}
