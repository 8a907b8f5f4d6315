//! Destinations of `--json` and `--histogram`: files, or standard output.
//!
//! They are opened before the load, so that an unusable path is reported early, and written after it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use common::{escape::Escaped, reason::reason};

use super::{document::Report, hlog};
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

/// Open files of a report.
#[derive(Debug)]
pub(crate) struct ReportFiles {
    json: Option<ReportFile>,
    histogram: Option<ReportFile>,
}

#[derive(Debug)]
enum ReportFile {
    StandardOutput,
    File(PathBuf, File),
}

impl ReportFiles {
    /// Opens and truncates the files: the report of an earlier load must not be taken for that of a load
    /// that fails.
    pub(crate) fn open(
        json: Option<&Destination>,
        histogram: Option<&Destination>,
    ) -> Result<Self, Error> {
        let open = |it: Option<&Destination>| it.map(ReportFile::open).transpose();
        Ok(Self { json: open(json)?, histogram: open(histogram)? })
    }

    /// Writes the report to each file, or to `stdout`.
    ///
    /// # Panics
    ///
    /// Never: a report is representable in JSON.
    pub(crate) fn write(self, report: &Report, stdout: &mut impl Write) -> Result<(), Error> {
        if let Some(file) = self.json {
            let mut text = serde_json::to_vec_pretty(report).expect("a report is a JSON object");
            text.push(b'\n');
            file.write(&text, stdout)?;
        }
        if let Some(file) = self.histogram {
            file.write(&hlog::write(report), stdout)?;
        }
        Ok(())
    }
}

impl ReportFile {
    fn open(destination: &Destination) -> Result<Self, Error> {
        let Destination::File(path) = destination else { return Ok(Self::StandardOutput) };
        let path = path.clone();
        match OpenOptions::new().write(true).create(true).truncate(true).open(&path) {
            Ok(file) => Ok(Self::File(path, file)),
            Err(error) => Err(Error::File(path, error)),
        }
    }

    fn write(self, content: &[u8], stdout: &mut impl Write) -> Result<(), Error> {
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
