//! Data given as arguments: `key=value`, `key=@file`, `key=-`, `-` and `@file`.
//!
//! A key given several times becomes a list, which is how maps such as `provider_options` are written. Errors
//! name the argument's place, never its text: it may be a secret.

use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

/// Reads arguments into a JSON object.
pub(crate) fn parse(
    arguments: &[String],
    directory: &Path,
    stdin: &mut dyn Read,
) -> Result<Map<String, Value>, String> {
    let mut source = Source { directory, stdin, consumed: false };
    let mut data = Map::new();
    for (index, argument) in arguments.iter().enumerate() {
        let place = |reason: String| format!("data argument {}: {reason}", index + 1);
        source.take(argument, &mut data).map_err(place)?;
    }
    Ok(data)
}

/// The same as texts: what goes into a query.
pub(crate) fn parse_query(
    arguments: &[String],
    directory: &Path,
    stdin: &mut dyn Read,
) -> Result<Vec<(String, String)>, String> {
    let mut query = Vec::new();
    for (key, value) in parse(arguments, directory, stdin)? {
        match value {
            Value::Array(items) => query.extend(items.iter().map(|item| (key.clone(), plain(item)))),
            other => query.push((key, plain(&other))),
        }
    }
    Ok(query)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Where values come from that are not on the command line.
struct Source<'a> {
    directory: &'a Path,
    stdin: &'a mut dyn Read,
    consumed: bool,
}

impl Source<'_> {
    fn take(&mut self, argument: &str, data: &mut Map<String, Value>) -> Result<(), String> {
        if argument == "-" {
            let text = self.standard_input()?;
            return merge(data, &text);
        }
        if let Some(file) = argument.strip_prefix('@') {
            let text = self.file(file)?;
            return merge(data, &text);
        }
        let (key, value) = argument.split_once('=').ok_or("not of the form key=value")?;
        let value = match value {
            "-" => self.standard_input()?,
            value => match value.strip_prefix('@') {
                Some(file) => self.file(file)?,
                // A backslash keeps an at sign at the front of a value.
                None => {
                    value.strip_prefix('\\').filter(|rest| rest.starts_with('@')).unwrap_or(value).to_owned()
                }
            },
        };
        add(data, key, Value::String(value));
        Ok(())
    }

    fn file(&self, name: &str) -> Result<String, String> {
        std::fs::read_to_string(self.directory.join(name))
            .map_err(|error| format!("cannot read `{name}`: {error}"))
    }

    fn standard_input(&mut self) -> Result<String, String> {
        if std::mem::replace(&mut self.consumed, true) {
            return Err("standard input can be used once only".to_owned());
        }
        let mut text = String::new();
        self.stdin
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read standard input: {error}"))?;
        Ok(text)
    }
}

fn merge(data: &mut Map<String, Value>, text: &str) -> Result<(), String> {
    // The parser's own text would quote what it found.
    let object: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("not a JSON object (line {}, column {})", error.line(), error.column()))?;
    for (key, value) in object {
        add(data, &key, value);
    }
    Ok(())
}

/// The second value of a key makes a list of both.
fn add(data: &mut Map<String, Value>, key: &str, value: Value) {
    match data.get_mut(key) {
        None => {
            data.insert(key.to_owned(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}
