//! Logins of the client at our server: every mode, every source of a password, and the words for every failure.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Pid;
use tempfile::TempDir;
use tests::{
    net::TestCa,
    programs::{EchoServer, Finished, Launch, Program, Report, Terminal, binaries, keys},
    system::procfs,
    wait::wait_until,
};

/// The password of the user `alice`. A run that shows it anywhere fails.
pub(crate) const PASSWORD: &str = "p-e-n-c-i-l";

/// Folder with the users of a server, and files with passwords.
pub(crate) struct Files(TempDir);

impl Files {
    /// Creates the user `alice`.
    pub(crate) fn new() -> Self {
        let files = Self(tempfile::tempdir().expect("temporary files can be created"));
        files.add(&["alice", "--iterations", "4096"]);
        files.write("password", &format!("{PASSWORD}\n"), 0o600);
        files
    }

    fn add(&self, args: &[&str]) {
        let mut command = Command::new(binaries::echo_server());
        command.args(["user", "add"]).args(args).arg("--users").arg(self.path("users"));
        let mut program = Program::spawn(command);
        program.feed_all(format!("{PASSWORD}\n").into());
        let ended = program.finish();
        assert_eq!(ended.code(), 0, "{ended:?}");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str, mode: u32) -> String {
        fs::write(self.path(name), content).expect("the folder exists");
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), permissions).expect("it is our own file");
        text(&self.path(name)).to_owned()
    }

    /// Returns the arguments by which `alice` logs in.
    pub(crate) fn alice(&self) -> [String; 4] {
        ["--user", "alice", "--password-file", text(&self.path("password"))].map(str::to_owned)
    }

    /// Starts a server for these users.
    fn serve(&self, listen: &str, more: &[&str]) -> EchoServer {
        let users = self.path("users");
        let args = [&["--listen", listen, "--users", text(&users)], more].concat();
        Launch::new(&args).without_port().start()
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a temporary folder is UTF-8")
}

fn client(args: &[&[String]], more: &[&str]) -> Command {
    let mut command = Command::new(binaries::echo_client());
    command.args(args.concat()).args(more);
    command
}

pub(crate) fn run(args: &[&[String]], more: &[&str]) -> Finished {
    let ended = Program::spawn(client(args, more)).finish();
    assert!(!ended.stderr.contains(PASSWORD), "{ended:?}");
    ended
}

/// Fails unless the run ended with status 1, no output, and these parts of the error message.
#[track_caller]
pub(crate) fn assert_fails(ended: &Finished, parts: &[&str]) {
    assert_eq!((ended.code(), ended.stdout_text()), (1, ""), "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "'{part}' is not in: {}", ended.stderr);
    }
}

#[test]
fn a_user_logs_in_in_every_mode_without_a_terminal() {
    let files = Files::new();
    let server = files.serve("tcp://127.0.0.1:0?login=required", &[]);
    let url = [server.address().to_string()];
    let ended = run(&[&url, &files.alice()], &["-v", "-m", "hello", "-m", "again"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\nagain\n"), "{ended:?}");
    assert!(ended.stderr.contains(" ms: SCRAM-SHA-256\n"), "{ended:?}");

    let mut command = client(&[&url], &["--user", "alice"]);
    let mut filter = Program::spawn({
        command.env("ECHO_PASSWORD", PASSWORD);
        command
    });
    filter.feed_all(b"one\ntwo\nexit\n".to_vec());
    let ended = filter.finish();
    assert_eq!((ended.code(), ended.stdout_text()), (0, "one\ntwo\nGoodbye!\n"), "{ended:?}");

    let ended = run(&[&url, &files.alice()], &["ping", "--count", "2", "--interval", "1ms"]);
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(ended.stdout_text().contains("\nlogin min/avg/max/stddev = "), "{ended:?}");
}

#[test]
fn the_terminal_asks_for_the_password_and_does_not_show_it() {
    let files = Files::new();
    let server = files.serve("tcp://127.0.0.1:0?login=required", &[]);
    let address = server.address();
    let mut terminal = Terminal::client(address, &["--user", "alice"], files.0.path());
    terminal.wait_for_prompt(&format!("Password of alice for {address}:"));
    terminal.enter(PASSWORD);
    terminal.wait_for_prompt("Enter message:");
    terminal.enter("hello");
    terminal.wait_for("Server echo: hello");
    terminal.wait_for_prompt("Enter message:");
    terminal.enter("exit");
    let text = terminal.raw_text();
    let (status, screen) = terminal.finish();
    assert_eq!(status, 0, "{screen}");
    assert!(!text.contains(PASSWORD), "{text}");
}

#[test]
fn ctrl_c_at_the_question_for_a_password_leaves_the_terminal_as_it_was() {
    let files = Files::new();
    let client = binaries::echo_client().display().to_string();
    let server = binaries::echo_server().display().to_string();
    let users = files.path("users").display().to_string();
    for (command, question) in [
        (
            format!("'{client}' 127.0.0.1:1 --user alice -m hello"),
            "Password of alice for 127.0.0.1:1:",
        ),
        (format!("'{server}' user add bob --users '{users}'"), "Password:"),
    ] {
        let script = format!("{command}; echo status $?; stty -a");
        let shell = PathBuf::from("/bin/sh");
        let mut terminal = Terminal::start(shell, &["-c", &script], files.0.path());
        terminal.wait_for_prompt(question);
        terminal.send("half");
        terminal.send(keys::CTRL_C);
        let (_, screen) = terminal.finish();
        assert!(screen.contains("status 130"), "{screen}");
        for setting in ["echo", "icanon", "isig"] {
            assert!(screen.split_whitespace().any(|it| it == setting), "{setting}: {screen}");
        }
        assert!(!screen.contains("half"), "{screen}");
    }
}

#[test]
fn a_failed_login_is_an_error_with_advice() {
    let files = Files::new();
    let server = files.serve("tcp://127.0.0.1:0?login=required", &[]);
    let address = server.address().to_string();
    let url = [address.clone()];
    let wrong = files.write("wrong", "another", 0o600);
    for (user, file) in [("alice", &wrong), ("nobody", &wrong)] {
        let ended = run(&[&url], &["--user", user, "--password-file", file, "-m", "hello"]);
        let error = format!(
            "Error: Could not log in to server at {address}: the server refused it: 'Not logged in'\nCheck the name"
        );
        assert_fails(&ended, &[&error]);
    }
    let open = files.write("open", PASSWORD, 0o644);
    let ended = run(&[&url], &["--user", "alice", "--password-file", &open, "-m", "hello"]);
    assert_fails(&ended, &["open to others (mode 644): chmod 600 "]);

    let plain = EchoServer::start(&[]);
    let url = [plain.address().to_string()];
    assert_fails(
        &run(&[&url, &files.alice()], &["-m", "hello"]),
        &["the server has no login: it echoed the command\nLeave out --user for this server."],
    );
}

#[test]
fn a_server_that_requires_a_login_is_recognised_without_one() {
    let files = Files::new();
    let server = files.serve("tcp://127.0.0.1:0?login=required", &[]);
    let url = [server.address().to_string()];
    let ended = run(&[&url], &["-m", "hello"]);
    assert_fails(
        &ended,
        &[
            "Error: The server requires a login: it answered '-ERR Log in first",
            "\nTip: the server requires a login: use --user NAME",
        ],
    );
    let ended = run(&[&url], &["ping", "--count", "1"]);
    assert_eq!(
        (ended.code(), &ended.stderr[..]),
        (1, "Tip: the server requires a login: use --user NAME\n"),
        "{ended:?}"
    );
    // The message of seed 22 begins like the answer, with a hyphen.
    for seed in [1, 22] {
        let args = format!("--connections 1 --messages 1 --seed {seed}");
        let report = Report::run(server.address(), &args);
        report.expect_failure();
        assert!(report.prints("requires a login: use --user NAME"), "{report:?}");
    }
}

#[test]
fn tls_binds_the_login_to_the_connection_and_a_certificate_logs_in() {
    let files = Files::new();
    // The name in the certificates of the CA.
    files.add(&["Test Server", "--certificate"]);
    let ca = TestCa::new();
    let certificate = ca.localhost();
    let (cert, key) = (text(&certificate.certificate_file), text(&certificate.key_file));
    let tls = |parameters: &str| {
        let listen = format!(
            "tls://127.0.0.1:0?cert={cert}&key={key}&client-ca={}&login=required{parameters}",
            ca.file()
        );
        files.serve(&listen, &[])
    };
    let args = |server: &EchoServer, more: &[&str]| {
        let url = format!("tls://localhost:{}", server.address().port());
        [&[&url[..], "-v", "-m", "hello"], more, &certificate.client_args()]
            .concat()
            .iter()
            .map(|&arg| arg.to_owned())
            .collect::<Vec<_>>()
    };
    let server = tls("");
    let trusted = ["--tls-ca", ca.file()];
    for (more, mechanism) in [
        (&[][..], "SCRAM-SHA-256-PLUS"),
        (&["--mechanism", "scram-sha-256"], "SCRAM-SHA-256"),
        (&["--mechanism", "plain"], "PLAIN"),
    ] {
        let ended = run(&[&args(&server, &trusted), &files.alice()], more);
        assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
        assert!(ended.stderr.contains(&format!(" ms: {mechanism}\n")), "{ended:?}");
    }
    let ended = run(&[&args(&server, &trusted)], &["--mechanism", "external"]);
    assert_eq!((ended.code(), ended.stdout_text()), (0, "hello\n"), "{ended:?}");
    let other = ["--mechanism", "external", "--user", "alice"];
    assert_fails(&run(&[&args(&server, &trusted)], &other), &["the server refused it"]);

    let server = tls("&mechanisms=PLAIN");
    let ended = run(&[&args(&server, &["--insecure"]), &files.alice()], &[]);
    assert_fails(&ended, &["offers only PLAIN, and --insecure does not verify"]);
    let ended = run(&[&args(&server, &trusted), &files.alice()], &[]);
    assert!(ended.code() == 0 && ended.stderr.contains(" ms: PLAIN\n"), "{ended:?}");
}

#[test]
fn a_load_logs_in_and_no_process_and_no_report_shows_the_password() {
    let files = Files::new();
    let server = files.serve("tcp://127.0.0.1:0?login=required", &["--log-messages", "off"]);
    let report_file = files.path("report.json");
    let load = ["load", "--processes", "2", "--connections", "3", "--json", text(&report_file)];
    let url = [server.address().to_string()];
    let mut command = client(&[&url], &load);
    command.args(["--messages", "20", "--churn", "10", "--user", "alice"]);
    command.env("ECHO_PASSWORD", PASSWORD);
    let ended = Program::spawn(command).finish();
    assert!([0, 4].contains(&ended.code()), "{ended:?}");
    let json = fs::read_to_string(&report_file).unwrap();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["messages"], 120, "{json}");
    assert_eq!(report["login"]["count"], 12, "{json}");
    assert!(ended.stdout_text().contains("\n login "), "{ended:?}");
    for shown in [&json, ended.stdout_text(), &ended.stderr] {
        assert!(!shown.contains(PASSWORD), "{shown}");
    }

    let mut command = client(&[&url], &["load", "--processes", "1", "--duration", "1h"]);
    command.args(["--user", "alice"]).env("ECHO_PASSWORD", PASSWORD);
    let load = Program::spawn(command);
    let read = |pid: Pid, file: &str| {
        let bytes = fs::read(format!("/proc/{}/{file}", pid.as_raw_nonzero())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let workers = || procfs::children(load.pid());
    let is_worker = |&pid: &Pid| read(pid, "cmdline").contains("load-worker");
    wait_until("a worker process runs", || workers().iter().any(is_worker));
    for worker in workers() {
        for file in ["cmdline", "environ"] {
            let text = read(worker, file);
            assert!(!text.is_empty() && !text.contains(PASSWORD), "{file}: {text}");
        }
    }
    drop(load);

    let wrong = files.write("wrong", "another", 0o600);
    let ended = run(&[&url], &["load", "--user", "alice", "--password-file", &wrong]);
    assert_fails(&ended, &["Could not log in to server at ", "the server refused it"]);
}
