//! A root directory with a minimal Debian, in which packages are installed.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::{TempDir, tempdir};
use tests::{
    programs::{Finished, Program},
    requirements::{self, Requirement},
};

/// Runs the script of [`Root::boot`], then ends the system.
const SCRIPT_UNIT: &str = "
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash /srv/script
StandardOutput=file:/srv/output
StandardError=journal
";

/// Root directory of a fresh Debian. No service manager runs in it, except in [`Root::boot`].
pub(super) struct Root(TempDir);

impl Root {
    /// Returns what a machine needs for it.
    pub(super) fn requirements() -> [Requirement; 2] {
        [
            requirements::tool("debootstrap", &["--version"], "install the package debootstrap"),
            requirements::tool(
                "unshare",
                &["--mount", "chroot", "/", "true"],
                "run the tests as root",
            ),
        ]
    }

    /// Unpacks a fresh one. The first call downloads it from the mirror that apt uses here, in a minute or two.
    pub(super) fn new() -> Self {
        let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian.tar");
        if !archive.exists() {
            download(&archive);
        }
        let directory = tempdir().expect("a temporary directory");
        expect_success(tar(&["--extract", "--file"], &archive, directory.path()));
        Self(directory)
    }

    /// Returns the path outside of a path inside, which has no first `/`.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    /// Returns a command that runs in it as this user, with a `/proc` that only the command sees.
    pub(super) fn command(&self, user: &str, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let mount = r#"mount -t proc proc "$0/proc" && exec chroot "$@""#;
        command.args(["--mount", "sh", "-c", mount]).arg(self.0.path());
        command.arg(format!("--userspec={user}:{user}")).arg(self.0.path()).args(words);
        // As a login would set it; without a terminal, nothing may ask a question.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Runs a command in it as root, and returns its standard output.
    #[track_caller]
    pub(super) fn run(&self, words: &[&str]) -> String {
        let finished: Finished = Program::spawn(self.command("root", words)).finish();
        assert_eq!(finished.code(), 0, "{words:?}: {finished:?}");
        finished.stdout_text().to_owned()
    }

    /// Boots it with systemd as its process 1 and without a network but the loopback interface, runs a script of bash when the
    /// system is up, and returns the standard output of the script. Returns an error if the machine boots no container.
    pub(super) fn boot(&self, script: &str) -> Result<String, String> {
        let container = || {
            // It ends by itself; a system that hangs is killed.
            let mut nspawn = Command::new("timeout");
            nspawn.args([
                "--kill-after=10",
                "600",
                "systemd-nspawn",
                "--quiet",
                "--private-network",
            ]);
            nspawn.args(["--register=no", "--keep-unit", "--directory"]).arg(self.0.path());
            nspawn
        };
        let tried = container().arg("true").output().map_err(|error| error.to_string())?;
        if !tried.status.success() {
            return Err(String::from_utf8_lossy(&tried.stderr).into_owned());
        }
        fs::write(self.path("srv/script"), script).expect("the file can be written");
        let units = self.path("etc/systemd/system");
        fs::write(units.join("script.service"), SCRIPT_UNIT).expect("the file can be written");
        let wants = units.join("multi-user.target.wants");
        fs::create_dir_all(&wants).expect("the folder can be made");
        symlink("../script.service", wants.join("script.service")).expect("the link can be made");
        // Its status is that of the shutdown, whatever the script has done.
        let booted = container().arg("--boot").output().expect("it has run before");
        let output = fs::read_to_string(self.path("srv/output"));
        Ok(output
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&booted.stdout))))
    }

    /// Copies a file into its `/srv`, and returns the path inside.
    pub(super) fn copy(&self, file: &Path) -> String {
        let name =
            file.file_name().expect("a file has a name").to_str().expect("the name is UTF-8");
        fs::copy(file, self.path("srv").join(name)).expect("the file can be copied");
        format!("/srv/{name}")
    }

    /// Returns the paths of everything in it, without the copies in `/srv`.
    pub(super) fn paths(&self) -> BTreeSet<String> {
        let mut find = Command::new("find");
        find.arg(self.0.path()).args(["-path", "*/srv/*", "-prune", "-o", "-printf", "%P\\n"]);
        let found = expect_success(find);
        String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect()
    }
}

/// Writes an archive of a fresh root directory.
fn download(archive: &Path) {
    let mut apt = Command::new("apt-get");
    apt.args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)"]);
    let indexes = expect_success(apt.args(["Created-By: Packages", "Component: main"]));
    let indexes = String::from_utf8_lossy(&indexes.stdout).into_owned();
    let index = indexes.lines().next().expect("apt has a source; run apt-get update");
    let (release, mirror) = index.split_once(' ').expect("the format has two fields");

    let directory = tempdir().expect("a temporary directory");
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.args(["--variant=minbase", "--include=man-db,systemd", release]);
    expect_success(debootstrap.arg(directory.path()).arg(mirror));
    let unfinished = archive.with_extension("new");
    expect_success(tar(&["--create", "--file"], &unfinished, directory.path()).arg("."));
    fs::rename(unfinished, archive).expect("the file can be renamed");
}

fn tar(mode: &[&str], archive: &Path, directory: &Path) -> Command {
    let mut tar = Command::new("tar");
    tar.args(mode).arg(archive).arg("--directory").arg(directory);
    tar
}

/// Runs a command that may take minutes.
#[track_caller]
pub(super) fn expect_success(mut command: impl std::borrow::BorrowMut<Command>) -> Output {
    let command = command.borrow_mut();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}: {}\n{shown}\n{errors}", output.status);
    output
}
