//! Lays out a policy: two spaces per brace, one around an equals sign, comments kept.
//!
//! Invariant: what comes out reads as the same policy, or an error comes out instead.

use vestal_hcl::{Body, Value};

const INDENT: &str = "  ";

/// The same policy, laid out.
pub(crate) fn lay_out(rules: &str) -> Result<String, String> {
    let before = vestal_hcl::parse(rules).map_err(|error| error.to_string())?;
    if rules.trim_start().starts_with('{') || rules.contains("<<") {
        // JSON has its own tools, and a heredoc's lines are its value.
        return Ok(rules.to_owned());
    }
    let after = indented(rules);
    match vestal_hcl::parse(&after) {
        Ok(again) if same_body(&before, &again) => Ok(after),
        _ => Ok(rules.to_owned()),
    }
}

fn indented(rules: &str) -> String {
    let mut out = String::new();
    let mut depth: usize = 0;
    let mut comment = false;
    let mut blank = false;
    for line in rules.lines() {
        let line = line.trim();
        if line.is_empty() {
            blank = !out.is_empty();
            continue;
        }
        let (opened, closed, closes_first) = braces(line, &mut comment);
        if closes_first {
            depth = depth.saturating_sub(1);
        }
        if std::mem::take(&mut blank) && !closes_first {
            out.push('\n');
        }
        out.push_str(&INDENT.repeat(depth));
        out.push_str(&spaced(line));
        out.push('\n');
        let closed_later = closed - usize::from(closes_first);
        depth = (depth + opened).saturating_sub(closed_later);
    }
    out
}

/// Brackets opened and closed outside texts and comments, and whether the line begins with a closing one.
fn braces(line: &str, comment: &mut bool) -> (usize, usize, bool) {
    let (mut opened, mut closed, mut quoted) = (0, 0, false);
    let closes_first = !*comment && line.starts_with(['}', ']']);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        if *comment {
            *comment = !(letter == '*' && letters.next_if_eq(&'/').is_some());
            continue;
        }
        match letter {
            '\\' if quoted => drop(letters.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            '#' => break,
            '/' if letters.peek() == Some(&'/') => break,
            '/' if letters.next_if_eq(&'*').is_some() => *comment = true,
            '{' | '[' => opened += 1,
            '}' | ']' => closed += 1,
            _ => {}
        }
    }
    (opened, closed, closes_first)
}

/// One blank around the first equals sign of `name=value`.
fn spaced(line: &str) -> String {
    let Some((name, value)) = line.split_once('=') else { return line.to_owned() };
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if is_name { format!("{name} = {}", value.trim_start()) } else { line.to_owned() }
}

/// Equal but for where the keys stand.
fn same_body(left: &Body, right: &Body) -> bool {
    let same = |(a, b): (&vestal_hcl::Item, &vestal_hcl::Item)| {
        a.keys.len() == b.keys.len()
            && a.keys.iter().zip(&b.keys).all(|(a, b)| a.text == b.text)
            && same_value(&a.value, &b.value)
    };
    left.items.len() == right.items.len() && left.items.iter().zip(&right.items).all(same)
}

fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => same_body(left, right),
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_value(left, right))
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_laid_out_and_means_the_same() {
        let given = "path \"secret/*\" {\ncapabilities=[\"read\",  \"list\"]\n}\n\n\n# note {\npath \"kv/{{x}}\" {\n    capabilities   = [\n\"create\",\n]\n  required_parameters=[\"a\"]  # = {\n}\n";
        let expected = "path \"secret/*\" {\n  capabilities = [\"read\",  \"list\"]\n}\n\n# note {\npath \"kv/{{x}}\" {\n  capabilities = [\n    \"create\",\n  ]\n  required_parameters = [\"a\"]  # = {\n}\n";
        assert_eq!(lay_out(given).unwrap(), expected);
        assert_eq!(lay_out(expected).unwrap(), expected, "laying out again changes nothing");
    }

    #[test]
    fn what_is_no_policy_is_refused_and_json_stays_as_it_is() {
        assert!(lay_out("nonsense {").is_err());
        let json = "{\"path\":{\"a\":{\"capabilities\":[\"read\"]}}}";
        assert_eq!(lay_out(json).unwrap(), json);
    }
}
