//! The rules, as functions from a package to a list of violations.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    graph::Graph,
    package::{Import, Package},
};

/// Maximum number of files in a folder.
const MAX_FILES: usize = 12;

/// Maximum number of lines in a file.
const MAX_LINES: usize = 400;

/// Returns the groups of files that import each other.
pub(crate) fn file_circles(package: &Package) -> Vec<String> {
    let mut graph = Graph::default();
    for import in &package.imports {
        graph.add(&import.from, &import.to);
    }
    circles(package, &graph, &package.imports.iter().collect::<Vec<_>>(), "files", |import| {
        (&import.from, &import.to)
    })
}

/// Returns the groups of neighbours that import each other: the sub-folders and files of one folder.
pub(crate) fn folder_circles(package: &Package) -> Vec<String> {
    let mut by_folder: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in &package.imports {
        let is_neighbour = |unit: &str| !unit.ends_with("mod.rs") && !package.roots.contains(unit);
        let (from, to) = neighbours(import);
        if is_neighbour(from) && is_neighbour(to) {
            let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
            by_folder.entry(folder).or_default().push(import);
        }
    }
    let mut violations = Vec::new();
    for imports in by_folder.values() {
        let mut graph = Graph::default();
        for import in imports {
            let (from, to) = neighbours(import);
            graph.add(from, to);
        }
        violations.extend(circles(package, &graph, imports, "folders", neighbours));
    }
    violations
}

/// Returns the imports that lead from a folder to one in its own row of the order or above, and the folders that have
/// no place in the order.
pub(crate) fn upward_imports(package: &Package, order: &[&[&str]]) -> Vec<String> {
    let row = |folder: &str| order.iter().position(|row| row.contains(&folder));
    let folder = |file| Some(str::split_once(file, '/')?.0);
    let folders: BTreeSet<&str> =
        package.lines.keys().filter_map(|file| folder(&file[..])).collect();
    let unplaced = folders
        .iter()
        .filter(|folder| row(folder).is_none())
        .map(|folder| format!("{} has no place in the order", package.shown(folder)));
    let absent = order
        .iter()
        .copied()
        .flatten()
        .filter(|folder| !folders.contains(*folder))
        .map(|folder| format!("{} is in the order and does not exist", package.shown(folder)));
    let upward = package
        .imports
        .iter()
        .filter(|import| {
            let (from, to) = (folder(&import.from), folder(&import.to));
            let rows = from.and_then(row).zip(to.and_then(row));
            from != to && rows.is_some_and(|(from, to)| to <= from)
        })
        .map(|import| format!("an import does not point down: {}", describe(package, import)));
    unplaced.chain(absent).chain(upward).collect()
}

/// Returns the folders with too many files.
pub(crate) fn large_folders(package: &Package) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in package.lines.keys() {
        *counts.entry(folder_of(file)).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > MAX_FILES)
        .map(|(folder, count)| {
            format!("{} has {count} files, more than {MAX_FILES}", package.shown(folder))
        })
        .collect()
}

/// Returns the folders whose `mod.rs` is missing or does not begin with a `//!` doc comment.
pub(crate) fn undocumented_folders(package: &Package) -> Vec<String> {
    let with_root: BTreeSet<&str> = package.roots.iter().map(|root| folder_of(root)).collect();
    let folders: BTreeSet<&str> = package.lines.keys().map(|file| folder_of(file)).collect();
    let of_folders = folders
        .iter()
        .filter(|folder| !with_root.contains(*folder))
        .map(|folder| format!("{folder}/mod.rs"));
    of_folders
        .chain(package.roots.iter().cloned())
        .filter(|file| !package.documented.contains(file))
        .map(|file| format!("{} does not begin with a //! doc comment", package.shown(&file)))
        .collect()
}

/// Returns the files with too many lines.
pub(crate) fn long_files(package: &Package) -> Vec<String> {
    package
        .lines
        .iter()
        .filter(|(_, lines)| **lines > MAX_LINES)
        .map(|(file, lines)| {
            format!("{} has {lines} lines, more than {MAX_LINES}", package.shown(file))
        })
        .collect()
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Returns the two neighbours between which an import leads: files or sub-folders of the deepest folder that holds
/// both files.
fn neighbours(import: &Import) -> (&str, &str) {
    let (from, to) = (&import.from[..], &import.to[..]);
    let shared = from
        .split('/')
        .zip(to.split('/'))
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one.len() + 1)
        .sum::<usize>();
    let unit = |file| {
        let file: &str = file;
        file[shared..].find('/').map_or(file, |len| &file[..shared + len])
    };
    (unit(from), unit(to))
}

fn describe(package: &Package, import: &Import) -> String {
    let (from, to) = (package.shown(&import.from), package.shown(&import.to));
    format!("{from}:{} imports {} ({to})", import.line, import.path)
}

/// Describes each circle by the imports of which it consists.
fn circles<'a>(
    package: &Package,
    graph: &Graph<'_>,
    imports: &[&'a Import],
    kind: &str,
    ends: impl Fn(&'a Import) -> (&'a str, &'a str),
) -> Vec<String> {
    let describe_circle = |circle: &BTreeSet<&str>| {
        let inside = imports.iter().filter(|import| {
            let (from, to) = ends(import);
            from != to && circle.contains(from) && circle.contains(to)
        });
        let lines: Vec<String> = inside.map(|import| describe(package, import)).collect();
        let names: Vec<String> = circle.iter().map(|name| package.shown(name)).collect();
        let (names, lines) = (names.join(", "), lines.join("\n    "));
        format!("{} {kind} import each other: {names}\n    {lines}", circle.len())
    };
    graph.circles().iter().map(describe_circle).collect()
}
