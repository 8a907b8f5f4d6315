//! Report of a load, as configured: where it goes, and which assertions it has.

use std::{
    io,
    path::{Path, PathBuf},
};

use common::escape::Escaped;

use super::{args::ReportArgs, file_identity::FileIdentity};
use crate::load::{
    evaluate::assertion::Assertion,
    report::files::{Destination, Destinations, STANDARD},
};

/// Destinations of a report, and its assertions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReportConfig {
    /// Where it goes.
    pub(crate) destinations: Destinations,
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
    #[error("'{0}' and '{1}' name the same file")]
    SameFile(&'static str, &'static str),
    /// An output would overwrite error messages, or these it.
    #[error("'{0}' and standard error are the same file: redirect one of them to another file")]
    StandardError(&'static str),
    /// An output would overwrite a report that is merged.
    #[error("'{0}' would overwrite the input '{1}': choose another file")]
    Overwrites(&'static str, String),
    /// The messages of a file would be counted twice, or compared with themselves.
    #[error("the file '{0}' is given twice")]
    FileTwice(String),
}

pub(super) const JSON: &str = "--json <FILE>";
pub(super) const HTML: &str = "--html <FILE>";
const HISTOGRAM: &str = "--histogram <FILE>";

impl ReportConfig {
    /// Resolves the arguments of a report that is made from these input files.
    ///
    /// # Errors
    ///
    /// Two of the files are the same.
    pub(crate) fn resolve(args: ReportArgs, inputs: &[PathBuf]) -> Result<Self, Contradiction> {
        let outputs = [(JSON, &args.json), (HTML, &args.html), (HISTOGRAM, &args.histogram)];
        check_files(&outputs, inputs)?;
        Ok(Self {
            destinations: Destinations {
                json: args.json.map(destination),
                html: args.html.map(destination),
                histogram: args.histogram.map(destination),
            },
            assertions: args.assertions,
            is_quiet: args.quiet,
            is_live: false,
        })
    }
}

/// Checks that outputs, each with the name of its argument, and inputs are different files.
pub(super) fn check_files(
    outputs: &[(&'static str, &Option<PathBuf>)],
    inputs: &[PathBuf],
) -> Result<(), Contradiction> {
    check_files_beside(FileIdentity::of_descriptor(io::stderr()).as_ref(), outputs, inputs)
}

/// Does the same in a process with this standard error.
fn check_files_beside(
    errors: Option<&FileIdentity>,
    outputs: &[(&'static str, &Option<PathBuf>)],
    inputs: &[PathBuf],
) -> Result<(), Contradiction> {
    let mut written: Vec<(&'static str, FileIdentity)> = Vec::new();
    for (name, path) in outputs {
        let Some(output) = path.as_deref().and_then(|path| identity(path, true)) else { continue };
        if let Some((other, _)) = written.iter().find(|(_, known)| *known == output) {
            return Err(Contradiction::SameFile(other, name));
        }
        written.push((name, output));
    }
    written.retain(|(_, output)| output.has_content());
    if let Some((name, _)) = written.iter().find(|(_, output)| errors == Some(output)) {
        return Err(Contradiction::StandardError(name));
    }
    let mut known: Vec<(FileIdentity, String)> = Vec::new();
    for path in inputs {
        let text = Escaped(path.as_os_str().as_encoded_bytes()).to_string();
        let Some(input) = identity(path, false) else { continue };
        if known.iter().any(|(other, _)| *other == input) {
            return Err(Contradiction::FileTwice(text));
        }
        known.push((input, text));
    }
    for (name, output) in written {
        if let Some((_, input)) = known.iter().find(|(input, _)| *input == output) {
            return Err(Contradiction::Overwrites(name, input.clone()));
        }
    }
    Ok(())
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
pub(super) fn destination(path: PathBuf) -> Destination {
    let stdout = FileIdentity::of_descriptor(io::stdout());
    let is_stdout = path == Path::new(STANDARD)
        || stdout.is_some_and(|stdout| FileIdentity::of_path(&path) == Some(stdout));
    if is_stdout { Destination::StandardOutput } else { Destination::File(path) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Checks `--json`, `--html` and `--histogram`, which are absent if they are empty. The tests may run with any standard
    /// error, such as the file of their output.
    fn check(outputs: [&str; 3], inputs: &[&str]) -> Result<(), String> {
        let outputs = outputs.map(|typed| (!typed.is_empty()).then(|| PathBuf::from(typed)));
        let [json, html, histogram] = &outputs;
        let inputs: Vec<_> = inputs.iter().map(PathBuf::from).collect();
        check_files_beside(None, &[(JSON, json), (HTML, html), (HISTOGRAM, histogram)], &inputs)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_files_that_are_the_same_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("input"), "{}").unwrap();
        fs::hard_link(at("input"), at("link")).unwrap();
        let (input, link, new) = (at("input"), at("link"), at("new"));
        let same = "'--json <FILE>' and '--histogram <FILE>' name the same file";
        assert_eq!(check([&new, "", &at("./new")], &[]).unwrap_err(), same);
        let same = "'--json <FILE>' and '--html <FILE>' name the same file";
        assert_eq!(check([&new, &at("./new"), ""], &[]).unwrap_err(), same);
        let same = "'--html <FILE>' and '--histogram <FILE>' name the same file";
        assert_eq!(check(["", &new, &new], &[]).unwrap_err(), same);
        let twice = format!("the file '{link}' is given twice");
        assert_eq!(check(["", "", ""], &[&input, &link]).unwrap_err(), twice);
        for (argument, outputs) in [("--json", [&link[..], "", ""]), ("--html", ["", &link, ""])] {
            let overwrites = format!(
                "'{argument} <FILE>' would overwrite the input '{input}': choose another file"
            );
            assert_eq!(check(outputs, &[&input]).unwrap_err(), overwrites);
        }
        assert!(check([&new, &at("page"), &at("other")], &[&input]).is_ok());
        assert!(check(["/dev/null", "/dev/null", "/dev/null"], &[]).is_ok());
    }

    #[test]
    fn a_hyphen_is_standard_output() {
        for (html, is_standard) in [("-", true), ("./-", false)] {
            let destinations =
                Destinations { html: Some(destination(html.into())), ..Destinations::default() };
            assert_eq!(destinations.use_standard_output(), is_standard, "{html}");
        }
        assert_eq!(destination("./-".into()), Destination::File("./-".into()));
    }
}
