//! `vestal login`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::{Api, Ask, Auth, Secret};
use vestal_crypto::SecretString;

use super::{Run, data};
use crate::cli::environment;
use crate::cli::failure::{About, Failure, Outcome};
use crate::cli::flags::OutputFlags;
use crate::cli::output::{Format, wrapped};
use crate::cli::session::Session;
use crate::cli::token_file;

/// Log in, and keep the token for the next commands.
#[derive(Args, Debug)]
pub(crate) struct Login {
    #[command(flatten)]
    output: OutputFlags,
    /// How to log in: token or userpass.
    #[arg(long, value_name = "METHOD", default_value = "token")]
    method: String,
    /// Where the method is mounted; its name when absent.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Do not keep the token.
    #[arg(long)]
    no_store: bool,
    /// Do not print the token.
    #[arg(long)]
    no_print: bool,
    /// Print the token alone and do not keep it.
    #[arg(long)]
    token_only: bool,
    /// The token (or - for standard input; asked for when absent), or what the method needs as key=value.
    #[arg(value_name = "TOKEN | KEY=VALUE")]
    given: Vec<String>,
}

impl Run for Login {
    async fn run(mut self, session: &mut Session<'_>) -> Outcome {
        if self.token_only {
            (self.output.field, self.no_store) = (Some("token".to_owned()), true);
        }
        let format = self.output.format.format(&session.world.environment)?;
        let secret = match self.method.as_str() {
            "token" => self.by_token(session).await?,
            "userpass" => self.by_password(session).await?,
            other => return Err(unknown_method(other)),
        };
        let Some(auth) = &secret.auth else {
            // A login that asks to be wrapped gives no token to keep.
            return session.show(&secret, &self.output);
        };
        if !self.no_store {
            keep(session, &auth.client_token)?;
            warn_of_a_stronger_token(session);
        } else if !self.token_only {
            let note =
                "The token was not kept. Set VESTAL_TOKEN to the token below, or pass it with each request.";
            session.world.err(&format!("{note}\n"));
        }
        if self.no_print {
            return Ok(0);
        }
        if format == Format::Table && self.output.field.is_none() {
            announce(session, self.no_store);
        }
        session.show(&secret, &self.output)
    }
}

fn unknown_method(method: &str) -> Failure {
    Failure::local(format!("Unknown auth method: {method}")).then(
        "Methods here are token and userpass; others work with `vestal write auth/PATH/login …`, then `vestal login TOKEN`",
    )
}

impl Login {
    async fn by_token(&self, session: &mut Session<'_>) -> Result<Secret, Failure> {
        let token = self.token(session)?;
        let api = session.api()?.as_token(Some(token.clone()));
        let answer = api.send(Ask::get("auth/token/lookup-self")).await;
        let answer = answer.map_err(|error| {
            session.failed_about(About::Login, "Error authenticating: error looking up token", &error)
        })?;
        let found = answer.secret().and_then(|secret| secret.data).unwrap_or_default();
        Ok(Secret { auth: Some(described(&token, &found)), ..Secret::default() })
    }

    fn token(&self, session: &mut Session<'_>) -> Result<SecretString, Failure> {
        let given = match self.given.as_slice() {
            [] => return ask(session, "Token (will be hidden): "),
            [one] if one == "-" => session
                .world
                .read_stdin()
                .map_err(|error| Failure::local(format!("Cannot read standard input: {error}")))?,
            [one] if one.starts_with("token=") => {
                let token = data(session, &self.given)?.remove("token");
                token.and_then(|token| token.as_str().map(str::to_owned)).unwrap_or_default()
            }
            [one] => one.to_owned(),
            more => {
                return Err(Failure::local(format!("Too many arguments (expected 1, got {})", more.len())));
            }
        };
        let token = SecretString::from(given.trim());
        if token.is_empty() { Err(Failure::local("The token is empty")) } else { Ok(token) }
    }

    async fn by_password(&self, session: &mut Session<'_>) -> Result<Secret, Failure> {
        let mut fields = data(session, &self.given)?;
        let user = fields.remove("username").and_then(|name| name.as_str().map(str::to_owned));
        let user =
            user.ok_or_else(|| Failure::local("'username' must be specified").then("Add username=NAME"))?;
        let password = match fields.remove("password") {
            Some(Value::String(password)) => SecretString::from(password),
            Some(_) => return Err(Failure::local("'password' must be given once")),
            None => ask(session, "Password (will be hidden): ")?,
        };
        let mount = self.path.as_deref().unwrap_or("userpass").trim_matches('/');
        let ask = Ask::put(format!("auth/{mount}/login/{user}"), json!({ "password": password.expose() }));
        let api: Api = session.api()?;
        let answer = api.send(ask.wrapped().without_token()).await;
        let answer =
            answer.map_err(|error| session.failed_about(About::Login, "Error authenticating", &error))?;
        answer
            .secret()
            .ok_or_else(|| Failure::remote("Error authenticating: the server's answer holds no token"))
    }
}

fn ask(session: &mut Session<'_>, question: &str) -> Result<SecretString, Failure> {
    if session.http.non_interactive {
        return Err(Failure::remote("A secret is missing and -non-interactive forbids to ask for it"));
    }
    let secret = session.world.secret(question);
    let secret = secret.map_err(|error| Failure::local(format!("Cannot ask for a secret: {error}")))?;
    if secret.is_empty() {
        let failure = Failure::remote("Error authenticating: no secret was given");
        return Err(failure.then("Give it on the terminal, or pass - and write it to standard input"));
    }
    Ok(secret)
}

/// What a token's lookup says, as a login.
fn described(token: &SecretString, found: &Map<String, Value>) -> Auth {
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| {
        found.get(key).and_then(|value| serde_json::from_value::<Vec<String>>(value.clone()).ok())
    };
    let own = list("policies").unwrap_or_default();
    let of_entity = list("identity_policies");
    let mut all = own.clone();
    all.extend(of_entity.iter().flatten().filter(|policy| !own.contains(policy)).cloned());
    Auth {
        client_token: token.expose().to_owned(),
        accessor: text("accessor"),
        policies: Some(all),
        token_policies: Some(own),
        identity_policies: of_entity,
        metadata: found.get("meta").and_then(Value::as_object).cloned(),
        lease_duration: found.get("ttl").and_then(Value::as_i64).unwrap_or_default(),
        renewable: found.get("renewable").and_then(Value::as_bool).unwrap_or_default(),
        ..Auth::default()
    }
}

fn keep(session: &mut Session<'_>, token: &str) -> Result<(), Failure> {
    let failed = |reason: String| {
        Failure::remote(format!("Error storing token: {reason}"))
            .then("-no-store logs in without keeping the token; VESTAL_TOKEN hands it to later commands")
    };
    let file = session.world.token_file().ok_or_else(|| failed("HOME is not set".to_owned()))?;
    token_file::write(&file, &token.into()).map_err(|error| failed(format!("{}: {error}", file.display())))
}

/// On stderr, so that it is read also when the output goes to a program.
fn warn_of_a_stronger_token(session: &mut Session<'_>) {
    if let Some((name, _)) = session.world.environment.found(environment::TOKEN) {
        let warning = format!(
            "WARNING! The {name} environment variable is set! Its value wins over the kept token; unset it or change it if that is not wanted."
        );
        session.world.err(&format!("{}\n", wrapped(&warning, 0)));
    }
}

fn announce(session: &mut Session<'_>, no_store: bool) {
    if no_store {
        return session.world.out("Success! You are now authenticated.\n");
    }
    session.world.out(
        "Success! You are now authenticated. The token information displayed below is\n\
         already stored in the token helper. You do NOT need to run \"vestal login\" again.\n\
         Future Vestal requests will automatically use this token.\n",
    );
}
