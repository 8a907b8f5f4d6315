//! The pages for a browser: files that are part of the program.

use crate::config::limits;

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static [u8],
}

/// Headers of each file. The page loads nothing from elsewhere, runs no script but its own, makes no HTML from text, and is
/// in no frame. It is isolated from other pages, for which a browser gives it a clock with finer steps. Other clients receive
/// another response at its address.
pub(super) const HEADERS: &str = "\
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
require-trusted-types-for 'script'; trusted-types 'none'\r\n\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
Cross-Origin-Embedder-Policy: require-corp\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Vary: Accept, User-Agent\r\n\
Cache-Control: no-cache\r\n";

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Returns a file of the folder `page` under its path.
macro_rules! file {
    ($path:expr, $name:literal, $content_type:expr) => {
        File {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("page/", $name)),
        }
    };
    ($name:literal, $content_type:expr) => {
        file!(concat!("/page/", $name), $name, $content_type)
    };
}

/// Files of the page at `/` that sends messages and compares their echoes.
const ECHO: &[File] = &[file!("/", "index.html", HTML)];

/// Files of the page at `/` that is a member of rooms.
#[cfg(feature = "rooms")]
const ROOMS: &[File] = &[
    file!("/", "rooms/rooms.html", HTML),
    file!("rooms/rooms.css", STYLE),
    file!("rooms/rooms.js", SCRIPT),
    file!("rooms/log.js", SCRIPT),
    file!("rooms/members.js", SCRIPT),
    file!("rooms/room.js", SCRIPT),
    file!("rooms/sequence.js", SCRIPT),
    file!("rooms/socket.js", SCRIPT),
    file!("rooms/text.js", SCRIPT),
];

/// Files of both pages.
const SHARED: &[File] = &[
    file!("page.css", STYLE),
    file!("page.svg", "image/svg+xml"),
    file!("page.js", SCRIPT),
    file!("theme.js", SCRIPT),
    file!("bytes.js", SCRIPT),
    file!("charts.js", SCRIPT),
    file!("connection.js", SCRIPT),
    file!("format.js", SCRIPT),
    file!("histogram.js", SCRIPT),
    file!("messages.js", SCRIPT),
    file!("repeat.js", SCRIPT),
];

/// The page of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A WebSocket is echoed.
    Echo,
    /// A WebSocket is a member of rooms.
    #[cfg(feature = "rooms")]
    Rooms,
}

impl Page {
    /// Returns its files, apart from those of every page.
    const fn files(self) -> &'static [File] {
        match self {
            Self::Echo => ECHO,
            #[cfg(feature = "rooms")]
            Self::Rooms => ROOMS,
        }
    }

    /// Returns the file at this path.
    pub(super) fn find(self, path: &str) -> Option<File> {
        self.files().iter().chain(SHARED).find(|file| file.path == path).copied()
    }
}

/// A response is one reply, so it has to fit the send buffer with its head.
const fn check_lengths(files: &[File]) {
    let mut index = 0;
    while index < files.len() {
        assert!(files[index].body.len() + limits::HTTP_HEAD <= limits::SEND_BUFFER);
        index += 1;
    }
}

const _: () = check_lengths(ECHO);
#[cfg(feature = "rooms")]
const _: () = check_lengths(ROOMS);
const _: () = check_lengths(SHARED);

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, str};

    use super::*;

    const PAGES: &[Page] = &[
        Page::Echo,
        #[cfg(feature = "rooms")]
        Page::Rooms,
    ];

    fn files() -> impl Iterator<Item = &'static File> {
        PAGES.iter().flat_map(|page| page.files()).chain(SHARED)
    }

    /// Returns the paths that a file loads.
    fn loaded(file: &File) -> Vec<String> {
        let text = str::from_utf8(file.body).unwrap();
        let folder = file.path.rsplit_once('/').unwrap().0;
        let outer = folder.rsplit_once('/').unwrap_or_default().0;
        let bases = [("\"page/", "/page"), ("from \"./", folder), ("from \"../", outer)];
        let names = bases.into_iter().flat_map(|(before, base)| {
            let rests = text.split(before).skip(1);
            rests.map(move |rest| format!("{base}/{}", rest.split('"').next().unwrap()))
        });
        names.collect()
    }

    #[test]
    fn every_file_that_a_page_loads_is_served_and_no_other() {
        let mut all = BTreeSet::new();
        for page in PAGES {
            let mut paths = vec!["/".to_owned()];
            let mut seen = BTreeSet::new();
            while let Some(path) = paths.pop() {
                let file = page.find(&path).unwrap_or_else(|| panic!("{page:?} lacks {path}"));
                if seen.insert(path) {
                    paths.extend(loaded(&file));
                }
            }
            all.extend(seen);
        }
        assert_eq!(all, files().map(|file| file.path.to_owned()).collect());
    }

    #[test]
    fn the_page_has_no_inline_script_or_style_and_names_no_other_host() {
        for file in files() {
            let text = str::from_utf8(file.body).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for part in ["<style", " style=", "onclick=", "http://", "https://", "innerHTML"] {
                assert!(!text.contains(part), "{} has {part}", file.path);
            }
        }
    }
}
