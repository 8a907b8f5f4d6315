//! Peers of the two programs, inside the test process.
//!
//! It must not know the programs. Start with [`Peer`], then [`FaultServer`].
//!
//! | module | what it owns |
//! |---|---|
//! | `peer` | a TCP client with exact expectations |
//! | [`mock_server`] | servers whose replies a test defines |
//! | `fault_server` | a TCP echo server with one fault |
//! | `udp_fault_server` | a UDP echo server with one fault |

mod fault_server;
pub mod mock_server;
mod peer;
mod udp_fault_server;

pub use self::{
    fault_server::{Fault, FaultServer},
    peer::{Peer, assert_same_bytes},
    udp_fault_server::{UdpFault, UdpFaultServer},
};
