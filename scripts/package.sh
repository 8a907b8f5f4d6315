#!/usr/bin/env bash
# Builds packages of both programs from an optimised build, without root.
#
# usage: package.sh deb      packages for Debian and its relatives
#        package.sh rpm      packages for Fedora and its relatives
#        package.sh stage PROGRAMS DIRECTORY
#                            writes the files that are not in the repository to a directory: stripped programs, man pages,
#                            completions, units, changelogs, licenses. The metadata in server/Cargo.toml and
#                            client/Cargo.toml names them.
#
# The same programs give the same packages, since the files in them have the time of the last commit.
#
# Environment:
#   CARGO                       the cargo to build with
#   SOURCE_DATE_EPOCH           another time for the files, in seconds since 1970
#   DEBFULLNAME, DEBEMAIL       the maintainer of the Debian packages, as for Debian's own tools
set -euo pipefail
cd "$(dirname "$0")/.."

# The versions that the packages are tested with.
cargo_deb=3.8.0
cargo_generate_rpm=0.21.1

cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
staged=$target/release/package
# Sources without a repository have the time of their last change only. It is not exported: dependencies with C code would be
# compiled again after each commit.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date -r CHANGELOG.md +%s)}
maintainer=$(sed -n 's/^maintainer = "\(.*\)"$/\1/p' server/Cargo.toml)
if [ -n "${DEBEMAIL:-}" ]; then
    maintainer="${DEBFULLNAME:-$DEBEMAIL} <$DEBEMAIL>"
fi

# Ends the script if a command fails because its program is missing: `need HOW_TO_INSTALL_IT COMMAND...`
need() {
    local remedy=$1
    shift
    "$@" >/dev/null 2>&1 && return
    echo "cannot build packages: \`$*\` fails; $remedy" >&2
    exit 1
}

# Writes what a program generates: its man pages and completions.
stage_program() {
    local program=$1 directory=$2 name
    name=$(basename "$program")
    strip --remove-section=.comment -o "$directory/bin/$name" "$program"
    "$program" man "$directory/man"
    "$program" completions bash >"$directory/completions/$name"
    "$program" completions zsh >"$directory/completions/_$name"
    "$program" completions fish >"$directory/completions/$name.fish"
}

# Writes the changelog that Debian expects for its own revisions of a version: one entry, which refers to ours.
debian_changelog() {
    local name=$1 version
    version=$("$programs/$name" --version | cut -d ' ' -f 2)
    printf '%s (%s-1) unstable; urgency=medium\n\n' "$name" "$version"
    printf '  * The changes are in changelog.gz.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$(LC_ALL=C date --utc --rfc-email --date "@$epoch")"
}

# Writes the licenses of a program and of the crates in it, for Fedora and for Debian. Packages for Debian have to refer to the
# Apache License, which every Debian has.
stage_licenses() {
    local name=$1 directory=$2 reference="The Apache License is in /usr/share/common-licenses/Apache-2.0."
    { cat LICENSE && echo && CARGO=$cargo scripts/notices.py "${name#echo-}"; } >"$directory/$name.license"
    awk -v reference="$reference" '
        /^ *Apache License$/ { if (inside++) exit; print reference }
        !inside
        /^ *END OF TERMS AND CONDITIONS$/ { inside = 0 }
        END { if (inside) { print "a text of the Apache License has no end" >"/dev/stderr"; exit 1 } }
    ' "$directory/$name.license" >"$directory/$name.copyright"
}

stage() {
    local programs=$1 directory=$2 name unit
    rm -rf "$directory"
    mkdir -p "$directory"/{bin,man,completions}
    for name in echo-server echo-client; do
        stage_program "$programs/$name" "$directory"
        stage_licenses "$name" "$directory"
        debian_changelog "$name" | gzip -9n >"$directory/$name.changelog.gz"
    done
    gzip -9n "$directory"/man/*
    gzip -9n <CHANGELOG.md >"$directory/changelog.gz"
    # The units of docs/deploy are for an installation by hand, whose directories differ.
    for unit in echo-server.service echo-server.socket; do
        sed -e 's|/etc/systemd/system/|/usr/lib/systemd/system/|' -e 's|/usr/local/bin/|/usr/bin/|' \
            "docs/deploy/$unit" >"$directory/$unit"
    done
}

build() {
    need "install the package binutils" strip --version
    need "install the package python3" python3 --version
    # Without `--package`, crates would have the features that the tests of this workspace need, too.
    "$cargo" build --release --locked --package server --package client --bin echo-server --bin echo-client
    stage "$target/release" "$staged"
}

case ${1:-} in
deb)
    need "run: cargo install --locked cargo-deb@$cargo_deb" "$cargo" deb --version
    need "install the package dpkg-dev" dpkg-shlibdeps --version
    build
    for package in server client; do
        SOURCE_DATE_EPOCH=$epoch "$cargo" deb --no-build --no-strip --locked --package "$package" --maintainer "$maintainer"
    done
    ;;
rpm)
    need "run: cargo install --locked cargo-generate-rpm@$cargo_generate_rpm" "$cargo" generate-rpm --version
    build
    for package in server client; do
        rm -f "$target/generate-rpm/echo-$package"-[0-9]*.rpm
        # The first is that of the whole program: texts of crates may have their own.
        license=$(sed -n '/^SPDX-License-Identifier: / { s///p; q }' "$staged/echo-$package.license")
        # The libraries are found in the same way on every machine, whether or not rpm is installed.
        SOURCE_DATE_EPOCH=$epoch "$cargo" generate-rpm --package "$package" --auto-req builtin \
            --set-metadata "license = \"$license\""
        ls "$target/generate-rpm/echo-$package"-[0-9]*.rpm
    done
    ;;
stage)
    stage "${2:?usage: package.sh stage PROGRAMS DIRECTORY}" "${3:?usage: package.sh stage PROGRAMS DIRECTORY}"
    ;;
*)
    echo "usage: package.sh deb|rpm|stage" >&2
    exit 2
    ;;
esac
