//! The engine's endpoints, one file per family. The families join in the engine's own table.

pub(crate) mod auth_code_url;
pub(crate) mod config;
pub(crate) mod creds;
pub(crate) mod secret;
pub(crate) mod servers;

/// Which names credentials and servers may have: a colon stands neither at the end nor before a slash. (The reference
/// lets a doubled colon through there, W45.)
pub(crate) fn legal_name(name: &str) -> bool {
    !name.is_empty() && !name.ends_with(':') && !name.contains(":/")
}

#[cfg(test)]
mod tests {
    use super::legal_name;

    #[test]
    fn names_may_hold_anything_but_a_colon_at_the_end_of_a_part() {
        for name in ["a", "foo/bar", "foo/", "a:b", "::a", "x@R:machine", "ü ?%;", "a::b/c"] {
            assert!(legal_name(name), "{name}");
        }
        for name in ["", ":", "a:", "a:/b", "foo::", "foo::/bar", "a/:/b", "a/b:"] {
            assert!(!legal_name(name), "{name}");
        }
    }
}
