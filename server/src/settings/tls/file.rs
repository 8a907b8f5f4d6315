//! Files in PEM format.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use common::{escape::Quoted, reason::reason};
use rustls::pki_types::pem::{self, PemObject};

const MIB: u64 = 1024 * 1024;

/// The content of a PEM file.
pub(super) struct PemFile {
    /// The path as messages show it.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    /// Every user can read the file.
    pub(super) is_public: bool,
}

impl PemFile {
    /// Reads a file that holds `content`, at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn read(path: &Path, content: &str, limit: u64) -> Result<Self, String> {
        let name = Quoted(path.as_os_str().as_encoded_bytes()).to_string();
        let failed = |why: &dyn Display| {
            format!("cannot read {name}: {why}; give the path of a PEM file with {content}")
        };
        // A FIFO would block the open.
        match path.metadata() {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(failed(&"it is not a regular file")),
            Err(error) => return Err(failed(&reason(&error))),
        }
        let (bytes, mode) = read(path, limit).map_err(|error| failed(&reason(&error)))?;
        if bytes.len() as u64 > limit {
            return Err(failed(&format!("it is larger than {} MiB", limit / MIB)));
        }
        Ok(Self { name, bytes, is_public: mode & 0o004 != 0 })
    }

    /// Returns the objects of one kind; at least one.
    ///
    /// # Errors
    ///
    /// If there is none, or the file is not PEM.
    pub(super) fn objects<T: PemObject>(&self, kind: &str) -> Result<Vec<T>, String> {
        let objects = T::pem_slice_iter(&self.bytes).collect::<Result<Vec<T>, pem::Error>>();
        match objects {
            Ok(objects) if objects.is_empty() => {
                Err(format!("{} holds no {kind} in PEM format{}", self.name, self.explain(kind)))
            }
            Ok(objects) => Ok(objects),
            Err(error) => Err(format!("{} is not a valid PEM file: {error}", self.name)),
        }
    }

    /// Returns why a file holds no object of this kind, if it can tell, and what to do.
    fn explain(&self, kind: &str) -> &'static str {
        let has = |text: &[u8]| memchr::memmem::find(&self.bytes, text).is_some();
        let is_der = self.bytes.first() == Some(&0x30);
        match kind {
            "private key"
                if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") =>
            {
                "; its key is encrypted: decrypt it with 'openssl pkey -in FILE -out FILE'"
            }
            "private key" if is_der => {
                "; it seems to be DER: convert it with 'openssl pkey -inform der -in FILE -out FILE'"
            }
            "revocation list" if is_der => {
                "; it seems to be DER: convert it with 'openssl crl -inform der -in FILE -out FILE'"
            }
            _ if is_der => {
                "; it seems to be DER: convert it with 'openssl x509 -inform der -in FILE -out FILE'"
            }
            "private key" if has(b"BEGIN CERTIFICATE") => {
                ", only a certificate; give the file of its private key too"
            }
            "certificate" if has(b"PRIVATE KEY") => {
                ", only a private key; give the file of its certificate"
            }
            _ => "",
        }
    }
}

fn read(path: &Path, limit: u64) -> io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}
