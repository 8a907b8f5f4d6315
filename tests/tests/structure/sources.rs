//! The text of all sources of a package.

use std::{collections::BTreeMap, fs, path::Path};

/// Sources by their path below `src`, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Sources(pub(crate) BTreeMap<String, String>);

impl Sources {
    /// Reads all Rust files below a folder.
    pub(crate) fn read(src: &Path) -> Self {
        let mut sources = Self::default();
        sources.read_folder(src, "");
        sources
    }

    /// Returns the files at which crates begin, by Cargo's rule: the library and the programs.
    pub(crate) fn crate_roots(&self) -> Vec<&str> {
        let is_root = |path: &&str| {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            *path == "lib.rs" || name == "main.rs" || folder == "bin"
        };
        self.0.keys().map(|path| &path[..]).filter(is_root).collect()
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) {
        let entries = fs::read_dir(folder)
            .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8");
            let below = format!("{prefix}{name}");
            if path.is_dir() {
                self.read_folder(&path, &format!("{below}/"));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
                self.0.insert(below, text);
            }
        }
    }
}
