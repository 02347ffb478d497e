//! Small readings of items that several stanzas share.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::bail;
use vestal_hcl::{Body, Item, Value};

/// The blocks of an item by their labels. JSON may have them in a list.
pub(super) fn with_labels(item: &Item) -> anyhow::Result<Vec<(Vec<String>, &Body)>> {
    let labels: Vec<String> = item.labels().iter().map(|key| key.text.clone()).collect();
    match &item.value {
        Value::List(list) => list
            .iter()
            .map(|value| match value {
                Value::Object(body) => Ok((labels.clone(), body)),
                _ => Err(item.mismatch("a list of blocks").into()),
            })
            .collect(),
        _ => Ok(vec![(labels, item.body()?)]),
    }
}

/// `key "kind" { … }`. In JSON the kind may be the only key within.
pub(super) fn labelled(item: &Item) -> anyhow::Result<Vec<(String, &Body)>> {
    let mut all = Vec::new();
    for (labels, body) in with_labels(item)? {
        match (labels.as_slice(), body.items.as_slice()) {
            ([kind], _) => all.push((kind.clone(), body)),
            ([], inner) => {
                for item in inner {
                    all.push((item.key().to_owned(), item.body()?));
                }
            }
            _ => bail!("`{}` on line {} must have one kind", item.key(), item.at().line),
        }
    }
    Ok(all)
}

/// As [`labelled`], exactly one.
pub(super) fn only_labelled(item: &Item) -> anyhow::Result<(String, &Body)> {
    let mut all = labelled(item)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => bail!("`{}` on line {} must name exactly one kind", item.key(), item.at().line),
    }
}

/// A number of seconds, or a text such as `768h`.
pub(super) fn duration(item: &Item) -> anyhow::Result<Duration> {
    let text = item.text()?;
    match vestal_logical::params::duration_text(&text) {
        Ok(nanos) if nanos >= 0 => Ok(Duration::from_nanos(u64::try_from(nanos)?)),
        Ok(_) => bail!("`{}` on line {} must not be negative", item.key(), item.at().line),
        Err(_) => bail!("`{}` on line {} must be a duration such as 30s or 768h", item.key(), item.at().line),
    }
}

/// A text, number or boolean as text.
pub(super) fn scalar_text(item: &Item) -> anyhow::Result<String> {
    match &item.value {
        Value::Bool(value) => Ok(value.to_string()),
        _ => Ok(item.text()?),
    }
}

/// Right-aligned names, as Vault shows them at start.
pub(super) fn lines(rows: &[(&str, String)]) -> String {
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:>21}: {value}");
        text
    })
}
