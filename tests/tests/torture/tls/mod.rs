//! TLS: scanners, attacks, and thousands of connections.
//!
//! | module | what it tries |
//! |---|---|
//! | `scanners` | testssl.sh and sslyze have no finding above "low"; what TLS forbids gets the right alert |
//! | `under_load` | thousands of connections and of slow handshakes; reloads and restarts under load |
//!
//! The scanners are the Debian package `testssl.sh` and the Python packages `sslyze` and `tlslite-ng`:
//! `python3 -m venv DIR && DIR/bin/pip install sslyze tlslite-ng`, then `PATH=DIR/bin:$PATH make torture`.

mod scanners;
mod under_load;
