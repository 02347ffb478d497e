//! Reads the options from a command line, for the binary of this crate.

use std::time::Duration;

use crate::options::{Client, ClientAuth, IdTokenAlgorithm, Options, Redirects, Rotation};

impl Options {
    /// What the command line may say.
    pub const ARGUMENTS: &'static str = "\
usage: vestal-demo-provider [flags]

  --listen ADDRESS          where to listen                     (127.0.0.1:0)
  --public-url URL          issuer and base of all addresses    (http://ADDRESS)
  --access-ttl DURATION     life of access tokens               (20s)
  --refresh-ttl DURATION    life of refresh tokens              (for ever)
  --rotation MODE           reusable, single or grace:DURATION  (single)
  --client ID:SECRET        a confidential client; repeatable   (demo-client:demo-secret)
  --public-client ID        a public client; repeatable
  --redirect URL            allow redirects below this address only; repeatable
                                                                (any loopback address)
  --client-auth STYLE       any, header or parameters           (any)
  --id-token-alg ALG        ES256 or RS256                      (ES256)
  --person NAME             whom the login page proposes        (Jane Doe)
  --auto-approve            agree to everything at once
  --control                 serve /_control/ledger and /_control/faults
  --ledger-limit N          keep only the newest N entries      (all)
  --help                    this text

A DURATION is a number with ms, s, m or h behind it; without one, seconds.";

    /// Options from arguments (without the program's name); `None` when help was asked for.
    pub fn from_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { clients: Vec::new(), ..Self::default() };
        let mut redirects = Vec::new();
        let mut rest = arguments.into_iter();
        while let Some(argument) = rest.next() {
            let (flag, inline) = match argument.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let switch = match flag.as_str() {
                "--help" | "-h" => return Ok(None),
                "--auto-approve" => Some(&mut options.auto_approve),
                "--control" => Some(&mut options.control),
                _ => None,
            };
            if let Some(switch) = switch {
                if inline.is_some() {
                    return Err(format!("{flag} takes no value"));
                }
                *switch = true;
                continue;
            }
            let value =
                inline.or_else(|| rest.next()).ok_or_else(|| format!("{flag} needs a value, see --help"))?;
            if flag == "--redirect" {
                url::Url::parse(&value).map_err(|_| "--redirect needs an absolute address".to_owned())?;
                redirects.push(value);
            } else {
                options.take(&flag, &value)?;
            }
        }
        if options.clients.is_empty() {
            options.clients.push(Client::demo());
        }
        if !redirects.is_empty() {
            for client in &mut options.clients {
                client.redirects = Redirects::Below(redirects.clone());
            }
        }
        Ok(Some(options))
    }

    fn take(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let choice = |known: &str| format!("{flag} knows {known}");
        match flag {
            "--listen" => {
                self.listen = value.parse().map_err(|_| choice("an address like 127.0.0.1:9000"))?;
            }
            "--public-url" => self.public_url = Some(value.to_owned()),
            "--access-ttl" => self.access_life = duration(flag, value)?,
            "--refresh-ttl" => self.refresh_life = Some(duration(flag, value)?),
            "--rotation" => {
                self.rotation = match (value, value.strip_prefix("grace:")) {
                    ("reusable", _) => Rotation::Reusable,
                    ("single", _) => Rotation::Single,
                    (_, Some(grace)) => Rotation::Grace(duration(flag, grace)?),
                    _ => return Err(choice("reusable, single and grace:DURATION")),
                }
            }
            "--client" => {
                let (id, secret) = value.split_once(':').ok_or_else(|| choice("ID:SECRET"))?;
                self.clients.push(Client::confidential(id, secret));
            }
            "--public-client" => self.clients.push(Client::public(value)),
            "--client-auth" => {
                self.client_auth = match value {
                    "any" => ClientAuth::Any,
                    "header" => ClientAuth::Header,
                    "parameters" => ClientAuth::Parameters,
                    _ => return Err(choice("any, header and parameters")),
                }
            }
            "--id-token-alg" => {
                self.id_token_algorithm = match value {
                    "ES256" => IdTokenAlgorithm::Es256,
                    "RS256" => IdTokenAlgorithm::Rs256,
                    _ => return Err(choice("ES256 and RS256")),
                }
            }
            "--person" => value.clone_into(&mut self.person),
            "--ledger-limit" => self.ledger_limit = Some(value.parse().map_err(|_| choice("a number"))?),
            _ => return Err(format!("{flag} is not a flag, see --help")),
        }
        Ok(())
    }
}

fn duration(flag: &str, text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default();
    let per_unit = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("{flag} knows the units ms, s, m and h")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(per_unit))
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{flag} needs a number with ms, s, m or h behind it"))
}
