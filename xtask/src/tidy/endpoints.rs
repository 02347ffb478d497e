//! Every endpoint has its tests: what its template begins with is asked for in some test.
//!
//! Invariants: the declarations themselves are read, there is no second list. An endpoint whose template begins with a
//! capture has no head to look for and is left to its neighbours' tests. Knows nothing of what the tests expect.

use anyhow::Result;
use syn::visit::{self, Visit};

use super::Findings;
use super::source::{Source, only_for_tests, slashes};
use crate::workspace::Workspace;

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    let asked = asked_for(workspace)?;
    for source in Source::production(workspace)? {
        let mut declared = Declared::default();
        declared.visit_file(&source.syntax);
        for (line, template) in declared.templates {
            let head = head(&template);
            if !head.is_empty() && !asked.contains(&head) {
                findings.fail(format!("{}:{line}: no test asks for `{template}`", source.path));
            }
        }
    }
    Ok(())
}

/// What comes before the first capture, without the slash between.
fn head(template: &str) -> String {
    template.split('{').next().unwrap_or_default().trim_end_matches('/').to_owned()
}

/// All that tests say, as one text.
fn asked_for(workspace: &Workspace) -> Result<String> {
    let mut asked = String::new();
    for folder in ["crates", "tests"] {
        for path in workspace.rust_files(folder)? {
            let path = slashes(&path)?;
            let text = workspace.read(&path)?;
            if only_for_tests(&path) {
                asked.push_str(&text);
            } else if let Some((_, tests)) = text.split_once("#[cfg(test)]\nmod tests {") {
                asked.push_str(tests);
            }
        }
    }
    Ok(asked)
}

#[derive(Default)]
struct Declared {
    templates: Vec<(usize, String)>,
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // `.at(template, what it is, |e| …)` and nothing else has three arguments of which the first is a text.
        if call.method == "at"
            && call.args.len() == 3
            && let Some(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(template), .. })) = call.args.first()
        {
            self.templates.push((template.span().start().line, template.value()));
        }
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found_where_they_are_declared() {
        let text = r#"fn f() { Endpoints::new().at("creds/{*name}", "One.", |e| e).and(other.at("x")).at("config", WHAT, g); }"#;
        let mut declared = Declared::default();
        declared.visit_file(&syn::parse_file(text).expect("Rust"));
        let heads: Vec<String> = declared.templates.iter().map(|(_, template)| head(template)).collect();
        assert_eq!(heads.len(), 2);
        assert!(heads.contains(&"creds".to_owned()) && heads.contains(&"config".to_owned()));
    }
}
