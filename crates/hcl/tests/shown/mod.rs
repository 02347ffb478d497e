//! Shows a tree on one line, so that a test case is one line too; and writes it back as HCL.

use vestal_hcl::{Body, Item, Value};

pub(crate) fn shown(text: &str) -> String {
    match vestal_hcl::parse(text) {
        Ok(body) => show_body(&body),
        Err(failure) => format!("! {failure}"),
    }
}

fn show_body(body: &Body) -> String {
    body.items.iter().map(show_item).collect::<Vec<_>>().join("; ")
}

fn show_item(item: &Item) -> String {
    let keys: Vec<&str> = item.keys.iter().map(|key| key.text.as_str()).collect();
    format!("{}: {}", keys.join("."), show_value(&item.value))
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\n', "|")),
        Value::List(list) => format!("[{}]", list.iter().map(show_value).collect::<Vec<_>>().join(", ")),
        Value::Object(body) => format!("({})", show_body(body)),
    }
}

/// HCL that reads as this tree.
#[allow(dead_code, reason = "not every test file writes trees")]
pub(crate) fn written(body: &Body) -> String {
    body.items.iter().map(write_item).collect::<Vec<_>>().join("\n")
}

fn write_item(item: &Item) -> String {
    let keys = item.keys.iter().map(|key| if key.quoted { quote(&key.text) } else { key.text.clone() });
    let keys: Vec<String> = keys.collect();
    format!("{} {}{}", keys.join(" "), if item.assigned { "= " } else { "" }, write_value(&item.value))
}

fn write_value(value: &Value) -> String {
    match value {
        Value::Null => String::from("\"\""),
        Value::Text(text) => quote(text),
        Value::List(list) => format!("[{}]", list.iter().map(write_value).collect::<Vec<_>>().join(", ")),
        Value::Object(body) => format!("{{ {} }}", written(body)),
        plain => show_value(plain),
    }
}

fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // A dollar before a brace would open an interpolation.
            '\n' | '\0' | '$' => quoted.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}
