//! The paths that a file imports or names, and the files that they lead to.

use std::collections::BTreeMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, File, ImplItem, Item, ItemUse, Macro, MetaList, Path, Stmt, TraitItem, UseTree,
    Visibility,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use crate::{
    cfg::is_test_only,
    package::{Crate, Import, ModulePath, attributes},
};

/// Follows paths from a module of one crate to modules of the same package.
pub(crate) struct Resolver<'a> {
    own: &'a Crate,
    /// The library of the package and its name, for a program beside it.
    library: Option<(&'a str, &'a Crate)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(own: &'a Crate, library: Option<(&'a str, &'a Crate)>) -> Self {
        Self { own, library }
    }

    /// Returns the deepest module on the path and how many segments lead to it. A path into another package has
    /// none.
    fn resolve(
        &self,
        module: &[String],
        path: &[String],
        imported: &BTreeMap<String, Target<'a>>,
    ) -> Option<(Target<'a>, usize)> {
        let (first, own) = (&path.first()?[..], self.own);
        let mut base = module.to_vec();
        let mut used = 1;
        let mut target = match first {
            "crate" => Target { of: own, module: Vec::new() },
            "self" => Target { of: own, module: base },
            "super" => {
                base.pop()?;
                while path.get(used).is_some_and(|segment| segment == "super") {
                    base.pop()?;
                    used += 1;
                }
                Target { of: own, module: base }
            }
            _ => {
                base.push(first.to_owned());
                match (imported.get(first), self.library) {
                    _ if own.modules.contains_key(&base) => Target { of: own, module: base },
                    (Some(target), _) => target.clone(),
                    (_, Some((name, library))) if name == first => {
                        Target { of: library, module: Vec::new() }
                    }
                    _ => return None,
                }
            }
        };
        while let Some(segment) = path.get(used) {
            target.module.push(segment.clone());
            if !target.of.modules.contains_key(&target.module) {
                target.module.pop();
                break;
            }
            used += 1;
        }
        Some((target, used))
    }
}

/// Module of a crate.
#[derive(Clone)]
struct Target<'a> {
    of: &'a Crate,
    module: ModulePath,
}

impl Target<'_> {
    fn file(&self) -> &str {
        &self.of.modules[&self.module]
    }
}

/// Returns the imports of one file.
pub(crate) fn of_file(
    file: &File,
    path: &str,
    module: &[String],
    resolver: &Resolver<'_>,
) -> Vec<Import> {
    let mut visitor = Visitor {
        resolver,
        file: path,
        module: module.to_vec(),
        imported: BTreeMap::new(),
        imports: Vec::new(),
    };
    // The first passes learn the names of imported modules, which later paths may begin with.
    for _ in 0..3 {
        visitor.imports.clear();
        visitor.visit_file(file);
    }
    visitor.imports
}

struct Visitor<'a, 'r> {
    resolver: &'r Resolver<'a>,
    file: &'r str,
    module: ModulePath,
    /// Modules by the names under which this file imports them.
    imported: BTreeMap<String, Target<'a>>,
    imports: Vec<Import>,
}

impl Visitor<'_, '_> {
    /// Adds a path that is named or imported, unless it leads to another package or back to this file.
    fn add(&mut self, path: &[String], span: Span) {
        let Some((target, _)) = self.resolver.resolve(&self.module, path, &self.imported) else {
            return;
        };
        self.add_import(target.file().to_owned(), path.join("::"), span);
    }

    fn add_import(&mut self, to: String, path: String, span: Span) {
        if to != self.file {
            let (from, line) = (self.file.to_owned(), span.start().line);
            self.imports.push(Import { from, to, line, path });
        }
    }

    fn add_use(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_use(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add_use(item, prefix)),
            UseTree::Glob(_) => self.add(prefix, tree.span()),
            UseTree::Name(name) => {
                let is_self = name.ident == "self";
                let path = if is_self { prefix.to_vec() } else { with(&name.ident) };
                let last = path.last().cloned();
                self.add_named(&path, last, tree.span());
            }
            UseTree::Rename(rename) => {
                let is_self = rename.ident == "self";
                let path = if is_self { prefix.to_vec() } else { with(&rename.ident) };
                self.add_named(&path, Some(rename.rename.to_string()), tree.span());
            }
        }
    }

    fn add_named(&mut self, path: &[String], name: Option<String>, span: Span) {
        self.add(path, span);
        let resolved = self.resolver.resolve(&self.module, path, &self.imported);
        if let (Some((target, used)), Some(name)) = (resolved, name)
            && used == path.len()
        {
            self.imported.insert(name, target);
        }
    }

    /// Adds the paths among the tokens of a macro call, which no parser understands.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<(String, Span)> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_path(&mut path);
                    }
                    path.push((ident.to_string(), ident.span()));
                    colons = 0;
                }
                TokenTree::Group(group) => {
                    self.end_path(&mut path);
                    self.add_tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.end_path(&mut path);
                    colons = 0;
                }
            }
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Vec<(String, Span)>) {
        if let [(_, span), _, ..] = path[..] {
            let segments: Vec<String> = path.iter().map(|(name, _)| name.clone()).collect();
            self.add(&segments, span);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Visitor<'_, '_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_test_only(attributes(item)) {
            return;
        }
        let Item::Mod(module) = item else { return visit::visit_item(self, item) };
        self.module.push(module.ident.to_string());
        if module.content.is_some() {
            visit::visit_item(self, item);
        } else {
            let to = self.resolver.own.modules[&self.module].clone();
            self.add_import(to, format!("mod {}", module.ident), module.span());
        }
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_use(&item.tree, &[]);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes: &[Attribute] = match item {
            TraitItem::Fn(item) => &item.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes: &[Attribute] = match statement {
            Stmt::Local(local) => &local.attrs,
            Stmt::Macro(call) => &call.attrs,
            _ => &[],
        };
        if !is_test_only(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test_only(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.add(&segments, path.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_macro(self, call);
        self.add_tokens(call.tokens.clone());
    }

    /// `pub(in crate::a)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// An attribute can name a function, as in `#[arg(value_parser = crate::a::parse)]`.
    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.add_tokens(list.tokens.clone());
    }
}
