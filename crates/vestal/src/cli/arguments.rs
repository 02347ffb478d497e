//! Rewrites arguments as Vault's users write them into the one form the parser takes: `--name=value`.
//!
//! Flags may have one dash or two, their value after `=` or as the next argument, and may stand anywhere after
//! the command. Everything is derived from the declared commands; there is no second list.

use clap::{Arg, ArgAction, Command};

/// Flags of Vault's and OpenBao's command lines that are not built, and what to do instead.
const NOT_BUILT: &[(&str, &str)] = &[
    ("agent-address", "there is no agent; name the server with -address"),
    ("detailed", "this command shows no details"),
    ("dev-cluster-json", "development has one server"),
    (
        "dev-kv-v1",
        "development has version 2 at secret/; mount another with `vestal secrets enable -path=PATH kv`",
    ),
    (
        "dev-tls",
        "development speaks plain HTTP; TLS needs a configuration file with tls_cert_file and tls_key_file",
    ),
    ("dev-tls-cert-dir", "development speaks plain HTTP"),
    ("exit-on-core-shutdown", "the server ends when its vault cannot go on"),
    ("field", "-format=json gives every field"),
    ("log-file", "the log goes to standard error; redirect it"),
    ("log-rotate-bytes", "the log goes to standard error; redirect it to what rotates it"),
    ("log-rotate-duration", "the log goes to standard error; redirect it to what rotates it"),
    ("log-rotate-max-files", "the log goes to standard error; redirect it to what rotates it"),
    ("output-policy", "-output-curl-string shows the path that a policy must allow"),
    ("recovery", "there is no recovery mode"),
    ("unlock-key", "there are no namespaces to unlock"),
];

/// The rewritten arguments, or what is wrong with them. `arguments` starts with the program's name.
pub(crate) fn normalise(
    arguments: impl IntoIterator<Item = String>,
    root: &Command,
) -> Result<Vec<String>, String> {
    let mut given = arguments.into_iter();
    let mut rewritten: Vec<String> = given.next().into_iter().collect();
    let mut command = root;
    while let Some(argument) = given.next() {
        if argument == "--" {
            rewritten.push(argument);
            rewritten.extend(given);
            break;
        }
        let Some(flag) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) else {
            command = command.find_subcommand(&argument).unwrap_or(command);
            rewritten.push(argument);
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        rewritten.extend(rewrite(name, value.map(str::to_owned), command, &mut given)?);
    }
    Ok(rewritten)
}

fn rewrite(
    name: &str,
    value: Option<String>,
    command: &Command,
    given: &mut impl Iterator<Item = String>,
) -> Result<Option<String>, String> {
    if matches!(name, "h" | "help") {
        return Ok(Some("--help".to_owned()));
    }
    let Some(declared) = find(command, name) else {
        return Err(match NOT_BUILT.iter().find(|(unbuilt, _)| *unbuilt == name) {
            Some((_, instead)) => format!("-{name} is not supported here: {instead}"),
            None => format!("flag provided but not defined: -{name}"),
        });
    };
    let long = declared.get_long().unwrap_or(name);
    if is_switch(declared) {
        return match value.as_deref() {
            None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(Some(format!("--{long}"))),
            Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(None),
            Some(_) => Err(format!("-{long} takes true or false")),
        };
    }
    let optional = declared.get_num_args().is_some_and(|range| range.min_values() == 0);
    let value = if optional {
        Some(value.unwrap_or_else(|| "true".to_owned()))
    } else {
        value.or_else(|| given.next())
    };
    value
        .map(|value| Some(format!("--{long}={value}")))
        .ok_or_else(|| format!("flag needs an argument: -{name}"))
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let letter = Some(name).filter(|name| name.chars().count() == 1).and_then(|name| name.chars().next());
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(name)
            || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
            || (letter.is_some() && arg.get_short() == letter)
    })
}

fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Help | ArgAction::Version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::value_parser;

    fn sample() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name);
        let leaf = Command::new("leaf")
            .arg(flag("format"))
            .arg(flag("force").short('f').action(ArgAction::SetTrue))
            .arg(flag("cas").value_parser(value_parser!(i64)).allow_hyphen_values(true))
            .arg(flag("required").num_args(0..=1).require_equals(true))
            .arg(flag("namespace").alias("ns"))
            .arg(Arg::new("rest").num_args(0..));
        Command::new("vestal").subcommand(Command::new("group").subcommand(leaf))
    }

    #[test]
    fn every_way_to_write_a_flag_becomes_one() {
        let cases = [
            ("group leaf -format=json x", "group leaf --format=json x"),
            ("group leaf --format json x", "group leaf --format=json x"),
            ("group leaf x -format json", "group leaf x --format=json"),
            ("group leaf -f x", "group leaf --force x"),
            ("group leaf -force=false x", "group leaf x"),
            ("group leaf -force=true x", "group leaf --force x"),
            ("group leaf -cas -1 x", "group leaf --cas=-1 x"),
            ("group leaf -required x", "group leaf --required=true x"),
            ("group leaf -required=false x", "group leaf --required=false x"),
            ("group leaf -ns=a b=-", "group leaf --namespace=a b=-"),
            ("group leaf - x=1", "group leaf - x=1"),
            ("group leaf -- -format", "group leaf -- -format"),
            ("group leaf -h", "group leaf --help"),
        ];
        for (given, expected) in cases {
            let words =
                |text: &str| format!("vestal {text}").split(' ').map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(normalise(words(given), &sample()).unwrap(), words(expected), "{given}");
        }
    }

    #[test]
    fn unknown_flags_and_missing_values_are_told() {
        let cases = [
            ("group leaf -nosuch", "flag provided but not defined: -nosuch"),
            ("group leaf -format", "flag needs an argument: -format"),
            (
                "group leaf -log-file=x",
                "-log-file is not supported here: the log goes to standard error; redirect it",
            ),
            ("group leaf -force=perhaps", "-force takes true or false"),
        ];
        for (given, expected) in cases {
            let words = format!("vestal {given}").split(' ').map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(normalise(words, &sample()).unwrap_err(), expected);
        }
    }
}
