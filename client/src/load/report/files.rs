//! Destinations of `--json`, `--html` and `--histogram`: files, or standard output.
//!
//! They are opened before the load, so that an unusable path is reported early, and written after it. Until then an existing file
//! keeps its content.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use common::{escape::Escaped, reason::reason};

use serde::Serialize;

use super::{document::Report, hlog, html};
use crate::stdio;

/// Name of standard input or output on the command line.
pub(crate) const STANDARD: &str = "-";

/// Destination of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Standard output, which then has nothing else.
    StandardOutput,
    /// File, pipe or device.
    File(PathBuf),
}

/// Failure to open or write a report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file cannot be opened or written.
    #[error("Could not write {}: {}", Escaped(.0.as_os_str().as_encoded_bytes()), reason(.1))]
    File(PathBuf, io::Error),
    /// Standard output cannot be written.
    #[error(transparent)]
    Stdio(#[from] stdio::Error),
}

/// Destinations of the formats of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destinations {
    /// Document in JSON.
    pub(crate) json: Option<Destination>,
    /// Page for a browser.
    pub(crate) html: Option<Destination>,
    /// Histogram log.
    pub(crate) histogram: Option<Destination>,
}

/// Open files of a report.
#[derive(Debug)]
pub(crate) struct ReportFiles {
    json: Option<ReportFile>,
    html: Option<ReportFile>,
    histogram: Option<ReportFile>,
}

/// Open file, or standard output.
#[derive(Debug)]
pub(crate) enum ReportFile {
    StandardOutput,
    File(PathBuf, File),
}

impl Destinations {
    /// Returns `true` if standard output has the report, so that nothing else may be printed there.
    pub(crate) fn use_standard_output(&self) -> bool {
        let all = [&self.json, &self.html, &self.histogram];
        all.contains(&&Some(Destination::StandardOutput))
    }
}

impl ReportFiles {
    /// Opens the files, and creates those that do not exist.
    pub(crate) fn open(destinations: &Destinations) -> Result<Self, Error> {
        let open = |it: &Option<Destination>| it.as_ref().map(ReportFile::open).transpose();
        let Destinations { json, html, histogram } = destinations;
        Ok(Self { json: open(json)?, html: open(html)?, histogram: open(histogram)? })
    }

    /// Writes the report to each file, or to `stdout`.
    pub(crate) fn write(self, report: &Report, stdout: &mut impl Write) -> Result<(), Error> {
        if let Some(file) = self.json {
            file.write(&json(report), stdout)?;
        }
        if let Some(file) = self.html {
            file.write(html::render(report).as_bytes(), stdout)?;
        }
        if let Some(file) = self.histogram {
            file.write(&hlog::write(report), stdout)?;
        }
        Ok(())
    }
}

/// Returns a document as text.
///
/// # Panics
///
/// Never: a document is representable in JSON.
pub(crate) fn json(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(document).expect("a report is a JSON object");
    text.push(b'\n');
    text
}

impl ReportFile {
    /// Opens a file, and creates it if it does not exist. It keeps its content, since there may never be a new one.
    pub(crate) fn open(destination: &Destination) -> Result<Self, Error> {
        let Destination::File(path) = destination else { return Ok(Self::StandardOutput) };
        let path = path.clone();
        match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            Ok(file) => Ok(Self::File(path, file)),
            Err(error) => Err(Error::File(path, error)),
        }
    }

    /// Writes its whole content, or to `stdout`.
    pub(crate) fn write(self, content: &[u8], stdout: &mut impl Write) -> Result<(), Error> {
        match self {
            Self::StandardOutput => match stdio::write(stdout, content) {
                // A reader that closes the output early does not change the result.
                Err(stdio::Error::OutputClosed) => Ok(()),
                written => Ok(written?),
            },
            Self::File(path, mut file) => {
                write_all(&mut file, content).map_err(|error| Error::File(path, error))
            }
        }
    }
}

fn write_all(file: &mut File, content: &[u8]) -> io::Result<()> {
    // Only a regular file can be truncated and synchronized; it may also be a pipe or a device.
    let is_file = file.metadata()?.is_file();
    if is_file {
        file.set_len(0)?;
    }
    file.write_all(content)?;
    file.flush()?;
    // Some file systems report only here that the disk is full.
    if is_file { file.sync_all() } else { Ok(()) }
}
