//! Names for several faults, after the network or server that they imitate.

/// Faults that imitate a network or a server: a name for several faults with figures from a stated source.
///
/// ```
/// use server::{FaultProfile, Faults};
///
/// let profile = FaultProfile::ALL.iter().find(|profile| profile.name == "slow-3g").unwrap();
/// assert_eq!("fault-profile=slow-3g".parse::<Faults>()?, profile.faults.parse()?);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultProfile {
    /// Its name, as in `fault-profile=NAME`.
    pub name: &'static str,
    /// What it imitates.
    pub description: &'static str,
    /// The faults of a listener with connections, as parameters of its URL.
    pub faults: &'static str,
    /// The faults of a UDP listener. `None`: the profile is for connections.
    pub datagrams: Option<&'static str>,
    /// The source of the figures.
    pub source: &'static str,
}

impl FaultProfile {
    /// All profiles.
    pub const ALL: &[Self] = &[
        Self {
            name: "slow-3g",
            description: "A slow mobile network: 400 kbit/s in each direction, and 400 ms more for a round trip.",
            faults: "delay=400ms&throttle=50000B/s",
            datagrams: Some("delay=400ms&throttle=50000B/s"),
            source: "The profile '3G Slow' of WebPageTest: 400 kbit/s down and up, a round trip of 400 ms, no loss.",
        },
        Self {
            name: "lossy-wifi",
            description: "Wi-Fi with weak reception: a round trip takes a little longer most times and much longer sometimes, \
                          and UDP loses datagrams.",
            faults: "jitter=42ms:pareto",
            datagrams: Some("jitter=42ms:pareto&drop=1%"),
            source: "Pei et al., 'WiFi Can Be the Weakest Link of Round Trip Network Latency in the Wild', INFOCOM 2016: of the \
                     packets, more than 50% waited longer than 20 ms for Wi-Fi, and 10% longer than 100 ms. The Pareto \
                     distribution is our choice; with a mean of 42 ms, 53% wait longer than 20 ms, and 9.5% longer than 100 ms. TCP sends \
                     lost packets again, so its loss is a delay. The loss of 1% over UDP is our choice.",
        },
        Self {
            name: "flaky-backend",
            description: "A server that fails for a few of its clients: it refuses some, resets some in the middle of an answer, \
                          and is silent for 2 s before it answers others.",
            faults: "refuse=2%&reset-after=1kB@2%&stall-after=0B:2s@5%",
            datagrams: None,
            source: "The figures are our choice: of 100 connections, about 2 are refused, 2 are reset and 5 wait for 2 s.",
        },
        Self {
            name: "half-open",
            description: "A peer that has vanished: the connection opens and stays open, and nothing comes back.",
            faults: "truncate=0B",
            datagrams: None,
            source: "RFC 9293, section 3.5.1, describes half-open connections. There are no figures.",
        },
        Self {
            name: "overloaded",
            description: "A server with more work than it can do: it accepts late, answers late, and refuses some.",
            faults: "refuse=10%&accept-delay=500ms&jitter=200ms:exponential",
            datagrams: None,
            source: "In a queue with one server and random arrivals (M/M/1), the time to an answer is exponentially distributed. \
                     The figures are our choice.",
        },
    ];

    /// Returns the profile of this name.
    ///
    /// # Errors
    ///
    /// The names of all profiles.
    pub(super) fn find(name: &str) -> Result<&'static Self, String> {
        Self::ALL.iter().find(|profile| profile.name == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|profile| profile.name).collect();
            format!("expected the name of a profile: {}", names.join(", "))
        })
    }
}
