//! The files that run a load on many machines: load-job.yaml with load-job.sh, load-slurm.sh and load-parallel.sh.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tests::{
    deployment::{path, text},
    programs::{EchoServer, Finished, Program, binaries},
    requirements::{self, Requirement, skip_without},
};

/// A short load of each machine.
const LOAD: &str = "--processes 1 --connections 2 --messages 40";

/// Seconds until the start: enough for all loads of a test on a busy machine. One that comes later is refused.
const START_IN: &str = "8";

fn parallel() -> Requirement {
    requirements::tool("parallel", &["--version"], "install the package parallel")
}

/// Writes a program of this name into a directory.
fn write_program(directory: &TempDir, name: &str, script: &str) {
    let file = directory.path().join(name);
    fs::write(&file, script).expect("the file can be written");
    fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("the file is our own");
}

/// Returns a command that runs a script of `docs/deploy/` with programs of this directory, and keeps its reports there.
fn script(name: &str, directory: &TempDir) -> Command {
    let mut command = Command::new(path(name));
    let own = directory.path().to_str().expect("the path is UTF-8");
    let programs = format!("{own}:{}", env::var("PATH").expect("a path"));
    command.env("PATH", programs).env("ECHO_CLIENT", binaries::echo_client());
    command.env("START_IN", START_IN).env("REPORTS", directory.path().join("reports"));
    command.args(["--json", "-"]);
    command
}

/// Like [`script`], with a load of this server.
fn script_for(name: &str, directory: &TempDir, server: SocketAddr) -> Command {
    let mut command = script(name, directory);
    command.env("SERVER", format!("tcp://{server}")).env("LOAD", LOAD);
    command
}

/// Returns the merged report of so many loads, which began at the same requested time with different seeds.
#[track_caller]
fn merged(ended: &Finished, loads: usize) -> Value {
    assert!(matches!(ended.code(), 0 | 4), "{ended:?}");
    let merged: Value = serde_json::from_slice(&ended.stdout).expect("a report is JSON");
    let parts = merged["parts"].as_array().expect("a list");
    assert_eq!(parts.len(), loads, "{ended:?}");
    let seeds: BTreeSet<_> = parts.iter().map(|part| part["plan"]["seed"].as_u64()).collect();
    assert_eq!(seeds.len(), loads, "{seeds:?}");
    for part in parts {
        assert_eq!(part["start"]["requested"], parts[0]["start"]["requested"], "{part}");
        assert!(part["start"]["requested"].is_string(), "{part}");
    }
    merged
}

/// A program that runs a command on this machine stands in for ssh. Like sshd, it sets SHELL, which Parallel runs there.
#[test]
fn gnu_parallel_runs_loads_here_and_over_ssh_and_merges_their_reports() {
    if skip_without(&[parallel()]) {
        return;
    }
    let (server, directory) = (EchoServer::start_quiet(), tempdir().expect("a directory"));
    let ssh = "#!/bin/sh
        if [ \"$1\" = -l ]; then echo \"$2\" >>\"$REPORTS.hosts\"; shift 2; fi
        echo \"$1\" >>\"$REPORTS.hosts\"
        shift 2
        SHELL=/bin/sh exec sh -c \"$*\"";
    write_program(&directory, "ssh", ssh);
    let mut command = script_for("load-parallel.sh", &directory, server.address());
    command.env("HOSTS", ":,alice@one,two").env("PARALLEL_SSH", "ssh");
    let ended = Program::spawn(command).finish();
    assert_eq!(merged(&ended, 3)["messages"], 3 * 2 * 40);
    let hosts = fs::read_to_string(directory.path().join("reports.hosts")).expect("ssh ran");
    assert!(["alice\none\n", "two\n"].iter().all(|host| hosts.contains(host)), "{hosts}");
}

#[test]
fn a_load_without_a_report_is_named_with_its_error_and_nothing_is_merged() {
    if skip_without(&[parallel()]) {
        return;
    }
    // No program listens on port 1.
    let directory = tempdir().expect("a directory");
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (name, earlier_reports) in [
        ("load-parallel.sh", ["report-1", "report-2", "report-3"]),
        ("load-slurm.sh", ["report-0.json", "report-1.json", "report-2.json"]),
    ] {
        write_program(&directory, "srun", SRUN);
        let mut command = script_for(name, &directory, nobody);
        command.env("SLURM_JOB_ID", "7").env("SLURM_NTASKS", "3");
        command.env("SLURM_SUBMIT_DIR", directory.path());
        let reports = directory.path().join("reports");
        fs::create_dir_all(&reports).expect("a directory can be created");
        for report in earlier_reports {
            fs::write(reports.join(report), "{}").expect("a file");
        }
        let ended = Program::spawn(command).finish();
        assert_eq!((ended.code(), &ended.stdout[..]), (1, &b""[..]), "{ended:?}");
        assert!(ended.stderr.contains("has no report, so nothing is merged"), "{ended:?}");
        assert!(ended.stderr.contains("Error: Could not connect"), "{ended:?}");
    }
}

/// `srun` that runs three tasks on this machine.
const SRUN: &str = "#!/bin/sh
while [ \"${1#-}\" != \"$1\" ]; do shift; done
for task in 0 1 2; do SLURM_PROCID=$task \"$@\" & done
wait
";

/// A script stands in for `srun`. What `sbatch` reads are the comments at the top of the file.
#[test]
fn the_slurm_script_runs_a_load_in_each_task_and_merges_their_reports() {
    let (server, directory) = (EchoServer::start_quiet(), tempdir().expect("a directory"));
    write_program(&directory, "srun", SRUN);
    let mut command = script_for("load-slurm.sh", &directory, server.address());
    command.env("SLURM_JOB_ID", "7").env("SLURM_NTASKS", "3");
    command.env("SLURM_SUBMIT_DIR", directory.path());
    let ended = Program::spawn(command).finish();
    // The tasks print their verdicts before the merged report.
    let report = ended.stdout.iter().position(|byte| *byte == b'{').expect("a report");
    let ended = Finished { stdout: ended.stdout[report..].to_vec(), ..ended };
    assert_eq!(merged(&ended, 3)["messages"], 3 * 2 * 40);
}

/// `kubectl` that runs the pods of a created job on this machine when the end of the job is asked for. `pod` is the command of
/// the container.
const KUBECTL: &str = r#"#!/bin/sh
state=$(dirname "$0")
if [ -e "$state/gone" ]; then echo "Error from server (NotFound): jobs.batch echo-load" >&2; exit 1; fi
case "$*" in
"set env --local --filename "*) sed "s/value: unset/value: \"${6#START_AT=}\"/" "$5" ;;
"create --filename - --output name")
    cat >"$state/job"
    echo job.batch/echo-load ;;
"get job.batch/echo-load --output jsonpath={.spec.completions}")
    sed -n 's/^  completions: //p' "$state/job" ;;
"get job.batch/echo-load --output jsonpath={.status.conditions"*)
    if [ -e "$state/is-gone-later" ]; then mv "$state/is-gone-later" "$state/gone"; exit 0; fi
    START_AT=$(sed -n 's/^ *value: "\(.*\)"/\1/p' "$state/job")
    export START_AT
    for index in 0 1 2 3; do
        JOB_COMPLETION_INDEX=$index "$state/pod" 2>&1 | cat >"$state/log-$index" &
    done
    wait
    echo SuccessCriteriaMet Complete ;;
"logs --selector batch.kubernetes.io/job-name=echo-load,batch.kubernetes.io/job-completion-index="*)
    index=${3##*=}
    if [ -e "$state/no-log-$index" ]; then echo "Error from server: no log" >&2; exit 1; fi
    cat "$state/log-$index" ;;
"delete job.batch/echo-load --wait=false") echo >"$state/deleted" ;;
*) echo "unexpected: kubectl $*" >&2; exit 1 ;;
esac
"#;

/// Returns a shell script that runs the container of the job, with a short load of this server, and the variables that
/// Kubernetes replaces.
fn pod(server: SocketAddr) -> String {
    let job: Value = serde_saphyr::from_str(&text("load-job.yaml")).expect("it is YAML");
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let words =
        ["command", "args"].iter().flat_map(|name| container[name].as_array().expect("a list"));
    let words = words.map(|word| match word.as_str().expect("a string") {
        "/echo-client" => binaries::echo_client().display().to_string(),
        "tcp://echo-server:65432" => format!("tcp://{server}"),
        "--duration=60s" => "--duration=200ms".to_owned(),
        "--connections=50" => "--connections=2".to_owned(),
        "--rate=5000" => "--rate=200".to_owned(),
        word => word.replace("$(", "${").replace(')', "}"),
    });
    let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
    format!("#!/bin/sh\nexec {}\n", words.join(" "))
}

fn run_job(server: SocketAddr, directory: &TempDir) -> Finished {
    write_program(directory, "kubectl", KUBECTL);
    write_program(directory, "pod", &pod(server));
    Program::spawn(script("load-job.sh", directory)).finish()
}

/// A script stands in for `kubectl` and the cluster, and runs the command of the container.
#[test]
fn the_kubernetes_script_merges_the_reports_in_the_logs_of_the_pods() {
    let (server, directory) = (EchoServer::start_quiet(), tempdir().expect("a directory"));
    let ended = run_job(server.address(), &directory);
    let merged = merged(&ended, 4);
    assert!(merged["messages"].as_u64() > Some(0), "{merged}");
    assert!(is_deleted(&directory), "{ended:?}");
}

#[test]
fn the_kubernetes_script_shows_the_log_of_a_pod_without_a_report() {
    let directory = tempdir().expect("a directory");
    let ended = run_job(SocketAddr::from(([127, 0, 0, 1], 1)), &directory);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(
        ended.stderr.contains("pod 3 has no report; its log: Error: Could not connect"),
        "{ended:?}"
    );
    assert!(is_deleted(&directory), "{ended:?}");
}

#[test]
fn the_kubernetes_script_ends_if_the_state_of_the_job_cannot_be_read() {
    let (server, directory) = (EchoServer::start_quiet(), tempdir().expect("a directory"));
    fs::write(directory.path().join("is-gone-later"), "").expect("the file can be written");
    let ended = run_job(server.address(), &directory);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.contains("NotFound"), "{ended:?}");
    assert!(ended.stderr.contains("job.batch/echo-load: cannot read its state"), "{ended:?}");
}

#[test]
fn the_kubernetes_script_names_a_pod_whose_log_cannot_be_read() {
    let (server, directory) = (EchoServer::start_quiet(), tempdir().expect("a directory"));
    fs::write(directory.path().join("no-log-2"), "").expect("the file can be written");
    let ended = run_job(server.address(), &directory);
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert!(ended.stderr.contains("pod 2 has no report; its log: empty"), "{ended:?}");
    assert!(is_deleted(&directory), "{ended:?}");
}

fn is_deleted(directory: &TempDir) -> bool {
    Path::new(directory.path()).join("deleted").exists()
}
