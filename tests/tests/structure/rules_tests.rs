//! The rules on small packages in memory: each can fail, and none fails without a reason.

use crate::{package::Package, rules, sources::Sources};

fn sources(files: &[(&str, &str)]) -> Sources {
    Sources(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
}

fn library(files: &[(&str, &str)]) -> Package {
    Package::new("fixture", &sources(files), &["lib.rs"])
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let package = library(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "\nuse crate::b::B;\npub struct A;"),
        ("b.rs", "pub struct B(super::a::A);"),
    ]);
    assert_eq!(
        rules::file_circles(&package),
        ["2 files import each other: fixture/src/a.rs, fixture/src/b.rs\n    \
          fixture/src/a.rs:2 imports crate::b::B (fixture/src/b.rs)\n    \
          fixture/src/b.rs:1 imports super::a::A (fixture/src/a.rs)"]
    );
}

#[test]
fn imports_that_point_one_way_are_no_circle() {
    let package = library(&[
        ("lib.rs", "mod a; mod b; pub use a::A;"),
        ("a.rs", "use crate::b::{self, B}; pub struct A(B, b::C);"),
        ("b.rs", "use std::fmt; use other::Thing; pub struct B; pub struct C;"),
    ]);
    assert!(rules::file_circles(&package).is_empty());
    let imports: Vec<_> =
        package.imports.iter().map(|import| (&import.from[..], &import.path[..])).collect();
    assert_eq!(
        imports,
        [
            ("a.rs", "b::C"),
            ("a.rs", "crate::b"),
            ("a.rs", "crate::b::B"),
            ("lib.rs", "a::A"),
            ("lib.rs", "mod a"),
            ("lib.rs", "mod b"),
        ]
    );
}

#[test]
fn a_child_that_imports_an_item_of_its_mod_rs_is_in_a_circle_with_it() {
    for import in ["use super::Item;", "use super::*;", "fn f() { crate::a::item() }"] {
        let package = library(&[
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod child; pub struct Item; pub fn item() {}"),
            ("a/child.rs", import),
        ]);
        let circles = rules::file_circles(&package);
        assert_eq!(circles.len(), 1, "{import}");
        assert!(circles[0].starts_with("2 files import each other: fixture/src/a/child.rs"));
    }
}

#[test]
fn a_child_that_imports_a_sibling_through_its_parent_is_in_no_circle() {
    let package = library(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod child; mod sibling; pub use self::child::X;"),
        ("a/child.rs", "use super::sibling::Item; use crate::a::sibling; pub struct X;"),
        ("a/sibling.rs", "pub struct Item;"),
    ]);
    assert!(rules::file_circles(&package).is_empty());
}

#[test]
fn code_that_only_tests_compile_imports_nothing() {
    let package = library(&[
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod testing;"),
        (
            "a.rs",
            "#[cfg(test)] use crate::b::B;
             #[cfg(all(test, unix))] fn help() { crate::b::f() }
             impl A { #[cfg(test)] fn b() -> crate::b::B { crate::b::B } }
             #[cfg(test)] mod tests { use crate::b::B; }",
        ),
        ("b.rs", "use crate::a::A; /// See crate::lib\npub struct B;"),
        ("testing.rs", "use crate::a::A;"),
    ]);
    assert!(rules::file_circles(&package).is_empty());
    assert!(!package.lines.contains_key("testing.rs"), "{:?}", package.lines);
    assert_eq!(package.lines["a.rs"], 1);
}

#[test]
fn code_that_a_feature_or_the_absence_of_tests_compiles_is_checked() {
    for condition in ["feature = \"cli\"", "not(test)", "any(test, feature = \"cli\")"] {
        let package = library(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", &format!("#[cfg({condition})] use crate::b::B;")),
            ("b.rs", "use crate::a::A;"),
        ]);
        assert_eq!(rules::file_circles(&package).len(), 1, "{condition}");
    }
}

#[test]
fn a_path_in_a_macro_call_is_an_import() {
    let package = library(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "fn f() { println!(\"{}\", vec![crate::b::f()].len()) }"),
        ("b.rs", "use crate::a;\npub fn f() {}"),
    ]);
    assert_eq!(rules::file_circles(&package).len(), 1);
}

#[test]
fn a_path_in_an_attribute_is_an_import() {
    let package = library(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "#[arg(long, value_parser = crate::b::parse)] struct A;"),
        ("b.rs", "use crate::a;\npub fn parse() {}"),
    ]);
    assert_eq!(rules::file_circles(&package).len(), 1);
}

#[test]
fn a_visibility_is_no_import() {
    let package = library(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod child;"),
        ("a/child.rs", "pub(in crate::a) struct X;"),
    ]);
    assert!(rules::file_circles(&package).is_empty());
}

#[test]
fn an_inline_module_belongs_to_its_file() {
    let package = library(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub mod keys { use super::super::b::B; pub const UP: B = B; } use self::keys::UP;",
        ),
        ("b.rs", "pub struct B; use crate::a::keys::UP;"),
    ]);
    let circles = rules::file_circles(&package);
    assert_eq!(circles.len(), 1);
    assert!(circles[0].contains("super::super::b::B"), "{circles:?}");
}

#[test]
fn folders_can_be_in_a_circle_where_files_are_not() {
    let package = library(&[
        ("lib.rs", "mod top;"),
        ("top/mod.rs", "mod a; mod b;"),
        ("top/a/mod.rs", "mod one; mod two;"),
        ("top/a/one.rs", "use crate::top::b::three::X;"),
        ("top/a/two.rs", "pub struct Y;"),
        ("top/b/mod.rs", "pub mod three; pub mod four;"),
        ("top/b/three.rs", "pub struct X;"),
        ("top/b/four.rs", "use super::super::a::two::Y;"),
    ]);
    assert!(rules::file_circles(&package).is_empty());
    assert_eq!(
        rules::folder_circles(&package),
        ["2 folders import each other: fixture/src/top/a, fixture/src/top/b\n    \
          fixture/src/top/a/one.rs:1 imports crate::top::b::three::X (fixture/src/top/b/three.rs)\n    \
          fixture/src/top/b/four.rs:1 imports super::super::a::two::Y (fixture/src/top/a/two.rs)"]
    );
}

#[test]
fn an_import_that_does_not_point_down_is_reported_with_its_path() {
    let files = [
        ("lib.rs", "mod high; mod low;"),
        ("high/mod.rs", "pub mod item;"),
        ("high/item.rs", "pub struct Item;"),
        ("low/mod.rs", "use crate::high::item::Item;"),
    ];
    let package = library(&files);
    assert_eq!(
        rules::upward_imports(&package, &[&["high"], &["low"]]),
        [
            "an import does not point down: fixture/src/low/mod.rs:1 imports crate::high::item::Item \
          (fixture/src/high/item.rs)"
        ]
    );
    assert_eq!(rules::upward_imports(&package, &[&["high", "low"]]).len(), 1);
    assert!(rules::upward_imports(&package, &[&["low"], &["high"]]).is_empty());
    assert_eq!(
        rules::upward_imports(&package, &[&["low"], &["other"]]),
        [
            "fixture/src/high has no place in the order",
            "fixture/src/other is in the order and does not exist",
        ]
    );
}

#[test]
fn a_program_imports_from_the_library_beside_it_by_its_name() {
    let files = [
        ("lib.rs", "pub mod low;"),
        ("low/mod.rs", "pub struct Low;"),
        ("main.rs", "mod cli; fn main() {}"),
        ("cli/mod.rs", "mod args;"),
        ("cli/args.rs", "use fixture::low::Low;"),
    ];
    let package = Package::new("fixture", &sources(&files), &["lib.rs", "main.rs"]);
    let upward = rules::upward_imports(&package, &[&["low"], &["cli"]]);
    assert_eq!(upward.len(), 1, "{upward:?}");
    assert!(upward[0].contains("fixture::low::Low"), "{upward:?}");
}

#[test]
fn folders_and_files_have_limits() {
    let modules: Vec<String> = (0..13).map(|number| format!("m{number}")).collect();
    let names: Vec<String> = modules.iter().map(|name| format!("big/{name}.rs")).collect();
    let long = "\n".repeat(401);
    let tests = format!("\n#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(500));
    let declared = format!("//! Doc.\nmod {}; #[cfg(test)] mod tests;", modules.join("; mod "));
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "")).collect();
    files.extend([
        ("lib.rs", "//! Doc.\nmod big; mod long; mod plain; mod tested;"),
        ("big/mod.rs", &declared),
        ("big/tests.rs", &long),
        ("long.rs", &long),
        ("plain/mod.rs", "struct X;"),
        ("tested.rs", &tests),
    ]);
    let package = library(&files);
    assert_eq!(rules::large_folders(&package), ["fixture/src/big has 14 files, more than 12"]);
    assert_eq!(rules::long_files(&package), ["fixture/src/long.rs has 401 lines, more than 400"]);
    assert_eq!(
        rules::undocumented_folders(&package),
        ["fixture/src/plain/mod.rs does not begin with a //! doc comment"]
    );
}

#[test]
fn crates_begin_at_the_library_and_at_every_program() {
    let files =
        ["a/lib.rs", "a/main.rs", "b.rs", "bin/c.rs", "bin/d/e.rs", "bin/d/main.rs", "lib.rs"];
    let sources = sources(&files.map(|path| (path, "")));
    assert_eq!(sources.crate_roots(), ["a/main.rs", "bin/c.rs", "bin/d/main.rs", "lib.rs"]);
}
