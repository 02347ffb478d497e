//! The walk over every endpoint (`tests/tests/endpoints.rs`) reaches all there are: it mounts each registered kind of engine, and
//! names each endpoint that lies outside all mounts, which no help lists.
//!
//! Invariants: the declarations themselves are read. Does not look whether an endpoint has tests of what it does: that cannot be
//! told from text.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use syn::visit::{self, Visit};

use super::Findings;
use super::source::Source;
use crate::workspace::Workspace;

const WALK: &str = "tests/tests/endpoints.rs";

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    let mut declared = Declared::default();
    for source in Source::production(workspace)? {
        // A kind that only tests register.
        if !source.path.ends_with("/testing.rs") {
            declared.visit_file(&source.syntax);
        }
    }
    let walk = syn::parse_file(&workspace.read(WALK)?).with_context(|| format!("{WALK} is no Rust"))?;
    compare(&declared, &Walk::read(&walk), findings);
    Ok(())
}

fn compare(declared: &Declared, walk: &Walk, findings: &mut Findings) {
    if declared.kinds.is_empty() || declared.outside.is_empty() {
        findings.fail(
            "no kind or no endpoint outside all mounts was found: this check reads what is no longer there",
        );
    }
    for (kind, registered) in count(&declared.kinds) {
        let mounted = walk.mounted.iter().filter(|mounted| **mounted == kind).count();
        if mounted != registered {
            findings.fail(format!(
                "{WALK} mounts `{kind}` {mounted} times, {registered} engines are registered by that name"
            ));
        }
    }
    let outside: Vec<String> = declared.outside.iter().map(|template| format!("sys/{template}")).collect();
    for path in outside.iter().filter(|path| !walk.outside.contains(path)) {
        findings.fail(format!("{WALK} does not name `{path}`, which lies outside all mounts"));
    }
    for path in walk.outside.iter().filter(|path| !outside.contains(path)) {
        findings.fail(format!("{WALK} names `{path}`, which is not declared"));
    }
}

fn count(names: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    for name in names {
        *counted.entry(name.as_str()).or_default() += 1;
    }
    counted
}

/// What the product declares.
#[derive(Default)]
struct Declared {
    /// The name of each registered engine.
    kinds: Vec<String>,
    /// The templates of the endpoints that `Vault` itself serves.
    outside: Vec<String>,
    of_vault: bool,
}

impl<'ast> Visit<'ast> for Declared {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let before = self.of_vault;
        self.of_vault = returns(&item.sig, "Endpoints", "Vault");
        visit::visit_item_fn(self, item);
        self.of_vault = before;
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // `.at(template, what it is, |e| …)` declares an endpoint.
        if self.of_vault && call.method == "at" && call.args.len() == 3 {
            self.outside.extend(call.args.first().and_then(text));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        // `EngineKind::new::<Engine>(name, serves)` registers one.
        if let syn::Expr::Path(path) = call.func.as_ref() {
            let names: Vec<String> =
                path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if names.ends_with(&["EngineKind".to_owned(), "new".to_owned()]) {
                self.kinds.extend(call.args.first().and_then(text));
            }
        }
        visit::visit_expr_call(self, call);
    }
}

/// Whether a function returns `outer<inner>`.
fn returns(signature: &syn::Signature, outer: &str, inner: &str) -> bool {
    let syn::ReturnType::Type(_, returned) = &signature.output else { return false };
    let syn::Type::Path(path) = returned.as_ref() else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    last.ident == outer
        && arguments.args.iter().any(|argument| {
            matches!(argument, syn::GenericArgument::Type(syn::Type::Path(path)) if path.path.is_ident(inner))
        })
}

/// What the walk says it reaches.
struct Walk {
    /// The second text of each row of `MOUNTED`.
    mounted: Vec<String>,
    /// The first text of each row of `OUTSIDE`.
    outside: Vec<String>,
}

impl Walk {
    fn read(file: &syn::File) -> Self {
        Self { mounted: column(file, "MOUNTED", 1), outside: column(file, "OUTSIDE", 0) }
    }
}

/// One column of a constant slice of tuples.
fn column(file: &syn::File, name: &str, column: usize) -> Vec<String> {
    let constant = file.items.iter().find_map(|item| match item {
        syn::Item::Const(constant) if constant.ident == name => Some(constant.expr.as_ref()),
        _ => None,
    });
    let Some(syn::Expr::Reference(slice)) = constant else { return Vec::new() };
    let syn::Expr::Array(rows) = slice.expr.as_ref() else { return Vec::new() };
    let cell = |row: &syn::Expr| match row {
        syn::Expr::Tuple(tuple) => tuple.elems.get(column).and_then(text),
        _ => None,
    };
    rows.elems.iter().filter_map(cell).collect()
}

fn text(expression: &syn::Expr) -> Option<String> {
    match expression {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = r#"
        fn endpoints() -> Endpoints<Vault> { Endpoints::new().at("init", "Init.", |e| e).and(other.at("x")) }
        fn others() -> Endpoints<Active> { Endpoints::new().at("seal", "Sealing.", |e| e) }
        fn kinds() { [EngineKind::new::<Kv1>("kv", f), logical::EngineKind::new::<Kv2>("kv", f), Other::new("y", f)] }
    "#;

    fn failures(walk: &str) -> usize {
        let mut declared = Declared::default();
        declared.visit_file(&syn::parse_file(PRODUCT).unwrap());
        let mut findings = Findings::default();
        compare(&declared, &Walk::read(&syn::parse_file(walk).unwrap()), &mut findings);
        findings.failures.len()
    }

    #[test]
    fn a_kind_that_is_not_mounted_and_an_endpoint_that_is_not_named_are_found() {
        let mounted = r#"const MOUNTED: &[(&str, &str)] = &[("a", "kv"), ("b", "kv")];"#;
        let outside = r#"const OUTSIDE: &[(&str, &str)] = &[("sys/init", "why")];"#;
        for (walk, expected) in [
            (format!("{mounted}{outside}"), 0),
            (outside.to_owned(), 1),
            (mounted.to_owned(), 1),
            (format!("{}{outside}", mounted.replace("(\"b\", \"kv\")", "")), 1),
            (format!("{mounted}{}", outside.replace("init", "gone")), 2),
            (format!("// \"kv\" \"kv\" \"sys/init\"\n{}", ""), 2),
        ] {
            assert_eq!(failures(&walk), expected, "{walk}");
        }
    }

    #[test]
    fn a_product_in_which_nothing_is_found_is_a_failure() {
        let mut findings = Findings::default();
        let nothing = Walk { mounted: Vec::new(), outside: Vec::new() };
        compare(&Declared::default(), &nothing, &mut findings);
        assert_eq!(findings.failures.len(), 1);
    }
}
