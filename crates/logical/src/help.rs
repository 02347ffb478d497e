//! Help texts, derived from the declarations.

use std::fmt::Write as _;

use serde_json::Value;

use crate::Declaration;

impl Declaration {
    /// What `vault path-help` prints for this endpoint.
    #[must_use]
    pub fn help(&self, path: &str, mount: &str) -> String {
        let mut text = format!(
            "Request:        {path}\nMatching Route: {mount}{}\n\n{}\n",
            self.template, self.synopsis
        );
        if !self.fields.is_empty() {
            text.push_str("\n## PARAMETERS\n");
            for (name, schema) in &self.fields {
                let kind = schema.get("type").and_then(Value::as_str).unwrap_or("any");
                let _ = write!(text, "\n    {name} ({kind})\n");
                if let Some(description) = schema.get("description").and_then(Value::as_str) {
                    let _ = writeln!(text, "        {}", description.replace('\n', "\n        "));
                }
            }
        }
        text.push_str("\n## OPERATIONS\n");
        for (operation, does) in &self.actions {
            let _ = write!(text, "\n    {}: {does}\n", operation.word());
        }
        text
    }
}

/// What `vault path-help` prints for a mount: its endpoints, each in a sentence.
#[must_use]
pub fn help_for_all(kind: &str, endpoints: &[&Declaration]) -> String {
    let mut text = format!("## DESCRIPTION\n\nThe {kind} engine.\n\n## PATHS\n");
    for endpoint in endpoints.iter().filter(|endpoint| !endpoint.actions.is_empty()) {
        let _ = write!(text, "\n    {}\n        {}\n", endpoint.template, endpoint.synopsis);
    }
    text
}
