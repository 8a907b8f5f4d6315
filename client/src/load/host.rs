//! What this machine has room for, and what we have used of it, as its system says it.
//!
//! Owns where the figures are found. A figure that is not found is no limit: the run will tell. Must
//! not know what they are compared with.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, geteuid, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};

/// Raises the soft limit on descriptors to the hard one, for the processes that inherit it too; says
/// what it is then. `None` is without limit.
#[must_use]
pub fn raise_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current
}

/// How many more processes the user may start, by the limit on users and that on control groups.
#[must_use]
pub fn processes_left() -> Option<u64> {
    // The system exempts root from the limit on users.
    let of_user = (!geteuid().is_root()).then(|| {
        let limit = getrlimit(Resource::Nproc);
        let _ = setrlimit(Resource::Nproc, Rlimit { current: limit.maximum, ..limit });
        let limit = getrlimit(Resource::Nproc).current?;
        Some(limit.saturating_sub(tasks_of(geteuid().as_raw())))
    });
    of_user.flatten().into_iter().chain(group_processes_left()).min()
}

/// The processes and threads that a user has.
fn tasks_of(user: u32) -> u64 {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let of_user =
        entries.flatten().filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == user));
    // A directory's links are itself, its name, and one of each directory in it: one a thread.
    let tasks =
        of_user.filter_map(|entry| Some(fs::metadata(entry.path().join("task")).ok()?.nlink()));
    tasks.map(|links| links.saturating_sub(2)).sum()
}

/// The least that a control group of this process leaves; versions 1 and 2.
fn group_processes_left() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let lines = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let mount = match fields.next()? {
            "" => "/sys/fs/cgroup",
            "pids" => "/sys/fs/cgroup/pids",
            _ => return None,
        };
        Some(Path::new(mount).join(fields.next()?.trim_start_matches('/')))
    });
    lines
        .flat_map(|group| group.ancestors().map(Path::to_path_buf).collect::<Vec<_>>())
        .filter_map(|group| {
            let number = |file: &str| first_number(&fs::read_to_string(group.join(file)).ok()?);
            Some(number("pids.max")?.saturating_sub(number("pids.current")?))
        })
        .min()
}

/// How many cores this process may use.
#[must_use]
pub fn cores() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

/// The first and the last of the ports that the system picks for connections.
#[must_use]
pub fn port_range() -> Option<(u16, u16)> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// From how many ports of which address of this machine there are connections to this server, or have
/// been within the last minute.
#[must_use]
pub fn ports_taken(server: SocketAddr) -> HashMap<IpAddr, u64> {
    let sockets = sockets("tcp", server.is_ipv4());
    ports_of(sockets.into_iter().filter(|socket| socket.remote == server))
}

/// How many ports of which address of this machine sockets for datagrams have, to whatever server: one
/// address gives each to one of them.
#[must_use]
pub fn udp_ports_taken(server: SocketAddr) -> HashMap<IpAddr, u64> {
    ports_of(sockets("udp", server.is_ipv4()).into_iter())
}

fn ports_of(sockets: impl Iterator<Item = ProcSocket>) -> HashMap<IpAddr, u64> {
    let mut taken = HashMap::new();
    sockets.for_each(|socket| *taken.entry(socket.local.ip()).or_default() += 1);
    taken
}

/// Datagrams that the system has thrown away because these sockets had no room for them, or because they
/// were damaged; `None` if it does not say. The sockets are known by the numbers of their inodes.
#[must_use]
pub fn datagrams_dropped(inodes: &BTreeSet<u64>, is_ipv4: bool) -> Option<u64> {
    let all = sockets("udp", is_ipv4);
    let ours: Vec<_> = all.iter().filter(|socket| inodes.contains(&socket.inode)).collect();
    if ours.len() < inodes.len() {
        return None;
    }
    ours.iter().map(|socket| socket.drops).sum()
}

/// What is read of a line of `/proc/net/tcp` and the like.
#[derive(Debug)]
struct ProcSocket {
    local: SocketAddr,
    remote: SocketAddr,
    inode: u64,
    /// Of sockets for datagrams.
    drops: Option<u64>,
}

fn sockets(protocol: &str, is_ipv4: bool) -> Vec<ProcSocket> {
    let version = if is_ipv4 { "" } else { "6" };
    let text = fs::read_to_string(format!("/proc/net/{protocol}{version}")).unwrap_or_default();
    let read = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        Some(ProcSocket {
            local: proc_address(fields.next()?)?,
            remote: proc_address(fields.next()?)?,
            inode: fields.nth(6)?.parse().ok()?,
            drops: fields.nth(2).and_then(|drops| drops.parse().ok()),
        })
    };
    text.lines().skip(1).filter_map(read).collect()
}

/// An address as `/proc/net/tcp` writes it: words of four bytes in the machine's order, in hexadecimal.
fn proc_address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let words = words
        .as_bytes()
        .chunks_exact(8)
        .map(|word| Some(u32::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes()));
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    let ip = match <[u8; 4]>::try_from(&octets[..]) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&octets[..]).ok()?),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// Whether the system gives a port to a new connection a second after the old one has ended, instead
/// of a minute.
#[must_use]
pub fn reuses_ports(is_loopback: bool) -> bool {
    let setting = fs::read_to_string("/proc/sys/net/ipv4/tcp_tw_reuse").ok();
    match setting.as_deref().and_then(first_number) {
        Some(1) => true,
        Some(2) => is_loopback,
        _ => false,
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// CPU time that this process has used, user and system.
#[must_use]
pub fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use rustix::fs::fstat;
    use socket2::SockRef;

    #[test]
    fn connections_to_a_server_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        assert!(ports_taken(server).is_empty());
        let _connections =
            [TcpStream::connect(server).unwrap(), TcpStream::connect(server).unwrap()];
        assert_eq!(ports_taken(server), [(server.ip(), 2)].into());
    }

    #[test]
    fn what_a_socket_had_no_room_for_is_counted() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let inodes = [&server, &client].map(|socket| fstat(socket).unwrap().st_ino);
        let dropped = |at: usize| datagrams_dropped(&[inodes[at]].into(), true);
        assert_eq!((dropped(0), dropped(1)), (Some(0), Some(0)));
        SockRef::from(&server).set_recv_buffer_size(4096).unwrap();
        for _ in 0..100 {
            client.send(&[0; 1000]).unwrap();
        }
        assert!(dropped(0) > Some(50), "{:?}", dropped(0));
        assert_eq!(dropped(1), Some(0));
        assert_eq!(datagrams_dropped(&[0].into(), true), None);
        assert!(
            udp_ports_taken(server.local_addr().unwrap())[&server.local_addr().unwrap().ip()] >= 2
        );
    }

    #[test]
    fn the_system_says_what_it_has() {
        assert!(cores() > 0);
        assert!(port_range().is_some_and(|(first, last)| first < last));
        assert!(tasks_of(geteuid().as_raw()) > 0);
        assert_eq!(first_number("max\n"), None);
        assert_eq!(first_number("42\n"), Some(42));
    }

    #[test]
    fn addresses_are_read_as_the_system_writes_them() {
        let word = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let text = format!("{}:FF98", word([127, 0, 0, 1]));
        assert_eq!(proc_address(&text), Some(([127, 0, 0, 1], 65432).into()));
        let zero = word([0; 4]);
        let text = format!("{zero}{zero}{zero}{}:0007", word([0, 0, 0, 1]));
        assert_eq!(proc_address(&text), "[::1]:7".parse().ok());
        for wrong in ["", "0100007F", "0100007F:", ":1", "0100:1", "GGGGGGGG:1"] {
            assert_eq!(proc_address(wrong), None, "{wrong}");
        }
    }
}
