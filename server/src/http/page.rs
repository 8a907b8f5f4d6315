//! The page for a browser: files that are part of the program.

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

const FILES: [File; 12] = [
    file!("/", "index.html", HTML),
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

/// A response is one reply, so it has to fit the send buffer with its head.
const _: () = {
    let mut index = 0;
    while index < FILES.len() {
        assert!(FILES[index].body.len() + limits::HTTP_HEAD <= limits::SEND_BUFFER);
        index += 1;
    }
};

/// Returns the file at this path.
pub(super) fn find(path: &str) -> Option<File> {
    FILES.into_iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, str};

    use super::*;

    #[test]
    fn every_file_that_the_page_loads_is_served_and_no_other() {
        let mut loaded = BTreeSet::from(["/".to_owned()]);
        for file in FILES {
            let text = str::from_utf8(file.body).unwrap();
            for before in ["\"page/", "from \"./"] {
                let names = text.split(before).skip(1).filter_map(|rest| rest.split('"').next());
                loaded.extend(names.map(|name| format!("/page/{name}")));
            }
        }
        assert_eq!(loaded, FILES.iter().map(|file| file.path.to_owned()).collect());
    }

    #[test]
    fn the_page_has_no_inline_script_or_style_and_names_no_other_host() {
        for file in FILES {
            let text = str::from_utf8(file.body).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for part in ["<style", " style=", "onclick=", "http://", "https://", "innerHTML"] {
                assert!(!text.contains(part), "{} has {part}", file.path);
            }
        }
    }
}
