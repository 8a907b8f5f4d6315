use std::{net::SocketAddr, time::Duration};

use super::{
    capacity::{HostCapacity, check},
    ports::{LocalPorts, select_sources},
    shortage::Shortage,
};
use crate::load::{
    ipc::worker_config::{Pace, Stop},
    plan::{job::Plan, size_range::SizeRange},
};

fn plan(processes: u32, connections: u32) -> Plan {
    Plan {
        processes,
        connections,
        pace: Pace::Depth(1),
        stop: Stop::After(Duration::from_secs(10)),
        sizes: SizeRange { min: 64, max: 64 },
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        fault_log: None,
        expects_receipt: false,
        seed: 1,
        room: None,
        start_at: None,
    }
}

fn address(ip: [u8; 4]) -> SocketAddr {
    (ip, 7).into()
}

fn ports() -> LocalPorts {
    LocalPorts { per_address: 28_064, ..LocalPorts::default() }
}

#[test]
fn compares_the_descriptors_of_each_process() {
    let capacity = HostCapacity { descriptors: Some(1024), ..HostCapacity::default() };
    assert_eq!(check(&plan(50, 1008), &capacity), Ok(()));
    let shortage = check(&plan(1, 1009), &capacity).unwrap_err();
    assert_eq!(shortage, Shortage::Descriptors { connections: 1009, needed: 1025, limit: 1024 });
    assert!(shortage.to_string().contains("ulimit -n 1025"), "{shortage}");
    assert_eq!(check(&plan(496, 1), &capacity), Ok(()));
    let shortage = check(&plan(497, 1), &capacity).unwrap_err();
    assert!(matches!(shortage, Shortage::CoordinatorDescriptors { needed: 1026, .. }));
    assert_eq!(check(&plan(500, 1_000_000), &HostCapacity::default()), Ok(()));
}

#[test]
fn compares_the_processes_of_the_user() {
    let capacity = HostCapacity { processes: Some(49), ..HostCapacity::default() };
    assert_eq!(check(&plan(49, 1), &capacity), Ok(()));
    let shortage = check(&plan(50, 1), &capacity).unwrap_err();
    assert_eq!(shortage, Shortage::Processes { processes: 50, left: 49 });
}

#[test]
fn uses_more_loopback_addresses_if_one_has_too_few_ports() {
    let (loopback, remote) = (address([127, 0, 0, 1]), address([192, 0, 2, 1]));
    for server in [loopback, remote] {
        assert_eq!(select_sources(&plan(1, 28_000), server, &ports()), Ok(Vec::new()));
    }
    let hosts = |plan, ports| -> Vec<String> {
        let sources = select_sources(&plan, loopback, &ports).unwrap();
        sources.iter().map(ToString::to_string).collect()
    };
    let two = ["127.0.0.1", "127.0.0.2"];
    assert_eq!(hosts(plan(1, 28_001), ports()), two);
    assert_eq!(hosts(plan(1, 56_000), ports()), two);
    assert_eq!(hosts(plan(1, 56_001), ports()).len(), 3);
    // An earlier run has left ports in use, so two addresses have too few for a share.
    let in_use = [([127, 0, 0, 1].into(), 20_000), ([127, 0, 0, 2].into(), 20_000)];
    let after = LocalPorts { in_use: in_use.into(), ..ports() };
    assert_eq!(hosts(plan(1, 20_000), after.clone()), ["127.0.0.3"]);
    assert_eq!(hosts(plan(1, 24_000), after), ["127.0.0.3"]);
    let shortage = select_sources(&plan(1, 28_001), remote, &ports()).unwrap_err();
    assert_eq!(shortage, Shortage::Ports { needed: 28_001, free: 28_000 });
    assert!(select_sources(&plan(8, 1_000_000), loopback, &ports()).is_err());
}

#[test]
fn a_closed_connection_keeps_its_port_for_a_minute() {
    let remote = address([192, 0, 2, 1]);
    let churn = |per_second, seconds| Plan {
        pace: Pace::Rate(per_second),
        stop: Stop::After(Duration::from_secs(seconds)),
        churn: Some(10),
        ..plan(1, 1000)
    };
    // 4,500 messages per second with a connect for every ten: 27,000 ports in a minute, and 1,000
    // connections.
    assert_eq!(select_sources(&churn(4500.0, 600), remote, &ports()), Ok(Vec::new()));
    let shortage = select_sources(&churn(4600.0, 600), remote, &ports()).unwrap_err();
    assert_eq!(shortage, Shortage::ChurnPorts { needed: 28_600, free: 28_000 });
    // The load ends before a minute has passed.
    assert_eq!(select_sources(&churn(4600.0, 10), remote, &ports()), Ok(Vec::new()));
    // Ports are reused after a second.
    let reused = LocalPorts { are_reused: true, ..ports() };
    assert_eq!(select_sources(&churn(4600.0, 600), remote, &reused), Ok(Vec::new()));
    // A fixed number of messages, and a connect for every ten.
    let counted = |messages| Plan { stop: Stop::Messages(messages), ..churn(1e6, 1) };
    let counted = |messages| Plan { pace: Pace::Depth(1), ..counted(messages) };
    assert_eq!(select_sources(&counted(280), remote, &ports()), Ok(Vec::new()));
    assert!(select_sources(&counted(281), remote, &ports()).is_err());
}
