//! Tests of `echo-client load --room` against rooms with faults: the client detects and names each of them.

use serde_json::{Value, json};
use tests::{
    net::{FAULTY, RoomFault, RoomFaultServer, mock_server},
    programs::{EchoServer, Program, Report, binaries::echo_client},
};

/// Options of a load with 6 members in 2 processes, of which 3 send.
const RUN: &str =
    "--room --processes 2 --connections 3 --senders 3 --messages 100 --pipeline 4 --size 48-300";
/// Number of deliveries: 300 messages to 6 members.
const DELIVERIES: u64 = 6 * 300;
/// Number of the faulty event: 6 members have joined before.
const EVENT: u64 = 6 + FAULTY;

/// Runs [`RUN`] against a room with a fault at one member.
fn run(fault: RoomFault, args: &str) -> Report {
    Report::run(RoomFaultServer::start(fault).address(), &format!("{RUN} {args}"))
}

/// Returns the counts of the report that tell what is wrong.
fn wrong(report: &Report) -> Value {
    let count = |name: &str| report.json(&format!("/room/{name}")).clone();
    json!({
        "missing": count("missing"), "duplicates": count("duplicates"), "order": count("order_violations"),
        "wrong": count("wrong_texts"), "gaps": count("gaps"),
    })
}

fn counts(missing: u64, duplicates: u64, order: u64, wrong: u64, gaps: u64) -> Value {
    json!({
        "missing": missing, "duplicates": duplicates, "order": order, "wrong": wrong, "gaps": gaps,
    })
}

/// Runs a load that must fail with these counts, this many deliveries, a line that matches `line`, and a verdict that
/// names what is wrong.
#[track_caller]
fn detect(fault: RoomFault, counts: &Value, deliveries: u64, line: &str, verdict: &str) {
    let report = run(fault, "--timeout 2s");
    report.expect_failure();
    assert_eq!(wrong(&report), *counts, "{report:?}");
    assert_eq!(report.json("/room/deliveries"), deliveries, "{report:?}");
    assert!(report.prints(&format!("^Wrong delivery: member [0-5]: .*{line}")), "{report:?}");
    assert!(report.prints(&format!("^FAILED: .*{verdict}")), "{report:?}");
}

#[test]
fn a_room_that_delivers_everything_once_and_in_order_passes() {
    let asserts = format!(
        "--assert deliveries={DELIVERIES} --assert missing=0 --assert duplicates=0 --assert order=0 --assert gaps=0 \
         --assert wrong-texts=0 --assert foreign=0 --assert deliveries/s>100"
    );
    for pace in ["", "--rate 3000"] {
        let report = run(RoomFault::None, &format!("{asserts} {pace}"));
        report.expect_success();
        assert_eq!((report.messages(), wrong(&report)), (300, counts(0, 0, 0, 0, 0)));
        assert_eq!(report.json("/latency/count"), DELIVERIES, "{report:?}");
        assert_eq!(
            (report.json("/room/members"), report.json("/room/senders")),
            (&json!(6), &json!(3))
        );
        assert!(report.prints("members +6, 3 of them send"), "{report:?}");
        assert!(report.prints("each one once, in order and with the right text"), "{report:?}");
    }
}

#[test]
fn names_a_delivery_that_is_dropped() {
    let line = format!("event {EVENT} was skipped");
    detect(RoomFault::Drop, &counts(1, 0, 0, 0, 0), DELIVERIES - 1, &line, "1 missing");
}

#[test]
fn names_a_delivery_that_is_repeated() {
    let line = format!("event {EVENT} arrived again");
    detect(RoomFault::Duplicate, &counts(0, 1, 0, 0, 0), DELIVERIES, &line, "1 duplicate");
}

#[test]
fn names_a_delivery_that_is_swapped_with_the_next_one() {
    let line = format!("event {EVENT} arrived out of order");
    detect(RoomFault::Swap, &counts(0, 0, 1, 0, 0), DELIVERIES, &line, "1 out of order");
}

#[test]
fn names_a_wrong_text() {
    let line = format!("event {EVENT} message [0-9]+ of sender [0-2] has a wrong text");
    let verdict = "1 with a wrong text";
    detect(RoomFault::Damage, &counts(0, 0, 0, 1, 0), DELIVERIES - 1, &line, verdict);
    detect(RoomFault::Rename, &counts(0, 0, 0, 1, 0), DELIVERIES - 1, &line, verdict);
}

/// Each member alone sees nothing wrong in the numbers.
#[test]
fn names_two_messages_that_have_another_order_at_one_member() {
    let report = run(RoomFault::Reorder, "--timeout 2s");
    report.expect_failure();
    assert_eq!(report.json("/room/missing"), 0, "{report:?}");
    assert!(report.json("/room/order_violations").as_u64() >= Some(1), "{report:?}");
    assert!(
        report.prints("out of order|another member has received another message"),
        "{report:?}"
    );
}

#[test]
fn names_a_message_that_the_room_loses_before_it_has_a_number() {
    let report = run(RoomFault::Lose, "--timeout 2s");
    report.expect_failure();
    assert_eq!(wrong(&report), counts(6, 0, 0, 0, 0), "{report:?}");
    assert!(report.prints("no number to 1 message of sender [0-2]"), "{report:?}");
}

#[test]
fn names_a_message_that_has_two_numbers() {
    let report = run(RoomFault::Repeat, "--timeout 2s");
    report.expect_failure();
    assert_eq!(wrong(&report), counts(0, 6, 0, 0, 0), "{report:?}");
    assert!(report.prints("is message [0-9]+ of sender [0-2] again"), "{report:?}");
}

/// A member that is too slow may lose events if it is told.
#[test]
fn a_gap_that_the_room_tells_is_counted_and_is_no_failure() {
    let report = run(RoomFault::Gap, "--assert gaps=3 --assert missing=0");
    report.expect_success();
    assert_eq!(wrong(&report), counts(0, 0, 0, 0, 3), "{report:?}");
    assert!(report.prints("the server told of 3 events that it lost"), "{report:?}");
    let report = run(RoomFault::Gap, "--assert gaps=0");
    assert_eq!(report.code(), 3, "{report:?}");
}

/// No later event reveals the loss: the member knows from the others where the end is.
#[test]
fn names_deliveries_that_stop_before_the_end() {
    let report = run(RoomFault::Stop, "--rate 3000 --timeout 2s");
    report.expect_failure();
    // 300 messages and the last one of each sender.
    let missing = 303 - (FAULTY - 1);
    assert_eq!(wrong(&report), counts(missing, 0, 0, 0, 0), "{report:?}");
    assert!(
        report.prints(&format!("{missing} events were skipped, {EVENT} to {}", 6 + 303)),
        "{report:?}"
    );
}

#[test]
fn names_a_member_whose_connection_ends() {
    let report = run(RoomFault::Close, "--timeout 2s");
    report.expect_failure();
    assert!(report.json("/errors/closed").as_u64() >= Some(1), "{report:?}");
}

#[test]
fn reports_of_two_loads_of_a_room_are_merged() {
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<_> = [RoomFault::None, RoomFault::Drop]
        .into_iter()
        .enumerate()
        .map(|(index, fault)| {
            let report = run(fault, "--timeout 2s");
            let file = directory.path().join(index.to_string());
            std::fs::write(&file, report.json.unwrap().to_string()).unwrap();
            file.to_str().unwrap().to_owned()
        })
        .collect();
    let args = ["load", "merge", &files[0], &files[1], "--json", "-"];
    let ended = Program::start(echo_client(), &args).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    let room = &serde_json::from_str::<Value>(ended.stdout_text()).unwrap()["room"];
    assert_eq!((&room["missing"], &room["members"]), (&json!(1), &json!(12)), "{ended:?}");
    assert_eq!(room["deliveries"], 2 * DELIVERIES - 1, "{ended:?}");
}

#[test]
fn a_server_without_rooms_is_named_with_what_its_listener_needs() {
    let server = mock_server::serve(|mut socket| drop(mock_server::receive(&mut socket)));
    let report = Report::run(server, "--room --timeout 1s");
    assert_eq!(report.code(), 1, "{report:?}");
    assert!(
        report.ended.stderr.contains("did not welcome a member to a room within 1s"),
        "{report:?}"
    );
    assert!(report.ended.stderr.contains("protocol=room&framing=length"), "{report:?}");
}

/// Two processes with ten members each, of which three send, in the form of the listener.
fn run_at_server(listen: &str, args: &str, replace: (&str, &str)) -> Report {
    let server = EchoServer::start_with(&["--listen", listen, "--workers", "2"]);
    let url = server.addresses()[0].replacen(replace.0, replace.1, 1);
    let run =
        "--processes 2 --connections 10 --senders 3 --messages 300 --pipeline 16 --size 48-300";
    let report = Report::at_url(&url, &format!("{run} {args}"));
    report.expect_success();
    assert_eq!((report.messages(), wrong(&report)), (900, counts(0, 0, 0, 0, 0)), "{report:?}");
    assert_eq!(report.json("/room/deliveries"), 20 * 900, "{report:?}");
    report
}

#[test]
fn a_room_of_the_server_passes_in_frames() {
    let listen = "tcp://127.0.0.1:0?protocol=room&framing=length";
    run_at_server(listen, "--room", ("tcp", "tcp"));
    run_at_server(listen, "--room=team-1 --rate 5000", ("tcp", "tcp"));
}

#[test]
fn a_room_of_the_server_passes_in_lines() {
    let listen = "tcp://127.0.0.1:0?protocol=room";
    run_at_server(listen, "--room --framing text", ("tcp", "tcp"));
    run_at_server(listen, "--room=team-1 --framing text", ("tcp", "tcp"));
}

#[test]
fn a_room_of_the_server_passes_in_messages_of_a_websocket() {
    let report = run_at_server("http://127.0.0.1:0?protocol=room", "--room=team-1", ("http", "ws"));
    assert_eq!(report.json("/websocket/closes"), 20, "{report:?}");
}

#[test]
fn a_room_that_may_not_be_chosen_is_a_refusal_in_words() {
    let listen = "tcp://127.0.0.1:0?protocol=room&framing=length&room=lobby";
    let server = EchoServer::start_with(&["--listen", listen]);
    let report = Report::run(server.address(), "--room=team-1");
    assert_eq!(report.code(), 1, "{report:?}");
    assert!(report.ended.stderr.contains("the server refused a member: "), "{report:?}");
}
