//! The policy for datagrams: the rules by which they are answered or refused. The source address of a datagram
//! can be forged.
//!
//! An echo server answers every datagram with one of the same size, so a forged source could use it to start
//! an endless exchange between two services (CA-1996-01), or to send chosen bytes in its name to a service
//! that accepts commands. RFC 862 does not mention this.
//!
//! The policy knows neither sockets nor clocks: it receives datagrams and the time.

use std::{
    convert::Infallible,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::Sender,
    },
    time::Instant,
};

use super::{
    rate_limit::RateLimit,
    route::{Arrival, Route},
};
use crate::{
    admission::{DatagramRefusal, source},
    config::{ListenerOptions, limits::LOG_THROTTLE},
    faults::ListenerFaults,
    metrics::ListenerMetrics,
    telemetry::{LogThrottle, Suppressed},
};

/// Ports of services that answer datagrams. A datagram from one of them is an answer, and is never answered.
/// Services that answer any datagram would start an endless exchange (echo, qotd, daytime, chargen, time); the
/// others are known targets of requests with forged sources (CISA alert TA14-017A).
const SERVICES: [u16; 30] = [
    0,     // no return path (RFC 768)
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

/// The policy of one address of a UDP listener, for all its workers.
#[derive(Debug)]
pub(crate) struct UdpPolicy {
    /// The address as the log names it.
    pub(crate) address: String,
    pub(crate) port: u16,
    /// The limit of all addresses of the listener.
    rate_limit: Arc<RateLimit>,
    refusals: [Mutex<LogThrottle>; DatagramRefusal::KINDS],
    failures: Mutex<LogThrottle>,
    is_closing: AtomicBool,
    /// The counters of the listener.
    pub(crate) counters: Arc<ListenerMetrics>,
    /// The faults of all addresses of the listener.
    pub(crate) faults: Arc<ListenerFaults>,
    /// A worker could not register its socket.
    pub(crate) has_failed: AtomicBool,
    /// Dropped with the last reference to this policy, when every worker has closed its socket.
    closed: OnceLock<Sender<Infallible>>,
}

/// The decision about one datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    /// The route of the answer, or the reason why there is none.
    pub(super) route: Result<Route, DatagramRefusal>,
    /// The source whose rate limit has not been applied.
    unlimited: Option<IpAddr>,
}

impl UdpPolicy {
    pub(crate) fn new(
        address: String,
        port: u16,
        options: &ListenerOptions,
        counters: Arc<ListenerMetrics>,
    ) -> Self {
        Self::since(Instant::now(), address, port, options, counters)
    }

    /// Returns the policy of a listener that exists since this time.
    pub(super) fn since(
        now: Instant,
        address: String,
        port: u16,
        options: &ListenerOptions,
        counters: Arc<ListenerMetrics>,
    ) -> Self {
        let rate_limit = Arc::new(RateLimit::new(options.rate, now));
        let faults = Arc::new(ListenerFaults::new(options.faults.as_ref(), now));
        Self::with_shared(address, port, rate_limit, faults, counters)
    }

    /// Returns the policy for another address of the same listener.
    pub(crate) fn at_address(
        &self,
        address: String,
        port: u16,
        counters: Arc<ListenerMetrics>,
    ) -> Self {
        let (rate_limit, faults) = (Arc::clone(&self.rate_limit), Arc::clone(&self.faults));
        Self::with_shared(address, port, rate_limit, faults, counters)
    }

    fn with_shared(
        address: String,
        port: u16,
        rate_limit: Arc<RateLimit>,
        faults: Arc<ListenerFaults>,
        counters: Arc<ListenerMetrics>,
    ) -> Self {
        let throttle = || Mutex::new(LogThrottle::new(LOG_THROTTLE));
        Self {
            address,
            port,
            rate_limit,
            refusals: std::array::from_fn(|_| throttle()),
            failures: throttle(),
            is_closing: AtomicBool::new(false),
            counters,
            faults,
            has_failed: AtomicBool::new(false),
            closed: OnceLock::new(),
        }
    }

    /// Adds the verdicts about these datagrams to `verdicts`. `own_ports` are the ports on which the server listens.
    pub(crate) fn judge(
        &self,
        arrivals: &[Arrival],
        own_ports: &[u16],
        now: Instant,
        verdicts: &mut Vec<Verdict>,
    ) {
        let first = verdicts.len();
        verdicts.extend(arrivals.iter().map(|arrival| {
            let route = check(arrival, own_ports);
            let unlimited = route.is_ok().then(|| source(arrival.from.ip()));
            Verdict { route, unlimited }
        }));
        if let Some(rate) = self.rate_limit.rate() {
            self.limit(&mut verdicts[first..], rate, now);
        }
    }

    /// Applies the rate limit: one look-up for each source. The first datagrams of a source have its tokens.
    fn limit(&self, verdicts: &mut [Verdict], rate: NonZeroU32, now: Instant) {
        for first in 0..verdicts.len() {
            let Some(source) = verdicts[first].unlimited else { continue };
            let same = |verdict: &&mut Verdict| verdict.unlimited == Some(source);
            let wanted = verdicts[first..].iter_mut().filter(same).count() as u64;
            let mut left = self.rate_limit.take(source, wanted, rate, now);
            for verdict in verdicts[first..].iter_mut().filter(same) {
                verdict.unlimited = None;
                match left.checked_sub(1) {
                    Some(less) => left = less,
                    None => verdict.route = Err(DatagramRefusal::RateLimited(rate)),
                }
            }
        }
    }

    /// Sets the limit on answers per second and source. `None`: unlimited.
    pub(crate) fn set_rate(&self, rate: Option<NonZeroU32>) {
        self.rate_limit.set(rate);
    }

    /// Returns the number of suppressed lines if a refusal may be logged now.
    pub(crate) fn allow_log(&self, refusal: DatagramRefusal, now: Instant) -> Option<Suppressed> {
        allow(&self.refusals[refusal.kind()], now)
    }

    /// Returns the number of suppressed lines if a failed answer may be logged now.
    pub(crate) fn allow_failure_log(&self, now: Instant) -> Option<Suppressed> {
        allow(&self.failures, now)
    }

    /// Asks the workers to close their sockets. `closed` is dropped when all have.
    pub(crate) fn close(self: Arc<Self>, closed: Sender<Infallible>) {
        // A second close changes nothing.
        let _ = self.closed.set(closed);
        self.is_closing.store(true, SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(SeqCst)
    }
}

/// Returns the route of the answer to a datagram, if nothing but its rate may forbid it.
fn check(arrival: &Arrival, own_ports: &[u16]) -> Result<Route, DatagramRefusal> {
    let port = arrival.from.port();
    if !arrival.is_unicast {
        return Err(DatagramRefusal::NotUnicast);
    }
    if SERVICES.contains(&port) {
        return Err(DatagramRefusal::ServicePort(port));
    }
    if own_ports.contains(&port) {
        return Err(DatagramRefusal::OwnPort(port));
    }
    arrival.route_back().ok_or(DatagramRefusal::HopLimitExhausted)
}

fn allow(throttle: &Mutex<LogThrottle>, now: Instant) -> Option<Suppressed> {
    throttle.lock().unwrap_or_else(PoisonError::into_inner).allow(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [u16; 2] = [65432, 7007];

    fn policy(rate: u32) -> UdpPolicy {
        let counters = Arc::new(ListenerMetrics::new(String::new(), "udp", 1));
        let address = "udp://127.0.0.1:65432".to_owned();
        let options = ListenerOptions { rate: NonZeroU32::new(rate), ..Default::default() };
        UdpPolicy::new(address, 65432, &options, counters)
    }

    fn judge(policy: &UdpPolicy, arrivals: &[Arrival]) -> Vec<Result<Route, DatagramRefusal>> {
        let mut verdicts = Vec::new();
        policy.judge(arrivals, &OWN, Instant::now(), &mut verdicts);
        verdicts.into_iter().map(|verdict| verdict.route).collect()
    }

    fn refusal(policy: &UdpPolicy, arrival: &Arrival) -> Option<DatagramRefusal> {
        judge(policy, &[*arrival]).remove(0).err()
    }

    fn from(address: &str) -> Arrival {
        Arrival::unicast(address.parse().unwrap(), 1)
    }

    #[test]
    fn a_datagram_from_an_ordinary_port_is_answered() {
        let policy = policy(0);
        for address in ["127.0.0.1:5000", "10.1.2.3:65535", "[::1]:49152", "10.1.2.3:1024"] {
            assert_eq!(refusal(&policy, &from(address)), None, "{address}");
        }
    }

    #[test]
    fn a_datagram_from_a_service_port_is_never_answered() {
        let policy = policy(0);
        for port in [0, 7, 13, 17, 19, 37, 53, 69, 111, 123, 137, 161, 389, 1900, 5353, 11211] {
            for ip in ["10.1.2.3", "[2001:db8::1]"] {
                let refused = refusal(&policy, &from(&format!("{ip}:{port}")));
                assert_eq!(refused, Some(DatagramRefusal::ServicePort(port)));
            }
        }
    }

    #[test]
    fn a_server_with_the_same_configuration_is_not_answered() {
        let policy = policy(0);
        assert_eq!(refusal(&policy, &from("127.0.0.1:7007")), Some(DatagramRefusal::OwnPort(7007)));
        assert_eq!(
            refusal(&policy, &from("192.0.2.1:65432")),
            Some(DatagramRefusal::OwnPort(65432))
        );
    }

    #[test]
    fn a_datagram_that_is_not_unicast_is_not_answered() {
        let mut arrival = from("10.1.2.3:5000");
        arrival.is_unicast = false;
        assert_eq!(refusal(&policy(0), &arrival), Some(DatagramRefusal::NotUnicast));
    }

    /// Two servers that answer each other: each answer has fewer hops left, so the exchange ends.
    #[test]
    fn an_exchange_between_two_servers_ends() {
        let policy = policy(0);
        let mut arrival = from("10.1.2.3:5000");
        arrival.hops = u8::MAX;
        let mut rounds = 0;
        while let Ok(route) = judge(&policy, &[arrival]).remove(0) {
            arrival.hops = route.hops;
            rounds += 1;
            assert!(rounds < 1000, "the exchange never ends");
        }
        assert_eq!(refusal(&policy, &arrival), Some(DatagramRefusal::HopLimitExhausted));
        assert_eq!(rounds, 254);
    }

    #[test]
    fn the_rate_limit_counts_an_address_whatever_its_ports_or_an_ipv6_network() {
        let policy = policy(1);
        let is_refused = |address| refusal(&policy, &from(address)).is_some();
        assert!(!is_refused("10.0.0.1:5000"));
        assert!(is_refused("10.0.0.1:5001"));
        assert!(!is_refused("[2001:db8::1]:5000"));
        assert!(is_refused("[2001:db8::2]:5000"));
        policy.set_rate(None);
        assert!(!is_refused("[2001:db8::2]:5000"));
    }

    #[test]
    fn a_datagram_refused_for_another_reason_does_not_count_for_the_rate_limit() {
        let policy = policy(1);
        assert!(refusal(&policy, &from("10.0.0.1:7")).is_some());
        assert_eq!(refusal(&policy, &from("10.0.0.1:5000")), None);
    }

    #[test]
    fn each_source_of_a_batch_has_its_own_tokens_and_its_first_datagrams_have_them() {
        let policy = policy(2);
        let batch = ["10.0.0.1:5000", "10.0.0.2:5000", "10.0.0.1:7", "10.0.0.1:5001"];
        let batch = batch.into_iter().chain(["10.0.0.1:5000", "10.0.0.2:5000", "[::1]:5000"]);
        let refusals = judge(&policy, &batch.map(from).collect::<Vec<_>>());
        let refusals = refusals.into_iter().map(Result::err);
        let limited = DatagramRefusal::RateLimited(NonZeroU32::new(2).unwrap());
        let service = DatagramRefusal::ServicePort(7);
        let expected = [None, None, Some(service), None, Some(limited), None, None];
        assert_eq!(refusals.collect::<Vec<_>>(), expected);
        assert_eq!(refusal(&policy, &from("10.0.0.2:5000")), Some(limited));
    }

    #[test]
    fn each_kind_of_refusal_is_logged_once_per_interval() {
        let (policy, now) = (policy(0), Instant::now());
        let (service, own) = (DatagramRefusal::ServicePort(7), DatagramRefusal::OwnPort(1));
        let allowed = |refusal, at| policy.allow_log(refusal, at).map(|line| line.to_string());
        assert_eq!(allowed(service, now), Some(String::new()));
        assert_eq!(allowed(service, now), None);
        assert_eq!(allowed(own, now), Some(String::new()));
        let later = " (1 more since the last such line)".to_owned();
        assert_eq!(allowed(service, now + LOG_THROTTLE), Some(later));
    }
}
