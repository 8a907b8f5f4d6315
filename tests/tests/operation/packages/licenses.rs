//! The licenses in the packages: of the program, and of the crates that are linked into it.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use regex::bytes;
use serde_json::json;
use tempfile::TempDir;
use tests::{
    deployment::find,
    programs::{Program, binaries},
    requirements::{self, skip_without},
};
use toml::Table;

use super::{
    Asset, PACKAGES, STAGED, deb_assets, package_script, root, rpm_assets, staged, staged_text,
};

/// Returns the names and versions of crates whose code is in a program: their files are named by its panics.
fn linked_crates(program: &str) -> BTreeSet<(String, String)> {
    let program = fs::read(staged().join("bin").join(program)).expect("it is staged");
    let pattern = r"/registry/src/[^/]+/([a-z0-9_-]+)-(\d+\.\d+\.\d+[^/]*)/";
    let pattern = bytes::Regex::new(pattern).expect("a pattern");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("paths are UTF-8");
    let crates = pattern.captures_iter(&program).map(|captures| captures.extract().1);
    crates.map(|[name, version]| (text(name), text(version))).collect()
}

#[test]
fn each_package_has_the_licenses_of_the_crates_in_its_program_and_of_no_others() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    for (folder, program) in PACKAGES {
        let source = |assets: &[Asset], path: &str| {
            let asset = assets.iter().find(|asset| asset.dest == path).expect("it is installed");
            staged_text(asset.source.strip_prefix(STAGED).expect("it is generated"))
        };
        let copyright = source(&deb_assets(folder), &format!("usr/share/doc/{program}/copyright"));
        let license = source(&rpm_assets(folder), &format!("usr/share/licenses/{program}/LICENSE"));
        let crates = linked_crates(program);
        for name in ["mio", "rustls"] {
            assert!(crates.iter().any(|(linked, _)| linked == name), "{crates:?}");
        }
        for text in [&copyright, &license] {
            for (name, version) in &crates {
                assert!(text.contains(&format!("\n{name} {version} (")), "{name} {version}");
            }
            // Dependencies of the tests, of the build, and of macros.
            for name in ["proptest", "cc", "syn"] {
                assert!(!text.contains(&format!("\n{name} ")), "{name} is not in {program}");
            }
            assert!(
                text.starts_with("MIT License\n\nCopyright (c) 2026 The echo server authors\n")
            );
            assert!(text.contains("\nCopyright (c) 2014 Carl Lerche and other MIO contributors\n"));
        }
        let end_of_apache = "END OF TERMS AND CONDITIONS\n";
        assert!(license.contains(end_of_apache) && !copyright.contains(end_of_apache));
        assert!(copyright.contains("/usr/share/common-licenses/Apache-2.0"));
    }
}

#[test]
fn the_licenses_of_a_program_are_those_that_its_dependencies_may_have() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let rules: Table = fs::read_to_string(root().join("deny.toml"))
        .expect("it exists")
        .parse()
        .expect("the rules are TOML");
    let allowed = rules["licenses"]["allow"].as_array().expect("an array");
    for (_, program) in PACKAGES {
        let text = staged_text(&format!("{program}.license"));
        let expression = find(&text, "^SPDX-License-Identifier: (.*)$");
        let licenses: Vec<_> = expression.split(" AND ").collect();
        // This project, the standard library of Rust, the libraries of TLS, and the tables of Unicode.
        for name in ["MIT", "Apache-2.0", "ISC", "Unicode-3.0"] {
            assert!(licenses.contains(&name), "{name} is missing in {expression}");
        }
        for name in licenses {
            assert!(allowed.iter().any(|allowed| allowed.as_str() == Some(name)), "{name}");
        }
    }
}

/// A cargo that knows one crate, with an expression of its licenses and these files.
fn cargo_with_crate(license: &str, files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("the file can be written");
        path
    };
    let manifest = write("Cargo.toml", "");
    let known = json!({ "packages": [
        { "name": "known", "version": "1.0.0", "license": license, "source": "registry", "manifest_path": manifest },
    ] });
    let metadata = write("metadata.json", &known.to_string());
    let script =
        format!("#!/bin/sh\n[ $1 = tree ] && echo 'known v1.0.0' || cat {}\n", metadata.display());
    let cargo = write("cargo", &script);
    fs::set_permissions(cargo, Permissions::from_mode(0o755)).expect("the file is our own");
    for (name, text) in files {
        write(name, text);
    }
    directory
}

#[test]
fn the_notices_have_each_text_that_a_license_requires() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let files =
        [("license-mit", "M of MIT"), ("LICENSE-APACHE", "A of Apache"), ("notice.txt", "N")];
    for (license, used, has_apache) in [
        ("MIT/Apache-2.0", "Apache-2.0 AND MIT", false),
        ("Apache-2.0 OR ISC", "Apache-2.0 AND ISC AND MIT", false),
        ("(Apache-2.0 OR Zlib) AND ISC", "Apache-2.0 AND ISC AND MIT AND Zlib", false),
        ("(MIT OR ISC) AND Apache-2.0", "Apache-2.0 AND MIT", true),
        ("Apache-2.0", "Apache-2.0 AND MIT", true),
    ] {
        let directory = cargo_with_crate(license, &files);
        let mut script = Command::new(root().join("scripts/notices.py"));
        script.arg("known").env("CARGO", directory.path().join("cargo"));
        let printed = Program::spawn(script).finish();
        assert_eq!(printed.code(), 0, "{printed:?}");
        let text = String::from_utf8_lossy(&printed.stdout);
        assert_eq!(find(&text, "^SPDX-License-Identifier: (.*)$"), used, "{license}");
        assert_eq!(text.contains("A of Apache"), has_apache, "{license}");
        assert!(text.ends_with("\n\nM of MIT\n\nN\n"), "{printed:?}");
    }
}

#[test]
fn a_license_whose_end_is_unknown_is_not_cut_out_of_a_package() {
    if skip_without(&[requirements::python()]) {
        return;
    }
    let text = "  Apache License\nno last line";
    let directory = cargo_with_crate("Apache-2.0", &[("LICENSE", text)]);
    let server = binaries::echo_server();
    let programs = server.parent().expect("a file is in a directory");
    let [programs, staged] = [programs, &directory.path().join("package")]
        .map(|path| path.to_str().expect("the path is UTF-8").to_owned());
    let mut script = package_script(&["stage", &programs, &staged]);
    script.env("CARGO", directory.path().join("cargo"));
    let ended = Program::spawn(script).finish();
    assert_eq!(ended.code(), 1, "{ended:?}");
    assert_eq!(ended.error_line(), "a text of the Apache License has no end");
}
