//! Other programs that speak TLS, on both sides: each byte must return, and each end must be a clean one.
//!
//! | module | programs |
//! |---|---|
//! | `clients` | openssl, gnutls-cli, ncat, socat and Python as clients of `echo-server` |
//! | `proxies` | HAProxy and stunnel between the two programs, and socat as the server of `echo-client` |
//!
//! A test whose program is not installed is skipped; `.ci/run` installs all of them.

mod clients;
mod proxies;
