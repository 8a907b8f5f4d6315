//! One browser with one page.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::Driver;
use crate::{requirements::axe_core_path, wait::DEADLINE};

/// Keys of `WebDriver` without a character of their own.
pub mod keys {
    /// Enter, or return.
    pub const ENTER: &str = "\u{e007}";
    /// The tabulator.
    pub const TAB: &str = "\u{e004}";
    /// The space bar.
    pub const SPACE: &str = " ";
    /// The arrow to the right.
    pub const RIGHT: &str = "\u{e014}";
}

/// Property of an element in the answers of `WebDriver`, whose value is its id.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Flags that keep Chromium from everything but the page: it runs without a screen, as root, and in a closed network.
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
];

/// Preference of the reader that a page asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on a light background.
    Light,
    /// Light text on a dark background.
    Dark,
}

/// A browser has as many processes as the machine has cores, and more: several at a time miss deadlines.
static RUNNING: Mutex<()> = Mutex::new(());

/// Running browser, the only one of this process. Dropping this ends it.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    session: String,
    directory: TempDir,
    _running: MutexGuard<'static, ()>,
}

impl Browser {
    /// Starts a browser and opens a page.
    #[must_use]
    pub fn open(url: &str) -> Self {
        Self::start(url, false)
    }

    /// Like [`open`](Self::open), and records the requests for [`requested_urls`](Self::requested_urls). The driver keeps
    /// every frame of a WebSocket in this record, so the page must not send many.
    #[must_use]
    pub fn open_recorded(url: &str) -> Self {
        Self::start(url, true)
    }

    fn start(url: &str, is_recorded: bool) -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = TempDir::new().expect("the directory for temporary files is writable");
        let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
        let args: Vec<&str> = FLAGS.into_iter().chain([&profile[..]]).collect();
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                "args": args,
                "prefs": { "download.default_directory": directory.path() },
            },
            "timeouts": { "script": 2 * DEADLINE.as_millis() },
            "goog:loggingPrefs": { "performance": if is_recorded { "ALL" } else { "OFF" } },
        });
        let driver = Driver::start();
        let session = driver.start_session(&capabilities);
        let browser = Self { driver, session, directory, _running: running };
        browser.go_to(url);
        browser
    }

    /// Opens a page.
    pub fn go_to(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Returns the directory for its downloads.
    #[must_use]
    pub fn downloads(&self) -> &Path {
        self.directory.path()
    }

    /// Clicks on the element with the mouse.
    pub fn click(&self, selector: &str) {
        self.post(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    /// Types into the element, after it has the focus. For a file input: chooses the file with this path.
    pub fn type_into(&self, selector: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(selector));
        self.post(&path, &json!({ "text": text }));
    }

    /// Replaces the value of a field.
    pub fn replace(&self, selector: &str, text: &str) {
        self.post(&format!("/element/{}/clear", self.element(selector)), &json!({}));
        self.type_into(selector, text);
    }

    /// Presses and releases keys one by one, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let events: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": events });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Returns the visible text of the element.
    #[must_use]
    pub fn text(&self, selector: &str) -> String {
        let path = format!("{}/element/{}/text", self.session, self.element(selector));
        let text = self.driver.request("GET", &path, &Value::Null);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the text of the element matches `pattern`: see [`Browser::text_when`].
    pub fn wait_for_text(&self, selector: &str, pattern: &str) {
        let _ = self.text_when(selector, pattern);
    }

    /// Returns the text of the element when it matches `pattern`, a regular expression of JavaScript.
    ///
    /// # Panics
    ///
    /// If it does not at the deadline.
    #[must_use]
    pub fn text_when(&self, selector: &str, pattern: &str) -> String {
        let script = format!(
            "const [selector, pattern] = [{selector:?}, new RegExp({}, 'm')];
             const read = () => document.querySelector(selector)?.innerText ?? '';
             const end = () => {{ observer.disconnect(); done([pattern.test(read()), read()]); }};
             const observer = new MutationObserver(() => pattern.test(read()) && end());
             const all = {{ subtree: true, childList: true, characterData: true, attributes: true }};
             observer.observe(document, all);
             setTimeout(end, pattern.test(read()) ? 0 : {});",
            json!(pattern),
            DEADLINE.as_millis()
        );
        let result = self.run_async(&script);
        let text = result[1].as_str().unwrap_or_default().to_owned();
        assert!(result[0] == true, "{selector} does not match {pattern}: {text:?}");
        text
    }

    /// Runs a script in the page and returns its result.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs a script that calls `done` with its result.
    #[must_use]
    pub fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0]; {script}");
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Sets the theme that the system prefers.
    pub fn prefer(&self, theme: Theme) {
        let value = if theme == Theme::Dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.command("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Sets the width of the page, in CSS pixels, as on a phone.
    pub fn set_width(&self, width: u32) {
        let metrics =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true });
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Asserts that axe-core finds nothing in the page, in both themes and at each of these widths, and that nothing is wider than it.
    ///
    /// # Panics
    ///
    /// If it does, or axe-core is not installed.
    #[track_caller]
    pub fn expect_accessible(&self, widths: &[u32]) {
        let axe = fs::read_to_string(axe_core_path()).expect("axe-core is installed");
        let _ = self.run(&axe);
        for &width in widths {
            for theme in [Theme::Light, Theme::Dark] {
                self.prefer(theme);
                self.set_width(width);
                let faults = self.run_async(
                    "axe.run().then(({ violations }) => done(violations), (error) => done([String(error)]))",
                );
                assert_eq!(faults, Value::Array(Vec::new()), "{theme:?} at {width}");
                let page_width = self.run("return document.documentElement.scrollWidth");
                assert_eq!(page_width, width, "{theme:?}");
            }
        }
    }

    /// Returns the URLs of all requests, and of those for a `WebSocket`, since the start, or since the last call, without those of the browser's
    /// own first page.
    #[must_use]
    pub fn requested_urls(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "performance" }));
        let entries = log.as_array().expect("a log is a list").iter();
        let messages = entries.filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        events
            .filter_map(|event| {
                let (method, params) = (&event["message"]["method"], &event["message"]["params"]);
                let url = match method.as_str()? {
                    "Network.requestWillBeSent" => &params["request"]["url"],
                    "Network.webSocketCreated" => &params["url"],
                    _ => return None,
                };
                let is_own = |url: &&str| !url.starts_with("chrome:") && !url.starts_with("data:");
                url.as_str().filter(is_own).map(str::to_owned)
            })
            .collect()
    }

    fn command(&self, name: &str, params: &Value) {
        self.post("/goog/cdp/execute", &json!({ "cmd": name, "params": params }));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.driver.request("POST", &format!("{}{path}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.try_request("DELETE", &self.session, &Value::Null);
    }
}
