#!/usr/bin/env python3
"""Prints the licenses and notices of the crates that are linked into a program.

usage: notices.py PACKAGE     a package of this workspace, built with its default features for this machine

They are the files that the crates contain for this purpose. A crate that may be used under the Apache License or another
one is listed with the other, since the Apache License is long. The first line has the licenses of the whole program.

Environment: CARGO is the cargo to use.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

CARGO = os.environ.get("CARGO", "cargo")
FILES = re.compile("LICEN[CS]E|UNLICENSE|COPYING|COPYRIGHT|NOTICE", re.IGNORECASE)
# The license of this project, and the one under which the standard library of Rust is used.
OWN_LICENSES = {"MIT", "Apache-2.0"}
RULE = "=" * 80


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def linked_crates(package):
    """The crates of other authors in a program, as `cargo metadata` describes them."""
    host = output("rustc", "--print", "host-tuple").strip()
    tree = output(CARGO, "tree", "--locked", "--package", package, "--target", host,
                  "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}")
    linked = {tuple(line.split()[:2]) for line in tree.splitlines()}
    metadata = json.loads(output(CARGO, "metadata", "--locked", "--format-version", "1"))
    return [crate for crate in metadata["packages"]
            if (crate["name"], "v" + crate["version"]) in linked and crate["source"]]


def licenses(crate):
    """The licenses under which a crate is used: one of each choice in its SPDX expression, MIT before all, Apache last."""
    if not crate["license"]:
        sys.exit(f"{crate['name']} {crate['version']} has no SPDX expression of its licenses")
    # One of each part between two ANDs fulfils the expression, wherever its parentheses are.
    parts = crate["license"].replace("/", " OR ").split(" AND ")
    choices = [[name.strip(" ()") for name in part.split(" OR ")] for part in parts]
    return {min(choice, key=lambda name: (name != "MIT", name.startswith("Apache"), name)) for choice in choices}


def notices(crate):
    """The text of all files with licenses and notices of a crate."""
    root = pathlib.Path(crate["manifest_path"]).parent
    paths = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
    files = [path for path in paths if any(FILES.match(part) for part in path.parts)]
    others = [path for path in files if "apache" not in path.name.lower()]
    needs_apache = any(name.startswith("Apache") for name in licenses(crate))
    if not needs_apache and any("licen" in str(path).lower() for path in others):
        files = others
    if not files:
        sys.exit(f"{crate['name']} {crate['version']} contains no file with its license")
    texts = [(root / path).read_text("utf-8").lstrip("\n").rstrip() for path in files]
    return "\n\n".join(dict.fromkeys(texts))


def main(package):
    linked = linked_crates(package)
    crates_of = {}
    for crate in linked:
        name = f"{crate['name']} {crate['version']} ({crate['license']})"
        crates_of.setdefault(notices(crate), []).append(name)
    print("SPDX-License-Identifier: " + " AND ".join(sorted(OWN_LICENSES.union(*map(licenses, linked)))))
    print("\nThe program contains the standard library of Rust, https://www.rust-lang.org, by the contributors of the Rust\n"
          "project, under the Apache License 2.0, and these crates from https://crates.io:")
    for text, crates in sorted(crates_of.items(), key=lambda item: item[1]):
        print(f"\n{RULE}\n" + "\n".join(crates) + f"\n{RULE}\n\n{text}")


if len(sys.argv) != 2:
    sys.exit(f"usage: {sys.argv[0]} PACKAGE")
main(sys.argv[1])
