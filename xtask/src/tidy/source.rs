//! The sources that tidy reads: parsed, with the lines that belong to tests set apart.
//!
//! Invariants: line numbers count from one. Knows nothing of what is looked for.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::workspace::Workspace;

const FOLDERS: [&str; 3] = ["crates", "xtask", "tests"];

pub(super) struct Source {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) syntax: syn::File,
    text: String,
    /// First and last line of each item that only tests compile.
    test_items: Vec<(usize, usize)>,
}

impl Source {
    /// Everything the workspace compiles outside its tests.
    pub(super) fn production(workspace: &Workspace) -> Result<Vec<Self>> {
        let mut sources = Vec::new();
        for folder in FOLDERS {
            for path in workspace.rust_files(folder)? {
                let path = slashes(&path)?;
                if !only_for_tests(&path) {
                    sources.push(Self::parse(workspace.read(&path)?, path)?);
                }
            }
        }
        Ok(sources)
    }

    pub(super) fn parse(text: String, path: String) -> Result<Self> {
        let syntax = syn::parse_file(&text).with_context(|| format!("{path} is no Rust"))?;
        let mut finder = TestItems::default();
        finder.visit_file(&syntax);
        Ok(Self { path, syntax, text, test_items: finder.found })
    }

    /// The lines outside tests, with their numbers.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(number, _)| !self.in_test(*number))
    }

    pub(super) fn in_test(&self, line: usize) -> bool {
        self.test_items.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// How many of the lines between two hold code, both included: neither empty nor nothing but a comment.
    pub(super) fn code_lines(&self, first: usize, last: usize) -> usize {
        self.lines()
            .filter(|(number, _)| (first..=last).contains(number))
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
            .count()
    }
}

pub(super) fn slashes(path: &std::path::Path) -> Result<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    Ok(parts.ok_or_else(|| anyhow!("{} is no text", path.display()))?.join("/"))
}

/// Files and folders that no product contains.
pub(super) fn only_for_tests(path: &str) -> bool {
    let path = PathBuf::from(path);
    path.starts_with("tests")
        || path.starts_with("crates/testkit")
        || path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs" || part == "benches" || part == "testing")
}

#[derive(Default)]
struct TestItems {
    found: Vec<(usize, usize)>,
}

impl TestItems {
    fn note(&mut self, attributes: &[syn::Attribute], item: &impl Spanned) {
        if attributes.iter().any(marks_test) {
            let span = item.span();
            self.found.push((span.start().line, span.end().line));
        }
    }
}

impl<'ast> Visit<'ast> for TestItems {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.note(&item.attrs, item);
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.note(&item.attrs, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.note(&item.attrs, item);
        visit::visit_item_impl(self, item);
    }
}

/// `#[cfg(test)]`, alone or as one of several conditions.
fn marks_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg")
        && list.tokens.to_string().split(|c: char| !c.is_alphanumeric()).any(|word| word == "test")
}

#[cfg(test)]
mod tests {
    use super::{Source, only_for_tests};

    const TEXT: &str = "\
//! Doc.

fn product() {
    // why
    work();

}

#[cfg(test)]
mod tests {
    fn inner() {}
}
";

    #[test]
    fn lines_of_test_modules_and_comments_do_not_count() {
        let source = Source::parse(TEXT.to_owned(), "a.rs".to_owned()).unwrap();
        assert_eq!(source.code_lines(1, 100), 3);
        assert!(source.in_test(10));
        assert!(source.lines().all(|(_, line)| !line.contains("inner")));
    }

    #[test]
    fn folders_of_tests_are_told_from_the_product() {
        for (path, expected) in [
            ("crates/core/src/vault.rs", false),
            ("crates/core/src/tests.rs", true),
            ("crates/core/src/seal/tests/init.rs", true),
            ("crates/storage/src/testing/fault.rs", true),
            ("crates/storage/benches/view.rs", true),
            ("crates/testkit/src/lib.rs", true),
            ("tests/src/lib.rs", true),
            ("xtask/src/test.rs", false),
        ] {
            assert_eq!(only_for_tests(path), expected, "{path}");
        }
    }
}
