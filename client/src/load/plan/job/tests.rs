use super::*;
use crate::load::ipc::worker_config::Framing;
use clap::{Args as _, FromArgMatches as _};

fn job(args: &[&str]) -> Result<Job, Contradiction> {
    let command = LoadArgs::augment_args(clap::Command::new("load"));
    let matches = command.try_get_matches_from([&["load"], args].concat()).unwrap();
    Job::try_from(LoadArgs::from_arg_matches(&matches).unwrap())
}

fn plan(args: &[&str]) -> Plan {
    match job(args).unwrap() {
        Job::Run(plan, _) | Job::FindRate(plan, ..) => plan,
        Job::Merge(..) | Job::Compare(..) => panic!("no load"),
    }
}

#[test]
fn without_arguments_it_is_a_closed_loop_of_ten_seconds() {
    let plan = plan(&[]);
    let expected = Plan {
        processes: 1,
        connections: 10,
        pace: Pace::Depth(1),
        stop: Stop::After(Duration::from_secs(10)),
        sizes: SizeRange { min: 64, max: 64 },
        warmup: Duration::ZERO,
        churn: None,
        expect_restart: false,
        fault_log: None,
        expects_receipt: false,
        seed: plan.seed,
        room: None,
        start_at: None,
    };
    assert_eq!(plan, expected);
}

#[test]
fn steps_of_a_search_are_short_and_have_a_warmup() {
    let step = plan(&["--find-rate", "p99<5ms"]);
    assert_eq!((step.stop, step.warmup), (Stop::After(DEFAULT_STEP_DURATION), DEFAULT_STEP_WARMUP));
    let step = plan(&["--find-rate", "p99<5ms", "--duration", "1s", "--warmup", "0s"]);
    assert_eq!(step.duration(), Some(Duration::from_secs(1)));
}

#[test]
fn an_open_loop_has_no_depth() {
    assert_eq!(plan(&["--pipeline", "2", "--rate", "5"]).pace, Pace::Rate(5.0));
}

#[test]
fn random_seeds_differ() {
    assert_ne!(plan(&[]).seed, plan(&[]).seed);
    assert_eq!(plan(&["--seed", "7"]).seed, 7);
}

#[test]
fn refuses_by_name_what_udp_does_not_support() {
    let check = |args: &[&str]| job(args).unwrap().check_udp();
    assert_eq!(check(&["--size", "16-65507", "--pipeline", "8"]), Ok(()));
    for (args, named) in [
        (["--churn", "5"], "'--churn <MESSAGES>' cannot be used over UDP"),
        (["--expect-restart", "--quiet"], "'--expect-restart' cannot be used over UDP"),
        (["--size", "15-64"], "is 15 to 64, and a datagram of a load has 16"),
        (["--size", "65508"], "to 65507"),
    ] {
        let error = check(&args).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn refuses_contradictions_by_name() {
    let error = |args| job(args).unwrap_err().to_string();
    let text = error(&["--json", "report", "--histogram", "report"]);
    assert!(text.contains("--json") && text.contains("--histogram"), "{text}");
    let text = error(&["--messages", "2", "--find-rate", "p99<5ms"]);
    assert!(text.contains("--messages") && text.contains("--find-rate"), "{text}");
    let text = error(&["--rate", "0.1", "--warmup", "1s", "--duration", "1s"]);
    assert!(text.contains("--rate") && text.contains("--duration"), "{text}");
    assert!(job(&["--rate", "0.1", "--duration", "1s"]).is_ok());
    assert!(job(&["--rate", "2", "--warmup", "500ms", "--duration", "1ms"]).is_ok());
    let text = error(&["--processes", "1000", "--connections", "100000"]);
    assert!(text.contains("100000000") && text.contains("--connections"), "{text}");
}

#[test]
fn a_room_has_one_sender_unless_it_is_told() {
    let room = |args: &[&str]| plan(&[&["--room"], args].concat()).room.unwrap();
    let expected = RoomConfig { senders: 1, framing: Framing::Length, name: None };
    assert_eq!(room(&[]), expected);
    assert_eq!(room(&["--senders", "10", "--framing", "text"]).framing, Framing::Text);
    assert_eq!(plan(&["--room=team-1"]).room.unwrap().name, Some("team-1".to_owned()));
    assert_eq!(plan(&[]).room, None);
}

#[test]
fn refuses_by_name_what_a_room_does_not_support() {
    for (args, named) in [
        (&["--churn", "5"][..], "'--churn <MESSAGES>' cannot be used with '--room'"),
        (&["--expect-restart"], "'--expect-restart' cannot be used with '--room'"),
        (&["--ws-text"], "'--ws-text' cannot be used with '--room'"),
        (&["--size", "47"], "is 47 to 47, and a text of '--room' has 48 to 8192 bytes"),
        (&["--size", "48-8193"], "48 to 8193"),
        (&["--senders", "11"], "'--senders <N>' is 11, and the room has 10 members"),
        (
            &["--connections", "10000", "--senders", "10000"],
            "'--senders <N>' times '--connections <N>' is 100000000",
        ),
    ] {
        let error = job(&[&["--room"], args].concat()).unwrap_err().to_string();
        assert!(error.contains(named) && !error.contains('\n'), "{error}");
    }
    let error = job(&["--room"]).unwrap().check_udp().unwrap_err().to_string();
    assert!(error.contains("'--room' cannot be used over UDP"), "{error}");
}
