//! Who is answered. Nobody knows who has sent a datagram, only who it says has.
//!
//! An echo server answers anything with as much, so it must not be made the tool of somebody who forges a
//! source: to start an exchange between two services that never ends (CA-1996-01), or to send bytes of
//! his choice, in our name, to a service that takes orders from anyone. RFC 862 says nothing of that.
//!
//! It knows neither sockets nor clocks: it is shown datagrams and told the time.

use std::{
    convert::Infallible,
    fmt,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::Sender,
    },
    time::Instant,
};

use super::socket::{Arrival, Route};
use crate::{limits::COMPLAINT_INTERVAL, open::source, throttle::Throttle};

/// Ports of services that answer whoever asks, so that what comes from there is an answer itself: never
/// answered. Those that answer anything at all would go on with us for ever (echo, qotd, daytime, chargen,
/// time); the others are known for being asked in the name of others (CISA alert TA14-017A).
const SERVICES: [u16; 30] = [
    0,     // nobody: there is no way back (RFC 768)
    7,     // echo (RFC 862)
    13,    // daytime (RFC 867)
    17,    // quote of the day (RFC 865)
    19,    // character generator (RFC 864)
    37,    // time (RFC 868)
    53,    // DNS
    67,    // DHCP server
    69,    // TFTP
    88,    // Kerberos
    111,   // portmapper
    123,   // NTP
    137,   // NetBIOS names
    138,   // NetBIOS datagrams
    161,   // SNMP
    177,   // XDMCP
    389,   // CLDAP
    427,   // SLP
    500,   // IKE
    520,   // RIP
    623,   // IPMI
    1434,  // SQL Server browser
    1900,  // SSDP
    3283,  // Apple Remote Desktop
    3478,  // STUN
    3702,  // WS-Discovery
    5060,  // SIP
    5353,  // multicast DNS
    5683,  // CoAP
    11211, // memcached
];

/// Why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It was sent to others besides: all of them would answer.
    ToMany,
    /// It comes from the port of a service that answers itself.
    Service(u16),
    /// It comes from a port on which this very server listens.
    Own(u16),
    /// It has been on its way for as long as a datagram may.
    Worn,
    /// Its source has had its answers for now: so many a second.
    TooOften(NonZeroU32),
}

/// What holds for whoever sends to one listener, for all its workers.
#[derive(Debug)]
pub(crate) struct Rules {
    /// As the log names it.
    pub(crate) address: String,
    pub(crate) port: u16,
    rate: super::rate::Rate,
    refusals: [Mutex<Throttle>; Refusal::KINDS],
    failures: Mutex<Throttle>,
    withdrawn: AtomicBool,
    /// Dropped with the last who knows these rules: when every worker has closed its socket.
    closed: OnceLock<Sender<Infallible>>,
}

impl Rules {
    pub(crate) fn new(address: String, port: u16, rate: Option<NonZeroU32>) -> Self {
        let throttle = || Mutex::new(Throttle::new(COMPLAINT_INTERVAL));
        Self {
            address,
            port,
            rate: super::rate::Rate::new(rate, Instant::now()),
            refusals: std::array::from_fn(|_| throttle()),
            failures: throttle(),
            withdrawn: AtomicBool::new(false),
            closed: OnceLock::new(),
        }
    }

    /// How a datagram is answered, on a server that itself listens on the ports `own`.
    ///
    /// # Errors
    ///
    /// Why it is not.
    pub(crate) fn judge(
        &self,
        arrival: &Arrival,
        own: &[u16],
        now: Instant,
    ) -> Result<Route, Refusal> {
        let port = arrival.from.port();
        if !arrival.is_unicast {
            return Err(Refusal::ToMany);
        }
        if SERVICES.contains(&port) {
            return Err(Refusal::Service(port));
        }
        if own.contains(&port) {
            return Err(Refusal::Own(port));
        }
        let route = arrival.route_back().ok_or(Refusal::Worn)?;
        self.rate.take(source(arrival.from.ip()), now).map_err(Refusal::TooOften)?;
        Ok(route)
    }

    /// From now on, each source is answered so often a second; `None`: any number.
    pub(crate) fn set_rate(&self, rate: Option<NonZeroU32>) {
        self.rate.set(rate);
    }

    /// Whether the log should be told of a refusal now; if so, how many it has not been told of.
    pub(crate) fn complain(&self, refusal: Refusal, now: Instant) -> Option<u64> {
        pass(&self.refusals[refusal.kind()], now)
    }

    /// The same of an answer that could not be sent.
    pub(crate) fn complain_of_failure(&self, now: Instant) -> Option<u64> {
        pass(&self.failures, now)
    }

    /// Has the workers close their sockets as soon as they look. `closed` is dropped when they have.
    pub(super) fn withdraw(self: Arc<Self>, closed: Sender<Infallible>) {
        // Whoever withdraws it twice hears of it no later.
        let _ = self.closed.set(closed);
        self.withdrawn.store(true, SeqCst);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(SeqCst)
    }
}

fn pass(throttle: &Mutex<Throttle>, now: Instant) -> Option<u64> {
    throttle.lock().unwrap_or_else(PoisonError::into_inner).pass(now)
}

impl Refusal {
    const KINDS: usize = 5;

    fn kind(self) -> usize {
        match self {
            Self::ToMany => 0,
            Self::Service(_) => 1,
            Self::Own(_) => 2,
            Self::Worn => 3,
            Self::TooOften(_) => 4,
        }
    }
}

impl fmt::Display for Refusal {
    /// What follows "Did not answer a datagram: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToMany => f.write_str("it was sent to a broadcast or multicast address"),
            Self::Service(port) => {
                write!(f, "port {port} is that of a service that would answer in turn")
            }
            Self::Own(port) => write!(f, "this server listens on port {port} itself"),
            Self::Worn => {
                f.write_str("its hop limit is used up, as when two servers answer each other")
            }
            Self::TooOften(rate) => {
                write!(f, "its source may be answered {rate} times a second (?rate=)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const OWN: [u16; 2] = [65432, 7007];

    fn rules(rate: u32) -> Rules {
        Rules::new("udp://127.0.0.1:65432".to_owned(), 65432, NonZeroU32::new(rate))
    }

    fn judged(rules: &Rules, arrival: &Arrival) -> Option<Refusal> {
        rules.judge(arrival, &OWN, Instant::now()).err()
    }

    fn from(address: &str) -> Arrival {
        Arrival::one(address.parse().unwrap(), 1)
    }

    #[test]
    fn whoever_asks_from_a_port_of_his_own_is_answered() {
        let rules = rules(0);
        for address in ["127.0.0.1:5000", "10.1.2.3:65535", "[::1]:49152", "10.1.2.3:1024"] {
            assert_eq!(judged(&rules, &from(address)), None, "{address}");
        }
    }

    #[test]
    fn a_service_is_never_answered() {
        let rules = rules(0);
        for port in [0, 7, 13, 17, 19, 37, 53, 69, 111, 123, 137, 161, 389, 1900, 5353, 11211] {
            for ip in ["10.1.2.3", "[2001:db8::1]"] {
                let refused = judged(&rules, &from(&format!("{ip}:{port}")));
                assert_eq!(refused, Some(Refusal::Service(port)));
            }
        }
    }

    #[test]
    fn a_server_of_the_same_configuration_is_not_answered_wherever_it_is() {
        let rules = rules(0);
        assert_eq!(judged(&rules, &from("127.0.0.1:7007")), Some(Refusal::Own(7007)));
        assert_eq!(judged(&rules, &from("192.0.2.1:65432")), Some(Refusal::Own(65432)));
    }

    #[test]
    fn who_was_sent_to_many_is_not_answered() {
        let mut arrival = from("10.1.2.3:5000");
        arrival.is_unicast = false;
        assert_eq!(judged(&rules(0), &arrival), Some(Refusal::ToMany));
    }

    /// Two servers that both answer: each answer may go less far, so there is a last one.
    #[test]
    fn what_two_servers_pass_to_and_fro_comes_to_an_end() {
        let rules = rules(0);
        let mut arrival = from("10.1.2.3:5000");
        arrival.hops = u8::MAX;
        let mut rounds = 0;
        while let Ok(route) = rules.judge(&arrival, &OWN, Instant::now()) {
            arrival.hops = route.hops;
            rounds += 1;
            assert!(rounds < 1000, "it never ends");
        }
        assert_eq!(judged(&rules, &arrival), Some(Refusal::Worn));
        assert_eq!(rounds, 254);
    }

    #[test]
    fn a_source_is_an_address_whatever_its_ports_or_an_ipv6_network() {
        let rules = rules(1);
        let refused = |address| judged(&rules, &from(address)).is_some();
        assert!(!refused("10.0.0.1:5000"));
        assert!(refused("10.0.0.1:5001"));
        assert!(!refused("[2001:db8::1]:5000"));
        assert!(refused("[2001:db8::2]:5000"));
        rules.set_rate(None);
        assert!(!refused("[2001:db8::2]:5000"));
    }

    #[test]
    fn who_is_refused_for_another_reason_does_not_use_up_a_source_s_rate() {
        let rules = rules(1);
        assert!(judged(&rules, &from("10.0.0.1:7")).is_some());
        assert_eq!(judged(&rules, &from("10.0.0.1:5000")), None);
    }

    #[test]
    fn each_kind_of_refusal_is_told_of_once_an_interval() {
        let (rules, now) = (rules(0), Instant::now());
        let address: SocketAddr = "10.0.0.1:7".parse().unwrap();
        let (service, own) = (Refusal::Service(address.port()), Refusal::Own(1));
        assert_eq!(rules.complain(service, now), Some(0));
        assert_eq!(rules.complain(service, now), None);
        assert_eq!(rules.complain(own, now), Some(0));
        assert_eq!(rules.complain(service, now + COMPLAINT_INTERVAL), Some(1));
    }
}
