//! The modules of a package and the imports between its files.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    slice,
};

use proc_macro2::Span;
use syn::{Expr, ExprLit, File, Item, ItemMod, Lit, Meta, spanned::Spanned as _};

use crate::{
    cfg::is_test_only,
    imports::{self, Resolver},
    sources::Sources,
};

/// Path of a module from the root of its crate.
pub(crate) type ModulePath = Vec<String>;

/// Modules of one crate and the file of each.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) root: String,
    pub(crate) modules: BTreeMap<ModulePath, String>,
    /// Each file once, with the module that it holds.
    files: Vec<(String, ModulePath)>,
}

/// Import of one file by another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) line: usize,
    /// Path as written, or `mod name` for a declaration.
    pub(crate) path: String,
}

/// Library and programs that share one `src` folder.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Number of lines of each file, without the items that only tests compile. Test files are not here.
    pub(crate) lines: BTreeMap<String, usize>,
    /// Files whose first line is a `//!` doc comment.
    pub(crate) documented: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    pub(crate) roots: BTreeSet<String>,
}

impl Package {
    /// Parses the sources that the crates with these root files compile.
    pub(crate) fn new(name: &str, sources: &Sources, roots: &[&str]) -> Self {
        let parsed: BTreeMap<&str, File> = sources
            .0
            .iter()
            .map(|(path, text)| {
                let file = syn::parse_file(text)
                    .unwrap_or_else(|error| panic!("{name}/src/{path} does not parse: {error}"));
                (&path[..], file)
            })
            .collect();
        let crates: Vec<Crate> = roots.iter().map(|root| Crate::new(root, &parsed)).collect();
        let library = crates.iter().find(|one| one.root == "lib.rs");
        let mut package = Self {
            name: name.to_owned(),
            lines: BTreeMap::new(),
            documented: BTreeSet::new(),
            imports: Vec::new(),
            roots: roots.iter().map(|&root| root.to_owned()).collect(),
        };
        for one in &crates {
            for (path, module) in &one.files {
                let library = library.filter(|library| library.root != one.root);
                let resolver = Resolver::new(one, library.map(|library| (name, library)));
                let file = &parsed[&path[..]];
                package.imports.extend(imports::of_file(file, path, module, &resolver));
                let text = &sources.0[path];
                package.lines.insert(path.clone(), program_lines(text, &file.items));
                if text.starts_with("//!") {
                    package.documented.insert(path.clone());
                }
            }
        }
        package.imports.sort();
        package.imports.dedup();
        package
    }

    /// Returns a file's path from the root of the repository.
    pub(crate) fn shown(&self, file: &str) -> String {
        format!("{}/src/{file}", self.name).trim_end_matches('/').to_owned()
    }
}

impl Crate {
    fn new(root: &str, parsed: &BTreeMap<&str, File>) -> Self {
        let mut one = Self { root: root.to_owned(), modules: BTreeMap::new(), files: Vec::new() };
        one.add_file(root, &[], parsed);
        one
    }

    fn add_file(&mut self, path: &str, module: &[String], parsed: &BTreeMap<&str, File>) {
        self.modules.insert(module.to_vec(), path.to_owned());
        self.files.push((path.to_owned(), module.to_vec()));
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let children = if name == "mod.rs" || path == self.root {
            folder.to_owned()
        } else {
            path.trim_end_matches(".rs").to_owned()
        };
        self.add_items(&parsed[path].items, path, module, &children, parsed);
    }

    fn add_items(
        &mut self,
        items: &[Item],
        file: &str,
        module: &[String],
        folder: &str,
        parsed: &BTreeMap<&str, File>,
    ) {
        for item in program_modules(items) {
            let name = item.ident.to_string();
            let child = [module, slice::from_ref(&name)].concat();
            let below = join(folder, &name);
            if let Some((_, items)) = &item.content {
                self.modules.insert(child.clone(), file.to_owned());
                self.add_items(items, file, &child, &below, parsed);
                continue;
            }
            let named = path_attribute(item)
                .map(|path| join(file.rsplit_once('/').unwrap_or(("", "")).0, &path));
            let candidates =
                named.into_iter().chain([format!("{below}.rs"), format!("{below}/mod.rs")]);
            let found = candidates.into_iter().find(|path| parsed.contains_key(&path[..]));
            let found =
                found.unwrap_or_else(|| panic!("{file} declares {name}, which has no file"));
            self.add_file(&found, &child, parsed);
        }
    }
}

/// Returns the modules among these items that are not only for tests.
pub(crate) fn program_modules(items: &[Item]) -> impl Iterator<Item = &ItemMod> {
    items.iter().filter_map(|item| match item {
        Item::Mod(item) if !is_test_only(&item.attrs) => Some(item),
        _ => None,
    })
}

fn path_attribute(item: &ItemMod) -> Option<String> {
    item.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Counts the lines of a file without those of items that only tests compile.
fn program_lines(text: &str, items: &[Item]) -> usize {
    let lines = |span: Span| -> Range<usize> { span.start().line..span.end().line + 1 };
    let of_tests: usize = items
        .iter()
        .filter(|item| is_test_only(attributes(item)))
        .map(|item| lines(item.span()).len())
        .sum();
    text.lines().count() - of_tests
}

/// Returns the attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
