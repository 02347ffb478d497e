//! Reads the server option that says what happens to refresh tokens.
//!
//! Invariant: what the operator said wins over what was learned. Knows nothing of how a rotation is lived with.

use std::time::Duration;

use super::{Options, Rotation};

/// The server option: `reusable`, `grace:<seconds>` or `single`.
pub(crate) const OPTION: &str = "rotation";
const LONGEST_GRACE: u64 = 86_400;

/// What the option says, or what was learned; the error is an option error.
pub(crate) fn of(options: &Options, learned_reusable: bool) -> Result<Rotation, String> {
    let otherwise = if learned_reusable { Rotation::Reusable } else { Rotation::Unknown };
    let given = options.get(OPTION).map(String::as_str).unwrap_or_default();
    let grace =
        || given.strip_prefix("grace:")?.parse::<u64>().ok().filter(|seconds| *seconds <= LONGEST_GRACE);
    match given {
        "" => Ok(otherwise),
        "reusable" => Ok(Rotation::Reusable),
        "single" => Ok(Rotation::Single),
        _ => grace().map(|seconds| Rotation::Grace(Duration::from_secs(seconds))).ok_or_else(|| {
            format!("option \"{OPTION}\": expected \"reusable\", \"grace:<seconds>\" (a day at most) or \"single\"")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_what_was_learned_and_what_it_does_not_know_is_refused() {
        let cases = [
            (None, Some(Rotation::Unknown), Some(Rotation::Reusable)),
            (Some(""), Some(Rotation::Unknown), Some(Rotation::Reusable)),
            (Some("single"), Some(Rotation::Single), Some(Rotation::Single)),
            (Some("reusable"), Some(Rotation::Reusable), Some(Rotation::Reusable)),
            (
                Some("grace:30"),
                Some(Rotation::Grace(Duration::from_secs(30))),
                Some(Rotation::Grace(Duration::from_secs(30))),
            ),
            (Some("grace:"), None, None),
            (Some("grace:90000"), None, None),
            (Some("Single"), None, None),
        ];
        for (given, fresh, learned) in cases {
            let options: Options =
                given.map(|value| (OPTION.to_owned(), value.to_owned())).into_iter().collect();
            assert_eq!(of(&options, false).ok(), fresh, "{given:?}");
            assert_eq!(of(&options, true).ok(), learned, "{given:?}");
        }
    }
}
