use super::*;
use crate::load::{args::Sizes, ipc::wire::Pace};

fn plan(processes: u32, connections: u32) -> Plan {
    Plan {
        processes,
        connections,
        pace: Pace::Depth(1),
        stop: Stop::After(Duration::from_secs(10)),
        sizes: Sizes { min: 64, max: 64 },
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        seed: 1,
    }
}

fn address(ip: [u8; 4]) -> SocketAddr {
    (ip, 7).into()
}

fn ports() -> Ports {
    Ports { each: 28_064, ..Ports::default() }
}

#[test]
fn descriptors_are_of_each_process() {
    let room = Room { descriptors: Some(1024), ..Room::default() };
    assert_eq!(check(&plan(50, 1008), &room), Ok(()));
    let shortage = check(&plan(1, 1009), &room).unwrap_err();
    assert_eq!(shortage, Shortage::Descriptors { connections: 1009, needed: 1025, limit: 1024 });
    assert!(shortage.to_string().contains("ulimit -n 1025"), "{shortage}");
    assert_eq!(check(&plan(496, 1), &room), Ok(()));
    let shortage = check(&plan(497, 1), &room).unwrap_err();
    assert!(matches!(shortage, Shortage::ParentDescriptors { needed: 1026, .. }));
    assert_eq!(check(&plan(500, 1_000_000), &Room::default()), Ok(()));
}

#[test]
fn processes_are_of_the_user() {
    let room = Room { processes: Some(49), ..Room::default() };
    assert_eq!(check(&plan(49, 1), &room), Ok(()));
    let shortage = check(&plan(50, 1), &room).unwrap_err();
    assert_eq!(shortage, Shortage::Processes { processes: 50, left: 49 });
}

#[test]
fn ports_suffice_or_are_taken_from_further_addresses_of_the_loopback() {
    let (near, far) = (address([127, 0, 0, 1]), address([192, 0, 2, 1]));
    for server in [near, far] {
        assert_eq!(sources(&plan(1, 28_000), server, &ports()), Ok(Vec::new()));
    }
    let hosts = |plan, ports| -> Vec<String> {
        let sources = sources(&plan, near, &ports).unwrap();
        sources.iter().map(ToString::to_string).collect()
    };
    let two = ["127.0.0.1", "127.0.0.2"];
    assert_eq!(hosts(plan(1, 28_001), ports()), two);
    assert_eq!(hosts(plan(1, 56_000), ports()), two);
    assert_eq!(hosts(plan(1, 56_001), ports()).len(), 3);
    // What another run has left behind takes ports, and its sources have no room for a share.
    let taken = [([127, 0, 0, 1].into(), 20_000), ([127, 0, 0, 2].into(), 20_000)];
    let after = Ports { taken: taken.into(), ..ports() };
    assert_eq!(hosts(plan(1, 20_000), after.clone()), ["127.0.0.3"]);
    assert_eq!(hosts(plan(1, 24_000), after), ["127.0.0.3"]);
    let shortage = sources(&plan(1, 28_001), far, &ports()).unwrap_err();
    assert_eq!(shortage, Shortage::Ports { needed: 28_001, left: 28_000 });
    assert!(sources(&plan(8, 1_000_000), near, &ports()).is_err());
}

#[test]
fn connections_that_have_ended_keep_their_ports_for_a_minute() {
    let far = address([192, 0, 2, 1]);
    let churn = |per_second, seconds| Plan {
        pace: Pace::Rate(per_second),
        stop: Stop::After(Duration::from_secs(seconds)),
        churn: Some(10),
        ..plan(1, 1000)
    };
    // 4,500 a second, each tenth of which connects anew: 27,000 in a minute, besides 1,000.
    assert_eq!(sources(&churn(4500.0, 600), far, &ports()), Ok(Vec::new()));
    let shortage = sources(&churn(4600.0, 600), far, &ports()).unwrap_err();
    assert_eq!(shortage, Shortage::PortsOfChurn { needed: 28_600, left: 28_000 });
    // It ends before a minute has passed.
    assert_eq!(sources(&churn(4600.0, 10), far, &ports()), Ok(Vec::new()));
    // They are had again after a second.
    let reused = Ports { are_reused: true, ..ports() };
    assert_eq!(sources(&churn(4600.0, 600), far, &reused), Ok(Vec::new()));
    // So many messages, and a connection for each ten of them.
    let counted = |messages| Plan { stop: Stop::Messages(messages), ..churn(1e6, 1) };
    let counted = |messages| Plan { pace: Pace::Depth(1), ..counted(messages) };
    assert_eq!(sources(&counted(280), far, &ports()), Ok(Vec::new()));
    assert!(sources(&counted(281), far, &ports()).is_err());
}
