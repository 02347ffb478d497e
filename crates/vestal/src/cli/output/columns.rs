//! Text in columns, as wide as their widest cell.

const BETWEEN: &str = "    ";
const NOTHING: &str = "n/a";

/// Rows in columns; the last column is not padded, an empty cell is `n/a`.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<&str>> = rows.iter().map(|row| row.iter().map(|cell| filled(cell)).collect()).collect();
    let wide = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..wide)
        .map(|index| {
            rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<&str>| {
        let mut text = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text.push_str(cell);
            if index + 1 < row.len() {
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
                text.push_str(BETWEEN);
            }
        }
        text
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Rows under a header with dashes.
pub(crate) fn headed(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut all = vec![
        header.iter().map(|&name| name.to_owned()).collect(),
        header.iter().map(|name| "-".repeat(name.len())).collect(),
    ];
    all.extend(rows);
    columns(&all)
}

/// The two columns most answers are shown in.
pub(crate) fn key_value(rows: Vec<(String, String)>) -> String {
    headed(&["Key", "Value"], rows.into_iter().map(|(key, value)| vec![key, value]).collect())
}

fn filled(cell: &str) -> &str {
    let trimmed = cell.trim();
    if trimmed.is_empty() { NOTHING } else { trimmed }
}
