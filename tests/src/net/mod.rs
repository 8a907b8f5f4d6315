//! Peers of the two programs, inside the test process.
//!
//! It must not know the programs. Start with [`Peer`], then [`FaultServer`].
//!
//! | module | what it owns |
//! |---|---|
//! | `peer` | a TCP client with exact expectations |
//! | [`mock_server`] | servers whose replies a test defines |
//! | `admin_server` | an admin listener whose answers a test defines |
//! | `byte_changer` | a relay that changes bytes of the replies |
//! | `lossy_proxy` | a proxy that loses, adds or changes bytes of one direction |
//! | `fault_server` | a TCP echo server with one fault |
//! | `room_fault_server` | a room server with one fault |
//! | `test_ca` | a CA, and the certificates that it issues |
//! | `tls_front` | TLS in front of another server, with one fault if the test needs it |
//! | `tls_server` | a TLS echo server, with one fault if the test needs it |
//! | `udp_fault_server` | a UDP echo server with one fault |
//! | `websocket_server` | a WebSocket echo server, with one fault if the test needs it |

mod admin_server;
mod byte_changer;
mod fault_server;
mod lossy_proxy;
pub mod mock_server;
mod peer;
mod room_fault_server;
mod test_ca;
mod tls_front;
mod tls_server;
mod udp_fault_server;
mod websocket_server;

pub use self::{
    admin_server::AdminServer,
    byte_changer::change_replies,
    fault_server::{Fault, FaultServer},
    lossy_proxy::{Damage, Direction, lossy_proxy},
    peer::{Peer, assert_same_bytes},
    room_fault_server::{FAULTY, RoomFault, RoomFaultServer},
    test_ca::{Certificate, TestCa},
    tls_front::{TlsFront, TlsFrontFault},
    tls_server::{TlsFault, TlsServer, TlsServerConfig},
    udp_fault_server::{UdpFault, UdpFaultServer},
    websocket_server::{FLOOD, WebSocketFault, WebSocketServer},
};
