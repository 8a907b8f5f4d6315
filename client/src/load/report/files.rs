//! Where a load's results go besides the screen: the files of `--json` and `--histogram`.
//!
//! They are opened before the load, so that a mistake is known at once, and written behind it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::load::{
    args::ResultArgs,
    error::Failure,
    report::{document::Report, hlog},
};

/// The files, open.
#[derive(Debug)]
pub struct Files {
    json: Option<Sink>,
    histogram: Option<Sink>,
}

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    file: File,
}

impl Files {
    /// Opens what was asked for, and empties it: what is there of an earlier load must not be taken for
    /// the result of one that fails.
    ///
    /// # Errors
    ///
    /// [`Failure::Write`]
    pub fn open(args: &ResultArgs) -> Result<Self, Failure> {
        let open = |path: &Option<PathBuf>| path.as_deref().map(Sink::open).transpose();
        Ok(Self { json: open(&args.json)?, histogram: open(&args.histogram)? })
    }

    /// Writes the report.
    ///
    /// # Errors
    ///
    /// [`Failure::Write`]: the disk is full, for one.
    ///
    /// # Panics
    ///
    /// Never: a report can be said in JSON.
    pub fn write(self, report: &Report) -> Result<(), Failure> {
        if let Some(sink) = self.json {
            let mut text = serde_json::to_vec_pretty(report).expect("a report is a JSON object");
            text.push(b'\n');
            sink.write(&text)?;
        }
        if let Some(sink) = self.histogram {
            sink.write(&hlog::write(report))?;
        }
        Ok(())
    }
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        let path = path.to_owned();
        match OpenOptions::new().write(true).create(true).truncate(true).open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(Failure::Write { path, error }),
        }
    }

    fn write(mut self, content: &[u8]) -> Result<(), Failure> {
        replace(&mut self.file, content).map_err(|error| Failure::Write { path: self.path, error })
    }
}

fn replace(file: &mut File, content: &[u8]) -> io::Result<()> {
    // A pipe or a device has nothing to be replaced.
    if file.metadata()?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(content)?;
    file.flush()?;
    // Some file systems say only now that there was no room.
    if file.metadata()?.is_file() { file.sync_all() } else { Ok(()) }
}
