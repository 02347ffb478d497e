//! Values as Go's formatting verbs write them, which is what Vault's tables hold, and its line wrapping.

use serde_json::Value;

/// As `%v`: `map[a:1 b:[x y]]`, `<nil>`.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| format!("{key}:{}", shown(value)));
            format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
        }
    }
}

/// As `%q` of a list of strings: `["a" "b"]`.
pub(crate) fn quoted(items: &[String]) -> String {
    let quoted = items.iter().map(|item| Value::String(item.clone()).to_string());
    format!("[{}]", quoted.collect::<Vec<_>>().join(" "))
}

/// Words in lines no wider than 78, each line after `padding` spaces. Line breaks of the text stay.
pub(crate) fn wrapped(text: &str, padding: usize) -> String {
    let wide = 78 - padding.min(40);
    let pad = " ".repeat(padding);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut count = 0;
        for word in paragraph.split(' ') {
            let length = word.chars().count();
            if count > 0 && count + 1 + length > wide {
                lines.push(std::mem::take(&mut line));
                count = 0;
            } else if count > 0 {
                line.push(' ');
                count += 1;
            }
            line.push_str(word);
            count += length;
        }
        lines.push(line);
    }
    lines.iter().map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n")
}
