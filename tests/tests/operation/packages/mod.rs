//! Tests of the packages of `make deb` and `make rpm`: the manifests name files that exist and forget none, and the files
//! agree with each other. `make torture` installs the packages.

mod licenses;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use regex::Regex;
use tests::{
    deployment::find,
    programs::{Finished, Program, binaries},
    requirements::{self, skip_without},
};
use toml::{Table, Value};

/// Where the manifests expect what scripts/package.sh writes.
const STAGED: &str = "target/release/package/";

/// The crates with a package, and the name of the package.
const PACKAGES: [(&str, &str); 2] = [("server", "echo-server"), ("client", "echo-client")];

/// A file of a package, or several by a pattern.
#[derive(Debug)]
struct Asset {
    /// Its file in the repository, or below [`STAGED`].
    source: String,
    /// Its path without the first `/`; a directory, which ends with `/`, or a file.
    dest: String,
    /// True if an upgrade keeps the changes of an administrator.
    is_config: bool,
}

impl Asset {
    /// The paths of its files in an installation.
    fn installed(&self) -> Vec<String> {
        let files = files(&self.source);
        assert!(!files.is_empty(), "{} does not exist", self.source);
        let name =
            |file: &PathBuf| file.file_name().expect("a name").to_string_lossy().into_owned();
        if self.dest.ends_with('/') {
            files.iter().map(|file| format!("{}{}", self.dest, name(file))).collect()
        } else {
            vec![self.dest.clone()]
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

fn package_script(args: &[&str]) -> Command {
    let mut command = Command::new(root().join("scripts/package.sh"));
    command.args(args);
    command
}

/// The directory with everything that scripts/package.sh writes, from the programs of this build.
fn staged() -> &'static Path {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let server = binaries::echo_server();
        let programs = server.parent().expect("a file is in a directory");
        let paths = [programs, &directory].map(|path| path.to_str().expect("the path is UTF-8"));
        let written = Program::spawn(package_script(&["stage", paths[0], paths[1]])).finish();
        assert_eq!(written.code(), 0, "{written:?}");
        directory
    });
    &DIRECTORY
}

/// Returns the files that a source names: one, or all that match its `*`.
fn files(source: &str) -> Vec<PathBuf> {
    let path =
        source.strip_prefix(STAGED).map_or_else(|| root().join(source), |s| staged().join(s));
    let pattern = path.file_name().expect("a source is a file").to_string_lossy().into_owned();
    let pattern = regex::escape(&pattern).replace(r"\*", ".*");
    let pattern = Regex::new(&format!("^{pattern}$")).expect("an escaped name");
    let Ok(entries) = fs::read_dir(path.parent().expect("a source is in a folder")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("the folder can be listed").path());
    let matches = |path: &PathBuf| {
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        pattern.is_match(&name)
    };
    paths.filter(matches).collect()
}

fn metadata(folder: &str, tool: &str) -> Table {
    let manifest = fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("it exists");
    let manifest: Table = manifest.parse().expect("a manifest is TOML");
    manifest["package"]["metadata"][tool].as_table().expect("a table").clone()
}

/// The files of a package for Debian. cargo-deb finds sources beside the manifest, and takes all of `/etc` for
/// configuration.
fn deb_assets(folder: &str) -> Vec<Asset> {
    let asset = |asset: &Value| {
        let [source, dest] = [0, 1].map(|part| asset[part].as_str().expect("a path").to_owned());
        let source = match source.strip_prefix("../") {
            Some(above) => above.to_owned(),
            None if source.starts_with(STAGED) => source,
            None => format!("{folder}/{source}"),
        };
        Asset { source, is_config: dest.starts_with("etc/"), dest }
    };
    metadata(folder, "deb")["assets"].as_array().expect("an array").iter().map(asset).collect()
}

/// The files of a package for Fedora. cargo-generate-rpm finds sources at the top of the repository.
fn rpm_assets(folder: &str) -> Vec<Asset> {
    let asset = |asset: &Value| {
        let [source, dest] = ["source", "dest"].map(|key| asset[key].as_str().expect("a path"));
        let is_config = asset.get("config").and_then(Value::as_str) == Some("noreplace");
        let dest = dest.strip_prefix('/').expect("a destination is absolute");
        Asset { source: source.to_owned(), dest: dest.to_owned(), is_config }
    };
    let metadata = metadata(folder, "generate-rpm");
    metadata["assets"].as_array().expect("an array").iter().map(asset).collect()
}

fn installed(assets: &[Asset]) -> BTreeSet<String> {
    assets.iter().flat_map(Asset::installed).collect()
}

fn staged_text(name: &str) -> String {
    fs::read_to_string(staged().join(name)).expect("it is staged")
}

#[test]
fn the_packages_of_both_kinds_have_the_same_files() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    for (folder, name) in PACKAGES {
        let [deb, rpm] = [deb_assets(folder), rpm_assets(folder)].map(|assets| {
            let installed = installed(&assets).into_iter();
            // Debian and Fedora have their own rules for licenses and changelogs, and their own directory for zsh.
            let own = ["usr/share/licenses/", "usr/share/doc/"];
            let is_common = |path: &String| {
                path.contains("/examples/") || !own.iter().any(|own| path.starts_with(own))
            };
            let path = |path: String| path.replace("vendor-completions", "site-functions");
            installed.filter(is_common).map(path).collect::<BTreeSet<_>>()
        });
        assert_eq!(deb, rpm);
        for path in [
            format!("usr/bin/{name}"),
            format!("usr/share/man/man1/{name}.1.gz"),
            format!("usr/share/bash-completion/completions/{name}"),
            format!("usr/share/fish/vendor_completions.d/{name}.fish"),
            format!("usr/share/zsh/site-functions/_{name}"),
        ] {
            assert!(deb.contains(&path), "{path} is missing in {deb:?}");
        }
    }
}

#[test]
fn every_generated_file_is_in_a_package() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let of_all = |assets: fn(&str) -> Vec<Asset>| -> BTreeSet<PathBuf> {
        let assets = PACKAGES.iter().flat_map(|(folder, _)| assets(folder));
        assets.flat_map(|asset| files(&asset.source)).collect()
    };
    let (deb, rpm) = (of_all(deb_assets), of_all(rpm_assets));
    let mut count = 0;
    for folder in ["", "bin", "completions", "man"] {
        for entry in fs::read_dir(staged().join(folder)).expect("the folder exists") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                continue;
            }
            let name = path.to_string_lossy();
            let is_for_debian = name.ends_with("changelog.gz") || name.ends_with(".copyright");
            assert!(is_for_debian || rpm.contains(&path), "{path:?}");
            let is_for_fedora = name.ends_with(".license");
            assert!(is_for_fedora || deb.contains(&path), "{path:?}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_packaged_service_runs_the_packaged_program_with_the_packaged_configuration() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let unit = staged_text("echo-server.service");
    let command = find(&unit, "^ExecStart=/(.*)$");
    let (program, config) = command.split_once(" --config /").expect("it has a configuration");
    for assets in [deb_assets("server"), rpm_assets("server")] {
        assert!(installed(&assets).contains(program), "{program}");
        let configs = assets.iter().filter(|asset| asset.is_config).collect::<Vec<_>>();
        let [only] = configs[..] else { panic!("{configs:?}") };
        assert_eq!(only.installed(), [config]);
        for unit in ["echo-server.service", "echo-server.socket"] {
            // The first line of a unit is the path of its file.
            let path = staged_text(unit).lines().next().expect("a line").replace("# /", "");
            assert!(installed(&assets).contains(&path), "{path}");
        }
    }
    assert!(!unit.contains("/usr/local"), "{unit}");
}

#[test]
fn the_packaged_service_runs_as_the_user_that_the_package_creates() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let users = fs::read_to_string(root().join("server/package/sysusers.conf")).expect("it exists");
    let user = find(&users, "^u ([a-z-]+) ");
    assert_eq!(find(&staged_text("echo-server.service"), "^User=(.*)$"), user);
    // It is created by the name of the installed file.
    let file = find(&users, "^# /(.*)$").to_owned();
    let name = Path::new(&file).file_name().expect("a name").to_str().expect("the name is UTF-8");
    for (script, assets) in
        [("deb/postinst", deb_assets("server")), ("rpm/post.sh", rpm_assets("server"))]
    {
        assert!(installed(&assets).contains(&file), "{file}");
        let script =
            fs::read_to_string(root().join("server/package").join(script)).expect("it exists");
        assert_eq!(find(&script, r"^ *systemd-sysusers .*?(\S+\.conf)"), name);
    }
}

#[test]
fn the_scripts_of_the_packages_are_valid_and_the_manifests_name_all_of_them() {
    let folder = root().join("server/package");
    let scripts =
        metadata("server", "deb")["maintainer-scripts"].as_str().expect("a path").to_owned();
    assert_eq!(root().join("server").join(scripts), folder.join("deb"));
    let metadata = metadata("server", "generate-rpm");
    let keys = ["post_install_script", "pre_uninstall_script", "post_uninstall_script"];
    let named = keys.map(|key| root().join(metadata[key].as_str().expect("a path")));
    for kind in ["deb", "rpm"] {
        for entry in fs::read_dir(folder.join(kind)).expect("the folder exists") {
            let path = entry.expect("the folder can be listed").path();
            let mut shell = Command::new("sh");
            shell.arg("-n").arg(&path);
            let checked = Program::spawn(shell).finish();
            assert_eq!((checked.code(), &checked.stderr[..]), (0, ""), "{path:?}");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let is_named = match kind {
                "deb" => ["preinst", "postinst", "prerm", "postrm"].contains(&&name[..]),
                _ => named.contains(&path),
            };
            assert!(is_named, "{path:?}");
        }
    }
}

#[test]
fn a_missing_tool_is_reported_with_the_command_that_installs_it() {
    for (kind, tool) in [("deb", "cargo-deb"), ("rpm", "cargo-generate-rpm")] {
        let mut command = package_script(&[kind]);
        // A cargo that has no subcommand.
        command.env("CARGO", "false");
        let reported: Finished = Program::spawn(command).finish();
        assert_eq!(reported.code(), 1, "{reported:?}");
        let line = reported.error_line();
        assert!(line.contains(&format!("run: cargo install --locked {tool}@")), "{line}");
    }
}
