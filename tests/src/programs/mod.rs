//! The two programs as processes: where they are, and how to start, feed, read and end them.
//!
//! It knows their command lines and their output, not their code. Start with [`EchoServer`], then [`Program`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`binaries`] | the paths of the two programs, built from the current sources |
//! | `echo_server` | a running `echo-server`, its addresses and its log |
//! | `tls_echo_server` | one with TLS, and the CA of its certificate |
//! | `http_proxy` | nginx or `HAProxy` in front of a server |
//! | `program` | a program whose standard streams are pipes |
//! | `terminal` | a program in a pseudo-terminal, and its screen |
//! | `load` | a run of `echo-client load`, its processes and its report |
//! | `strace` | system calls that fail |
//! | `output` | the output of a program, collected and waited for |

pub mod binaries;
mod echo_server;
mod http_proxy;
mod load;
mod output;
mod program;
mod strace;
mod terminal;
mod tls_echo_server;

pub use self::{
    echo_server::{EchoServer, Launch},
    http_proxy::HttpProxy,
    load::{Load, Report},
    output::Output,
    program::{Finished, Program},
    strace::Strace,
    terminal::{Terminal, keys},
    tls_echo_server::TlsEchoServer,
};
