//! Files of `--json` and `--histogram`.
//!
//! They are opened before the load, so that an unusable path is reported early, and written after it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use common::reason::reason;

use super::{document::Report, hlog};

/// Failure to open or write a file.
#[derive(Debug, thiserror::Error)]
#[error("Could not write {}: {}", .path.display(), reason(.error))]
pub(crate) struct Error {
    path: PathBuf,
    error: io::Error,
}

/// Open files of a report.
#[derive(Debug)]
pub(crate) struct ReportFiles {
    json: Option<ReportFile>,
    histogram: Option<ReportFile>,
}

#[derive(Debug)]
struct ReportFile {
    path: PathBuf,
    file: File,
}

impl ReportFiles {
    /// Opens and truncates the files: the report of an earlier load must not be taken for that of a load
    /// that fails.
    pub(crate) fn open(json: Option<&Path>, histogram: Option<&Path>) -> Result<Self, Error> {
        let open = |path: Option<&Path>| path.map(ReportFile::open).transpose();
        Ok(Self { json: open(json)?, histogram: open(histogram)? })
    }

    /// Writes the report to each file.
    ///
    /// # Panics
    ///
    /// Never: a report is representable in JSON.
    pub(crate) fn write(self, report: &Report) -> Result<(), Error> {
        if let Some(file) = self.json {
            let mut text = serde_json::to_vec_pretty(report).expect("a report is a JSON object");
            text.push(b'\n');
            file.write(&text)?;
        }
        if let Some(file) = self.histogram {
            file.write(&hlog::write(report))?;
        }
        Ok(())
    }
}

impl ReportFile {
    fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        match OpenOptions::new().write(true).create(true).truncate(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(Error { path, error }),
        }
    }

    fn write(mut self, content: &[u8]) -> Result<(), Error> {
        write_all(&mut self.file, content).map_err(|error| Error { path: self.path, error })
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
