//! A real browser that a test drives by its input events: Chromium, over `WebDriver`.
//!
//! It must not know the pages. Start with [`Browser`].
//!
//! | module | what it owns |
//! |---|---|
//! | `session` | one browser with one page: mouse, keys, elements, requests that it made |
//! | `driver` | the process of the driver, and its HTTP |

mod driver;
mod session;

pub use self::session::{Browser, Theme, keys};
