//! The size of files and functions.
//!
//! Invariants: tests are not measured. Above the mark is a note, for a table may be long; a file above the limit fails, and clippy
//! (`too_many_lines`) fails the functions. Knows nothing of what the code does.

use anyhow::Result;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Findings;
use super::source::Source;
use crate::workspace::Workspace;

/// Lines of code, without empty ones and comments.
const FILE_MARK: usize = 400;
/// Lines of any kind.
const FILE_LIMIT: usize = 500;
const FUNCTION_MARK: usize = 60;

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    for source in Source::production(workspace)? {
        measure(&source, findings);
    }
    Ok(())
}

fn measure(source: &Source, findings: &mut Findings) {
    let lines = source.lines().count();
    let code = source.code_lines(1, usize::MAX);
    if lines > FILE_LIMIT {
        findings.fail(format!("{} has {lines} lines; {FILE_LIMIT} is the limit", source.path));
    } else if code > FILE_MARK {
        findings.note(format!("{} has {code} lines of code; split it by {FILE_MARK}", source.path));
    }
    let mut functions = Functions { source, findings };
    functions.visit_file(&source.syntax);
}

struct Functions<'a> {
    source: &'a Source,
    findings: &'a mut Findings,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let first = body.span().start().line;
        let last = body.span().end().line;
        let code = self.source.code_lines(first + 1, last.saturating_sub(1));
        if code > FUNCTION_MARK {
            let path = &self.source.path;
            self.findings.note(format!(
                "{path}:{first}: {name} has {code} lines of code; split it by {FUNCTION_MARK}"
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Source, measure};

    fn findings(text: String) -> Findings {
        let mut findings = Findings::default();
        measure(&Source::parse(text, "a.rs".to_owned()).unwrap(), &mut findings);
        findings
    }

    #[test]
    fn a_function_is_measured_without_its_comments() {
        let body = |line: &str, count: usize| format!("fn f() {{\n{}}}\n", line.repeat(count));
        assert!(findings(body("    work();\n", 60)).notes.is_empty());
        assert!(findings(body("    work();\n    // why\n\n", 60)).notes.is_empty());
        let found = findings(body("    work();\n", 61)).notes;
        assert_eq!(found, ["a.rs:1: f has 61 lines of code; split it by 60"]);
    }

    #[test]
    fn a_file_is_noted_above_the_mark_and_fails_above_the_limit() {
        let file = |count: usize| "const A: u8 = 1;\n".repeat(count);
        assert_eq!((findings(file(400)).notes.len(), findings(file(400)).failures.len()), (0, 0));
        assert_eq!((findings(file(401)).notes.len(), findings(file(401)).failures.len()), (1, 0));
        assert_eq!((findings(file(501)).notes.len(), findings(file(501)).failures.len()), (0, 1));
    }
}
