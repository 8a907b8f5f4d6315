//! A disk of 1 MB: the server serves on while it is full, and records again when there is room.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use tests::{
    programs::{Launch, Program, binaries},
    requirements::{self, Requirement, skip_without},
    wait::wait_until,
};

use crate::Database;

/// The privilege to mount a file system in a namespace of its own.
fn mounting() -> Requirement {
    let mut command = Command::new("unshare");
    command
        .args(["-m", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"])
        .stderr(Stdio::null());
    let is_allowed = command.status().is_ok_and(|status| status.success());
    requirements::privilege(&is_allowed.then_some(()).ok_or("the privilege to mount a disk"))
}

#[test]
fn a_server_with_a_full_disk_serves_on_counts_and_records_again() {
    if skip_without(&[mounting()]) {
        return;
    }
    let database = Database::new();
    let folder = database.0.path().to_str().expect("the path is UTF-8").to_owned();
    let script = format!("mount -t tmpfs -o size=1m none '{folder}' && exec \"$0\" \"$@\"");
    let name = database.name();
    let server = Launch::new(&["--log-messages", "off", "--history", &name])
        .wrapped_by(&["unshare", "-m", "sh", "-c", &script])
        .start();
    // The disk is visible to the server only.
    let root = PathBuf::from(format!("/proc/{}/root", server.pid().as_raw_nonzero()));
    let inside = |path: &Path| root.join(path.strip_prefix("/").expect("it is absolute"));
    let filler = inside(&database.0.path().join("filler"));
    let fill = || wait_until("the disk is full", || fs::write(&filler, vec![0; 1 << 20]).is_err());
    let mut peer = server.connect();
    // More than the journal has room for.
    let mut exchange = || {
        for _ in 0..5 {
            peer.exchange(format!("{:>100}\n", "text").repeat(100).as_bytes());
        }
    };
    exchange();
    fill();
    exchange();
    let failed =
        "WARNING - Cannot record messages in .*: database or disk is full; make room on it";
    server.wait_for_log(failed);
    exchange();
    fs::remove_file(&filler).expect("the file is removed");
    server.wait_for_log("INFO - Recording messages in .* again; 0 were dropped meanwhile");
    let mut follow = Command::new("nsenter");
    follow.args(["--mount", "--target", &server.pid().to_string()]);
    follow.arg(binaries::echo_server()).args(["history", &name, "--follow", "-n", "2000"]);
    let follow = Program::spawn(follow);
    let _ = follow.stdout.wait_for_lines("text", 1_500);
    follow.signal(Signal::TERM);
    let _ = follow.finish();

    fill();
    exchange();
    let _ = server.log().wait_for_lines(failed, 2);
    drop(peer);
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    let counts = tests::log::pattern("Recorded ([0-9]+) messages in .*; ([0-9]+) were dropped");
    let counts = counts.captures(&log).unwrap_or_else(|| panic!("no counts:\n{log}"));
    let count = |at: usize| counts[at].parse::<u32>().expect("it is a number");
    assert!(count(1) >= 1_500, "{log}");
    assert_eq!(count(1) + count(2), 2_000, "{log}");
}
