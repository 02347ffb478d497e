//! Scalars of YAML: which of the four styles a text takes, and how numbers are written.

/// Lines are folded behind this column.
const WIDTH: usize = 80;

/// Where a text stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// Before a colon: one line, whatever it takes.
    Key,
    /// Behind a colon or dash; further lines start at this indentation.
    Value { indent: usize },
}

/// Writes a text in the plainest style that reads back as the same text.
pub(super) fn text(out: &mut String, text: &str, place: Place) {
    let needs_escapes = text.chars().any(|c| !printable(c) && c != '\n') || breaks_and_spaces_meet(text);
    let indent = match place {
        Place::Key => None,
        Place::Value { indent } => Some(indent),
    };
    if means_something_else(text) {
        double_quoted(out, text, indent);
    } else if text.contains('\n') {
        match indent {
            Some(indent) if !text.chars().any(|c| !printable(c) && c != '\n') => literal(out, text, indent),
            _ => double_quoted(out, text, indent),
        }
    } else if needs_escapes {
        double_quoted(out, text, indent);
    } else if plain_allowed(text) {
        folded(out, text, indent);
    } else {
        out.push('\'');
        folded(out, &text.replace('\'', "''"), indent);
        out.push('\'');
    }
}

/// Numbers as go-yaml writes them: integers as they are, others the shortest way.
pub(super) fn number(text: &str) -> String {
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return text.to_owned();
    }
    let Ok(value) = text.parse::<f64>() else { return text.to_owned() };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return value.to_string();
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn breaks_and_spaces_meet(text: &str) -> bool {
    text.contains(" \n") || text.contains("\n ")
}

/// Whether the bare text would be read as null, a boolean, a number or a date.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 8] = ["", "~", "null", "true", "false", ".nan", ".inf", "-.inf"];
    const OLD_BOOLEANS: [&str; 6] = ["y", "yes", "on", "n", "no", "off"];
    let lower = text.to_ascii_lowercase();
    let cased = text == lower || text == lower.to_ascii_uppercase() || is_capitalised(text);
    if cased
        && (WORDS.contains(&lower.as_str()) || OLD_BOOLEANS.contains(&lower.as_str()) || lower == "+.inf")
    {
        return true;
    }
    looks_numeric(text) || looks_like_a_date(text)
}

fn is_capitalised(text: &str) -> bool {
    let mut letters = text.chars().skip_while(|c| !c.is_alphabetic());
    letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase)
}

fn looks_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let bare = unsigned.replace('_', "");
    let in_base = |prefix: &str, radix: u32| {
        bare.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    if in_base("0x", 16) || in_base("0X", 16) || in_base("0o", 8) || in_base("0b", 2) {
        return true;
    }
    let (mantissa, exponent) = bare.split_once(['e', 'E']).unwrap_or((&bare, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let decimal = is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    (decimal && is_digits(exponent) && !exponent.is_empty()) || sexagesimal(unsigned)
}

/// `12:30:45`, which YAML 1.1 read as a number.
fn sexagesimal(text: &str) -> bool {
    let mut places = text.split(':');
    let first = places.next().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let rest: Vec<&str> = places.collect();
    let last = rest.len().saturating_sub(1);
    let minute = |(index, place): (usize, &&str)| {
        let whole = place.split('.').next().unwrap_or_default();
        let whole = if index == last { whole } else { place };
        !whole.is_empty()
            && whole.len() <= 2
            && whole.bytes().all(|b| b.is_ascii_digit())
            && whole.parse::<u8>().is_ok_and(|n| n < 60)
    };
    digits(first) && !rest.is_empty() && rest.iter().enumerate().all(minute)
}

/// `2020-01-01`, alone or with a time behind it.
fn looks_like_a_date(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
        None => (text, ""),
    };
    let places: Vec<&str> = date.split('-').collect();
    let [year, month, day] = places.as_slice() else { return false };
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let clock = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | '-' | 'Z');
    year.len() == 4
        && digits(year, 4)
        && digits(month, 2)
        && digits(day, 2)
        && (date.len() == text.len() || (time.contains(':') && time.chars().all(clock)))
}

fn plain_allowed(text: &str) -> bool {
    if text
        .starts_with([' ', '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`'])
        || text.ends_with([' ', ':'])
        || text.starts_with("---")
        || text.starts_with("...")
        || matches!(text, "-" | "?")
    {
        return false;
    }
    !(text.starts_with("- ") || text.starts_with("? ") || text.contains(": ") || text.contains(" #"))
}

/// Writes a text whose blanks may become line ends.
fn folded(out: &mut String, text: &str, indent: Option<usize>) {
    let mut column = out.rsplit('\n').next().unwrap_or_default().chars().count();
    let mut previous = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let alone = c == ' '
            && previous != Some(' ')
            && previous.is_some()
            && rest.peek().is_some_and(|&next| next != ' ');
        match indent {
            Some(indent) if alone && column > WIDTH => {
                new_line(out, indent);
                column = indent;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
        previous = Some(c);
    }
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
    }
    out.push('\n');
}

fn double_quoted(out: &mut String, text: &str, indent: Option<usize>) {
    let start = out.rsplit('\n').next().unwrap_or_default().chars().count();
    let mut column = start + 1;
    out.push('"');
    let mut after_escape = false;
    let mut previous = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let breakable = c == ' ' && previous != Some(' ') && previous.is_some() && rest.peek().is_some();
        if let Some(indent) = indent
            && breakable
            && column > WIDTH
        {
            new_line(out, indent);
            column = indent;
            if rest.peek() == Some(&' ') {
                out.push('\\');
                column += 1;
            }
        } else {
            let piece = escaped(c, after_escape);
            column += piece.chars().count();
            out.push_str(&piece);
        }
        // The byte order mark makes go-yaml escape what follows it; nothing else does.
        after_escape = c == '\u{feff}';
        previous = Some(c);
    }
    out.push('"');
}

fn escaped(c: char, forced: bool) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        c if printable(c) && !forced => c.to_string(),
        c => match u32::from(c) {
            code @ ..=0xff => format!("\\x{code:02X}"),
            code @ ..=0xffff => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}

fn new_line(out: &mut String, indent: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', indent));
}
