//! Tells people something on standard output. Knows nothing of what is told.
//!
//! Invariant: a reader that has gone ends no server, as `println!` would.

use std::fmt;
use std::io::Write as _;

/// One line, as `println!` writes it.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::say::line(format_args!($($text)*))
    };
}

pub(crate) use say;

/// Writes a line; false when nobody reads any more.
pub(crate) fn line(text: fmt::Arguments<'_>) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}
