//! One run of one command: its settings resolved, its client, and how it speaks.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{HeaderName, HeaderValue};
use url::Url;
use vestal_client::transport::{Route, ServerName, TlsOptions};
use vestal_client::{Api, ApiError, Secret, Settings};
use vestal_crypto::SecretString;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

use super::duration::GoDuration;
use super::environment::{self, Variable};
use super::failure::{About, Failure, Origin, Outcome, advice};
use super::flags::{HttpFlags, OutputFlags};
use super::output::{self, Format};
use super::token_file;
use super::world::World;

const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// A command's surroundings.
pub(crate) struct Session<'w> {
    pub(crate) world: &'w mut World,
    pub(crate) http: HttpFlags,
    shown_request: Option<Arc<Mutex<Option<String>>>>,
}

impl<'w> Session<'w> {
    pub(crate) fn new(world: &'w mut World, http: HttpFlags) -> Self {
        let shown_request = http.output_curl_string.then(Arc::default);
        Self { world, http, shown_request }
    }

    /// The client, as whoever the environment or the last login says.
    pub(crate) fn api(&self) -> Result<Api, Failure> {
        self.client(self.shown_request.as_ref())
    }

    /// The client for questions that come before the request proper, and are asked also when that is only shown.
    pub(crate) fn asking_first(&self) -> Result<Api, Failure> {
        self.client(None)
    }

    fn client(&self, shown: Option<&Arc<Mutex<Option<String>>>>) -> Result<Api, Failure> {
        let (address, address_from) = self.address();
        let address = Url::parse(&address).map_err(|_| {
            Failure::remote(format!("The server address {address_from} is not a URL"))
                .then(format!("Write it like {DEFAULT_ADDRESS}"))
        })?;
        let token = self.token()?.map(|(token, _)| token);
        let transport = match shown {
            Some(shown) => Arc::new(Shown(Arc::clone(shown))),
            None => (self.world.dial)(&self.tls(&address)?, &self.route()?).map_err(Failure::remote)?,
        };
        let mut settings = Settings::new(address);
        settings.token = token;
        settings.namespace = self.text(self.http.namespace.as_ref(), environment::NAMESPACE);
        settings.wrap_ttl = self.wrap_ttl()?;
        settings.headers = self.headers()?;
        settings.follow_redirect =
            !(self.http.disable_redirects || self.is_set(environment::DISABLE_REDIRECTS)?);
        if let Some(limit) = self.parsed::<GoDuration>(environment::CLIENT_TIMEOUT)? {
            settings.timeout = Some(limit.unsigned()).filter(|limit| !limit.is_zero());
        }
        if let Some(retries) = self.parsed(environment::MAX_RETRIES)? {
            settings.retries = retries;
        }
        Ok(Api::new(settings, transport, Arc::clone(&self.world.clock)))
    }

    /// The address and where it came from.
    fn address(&self) -> (String, String) {
        if let Some(address) = &self.http.address {
            return (address.clone(), "from -address".to_owned());
        }
        match self.world.environment.found(environment::ADDR) {
            Some((name, address)) => (address.to_owned(), format!("from {name}")),
            None => (DEFAULT_ADDRESS.to_owned(), "the default".to_owned()),
        }
    }

    /// The token and where it came from.
    pub(crate) fn token(&self) -> Result<Option<(SecretString, String)>, Failure> {
        if let Some((name, token)) = self.world.environment.found(environment::TOKEN) {
            return Ok(Some((token.into(), format!("from {name}"))));
        }
        let Some(file) = self.world.token_file() else { return Ok(None) };
        let told = file.display().to_string();
        let token = token_file::read(&file)
            .map_err(|error| Failure::local(format!("Cannot read the kept token `{told}`: {error}")))?;
        Ok(token.map(|token| (token, format!("from {told}"))))
    }

    fn tls(&self, address: &Url) -> Result<TlsOptions, Failure> {
        let path = |flag: &Option<std::path::PathBuf>, variable| {
            let from_environment = || self.world.environment.value(variable).map(std::path::PathBuf::from);
            flag.clone().or_else(from_environment).map(|file| self.world.directory.join(file))
        };
        let name = self.text(self.http.tls_server_name.as_ref(), environment::TLS_SERVER_NAME);
        let host = address.host_str().unwrap_or_default().to_owned();
        Ok(TlsOptions {
            ca_cert: path(&self.http.ca_cert, environment::CACERT),
            ca_bytes: self.text(None, environment::CACERT_BYTES),
            ca_path: path(&self.http.ca_path, environment::CAPATH),
            client_cert: path(&self.http.client_cert, environment::CLIENT_CERT),
            client_key: path(&self.http.client_key, environment::CLIENT_KEY),
            skip_verify: self.http.tls_skip_verify || self.is_set(environment::SKIP_VERIFY)?,
            server_name: name.map(|name| ServerName { name, host }),
        })
    }

    /// The proxy that was named for this program, else what the system's variables say.
    fn route(&self) -> Result<Route, Failure> {
        let named = [environment::PROXY_ADDR, environment::HTTP_PROXY]
            .into_iter()
            .find_map(|variable| self.world.environment.found(variable));
        let Some((name, address)) = named else { return Ok(Route::Environment) };
        Url::parse(address).map(Route::Through).map_err(|_| {
            Failure::remote(format!("{name} is not a URL")).then("Write it like http://proxy:3128")
        })
    }

    fn text(&self, flag: Option<&String>, variable: Variable) -> Option<String> {
        flag.map(String::as_str).or_else(|| self.world.environment.value(variable)).map(str::to_owned)
    }

    fn parsed<T: std::str::FromStr>(&self, variable: Variable) -> Result<Option<T>, Failure> {
        let Some((name, value)) = self.world.environment.found(variable) else { return Ok(None) };
        value
            .parse()
            .map(Some)
            .map_err(|_| Failure::remote(format!("{name} has a value that cannot be read")))
    }

    fn is_set(&self, variable: Variable) -> Result<bool, Failure> {
        let Some((name, value)) = self.world.environment.found(variable) else { return Ok(false) };
        match value {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(Failure::remote(format!("{name} takes true or false"))),
        }
    }

    fn wrap_ttl(&self) -> Result<Option<String>, Failure> {
        let flag = self.http.wrap_ttl;
        let asked = if flag.is_some() { flag } else { self.parsed::<GoDuration>(environment::WRAP_TTL)? };
        Ok(asked.filter(|ttl| *ttl != GoDuration::default()).map(|ttl| ttl.to_string()))
    }

    fn headers(&self) -> Result<http::HeaderMap, Failure> {
        let mut headers = http::HeaderMap::new();
        for header in &self.http.header {
            let (name, value) = header
                .split_once('=')
                .ok_or_else(|| Failure::local("-header is not of the form key=value"))?;
            if name.to_ascii_lowercase().starts_with("x-vault-") {
                return Err(Failure::local("-header cannot set headers that start with X-Vault-"));
            }
            let bad = || Failure::local("-header holds what no header can carry");
            let name = HeaderName::try_from(name).map_err(|_| bad())?;
            headers.append(name, HeaderValue::try_from(value).map_err(|_| bad())?);
        }
        let from_environment = self.world.environment.value(environment::MFA).map(str::to_owned);
        for factor in self.http.mfa.iter().cloned().chain(from_environment) {
            let mut value = HeaderValue::try_from(factor)
                .map_err(|_| Failure::local("-mfa holds what no header can carry"))?;
            value.set_sensitive(true);
            headers.append("x-vault-mfa", value);
        }
        if self.http.policy_override {
            headers.insert("x-vault-policy-override", HeaderValue::from_static("true"));
        }
        Ok(headers)
    }

    /// A failed call, with what to do about it.
    pub(crate) fn failed(&self, doing: &str, error: &ApiError) -> Failure {
        self.failed_about(About::OwnToken, doing, error)
    }

    /// The same, where it may not have been the token in use that was refused.
    pub(crate) fn failed_about(&self, about: About, doing: &str, error: &ApiError) -> Failure {
        let (address, address_from) = self.address();
        let token_from = self.token().ok().flatten().map(|(_, from)| from);
        let authorities_named = self.http.ca_cert.is_some()
            || self.http.ca_path.is_some()
            || [environment::CACERT, environment::CACERT_BYTES, environment::CAPATH]
                .into_iter()
                .any(|variable| self.world.environment.found(variable).is_some());
        let origin = Origin { address, address_from, token_from, authorities_named, about };
        let mut text = if doing.is_empty() { error.to_string() } else { format!("{doing}: {error}") };
        let refused = error.refusal().and_then(|refusal| refusal.answer.secret());
        if let Some(warnings) = refused.as_ref().and_then(output::warnings) {
            text.push('\n');
            text.push_str(&warnings);
        }
        Failure { next: advice(error, &origin), ..Failure::remote(text) }
    }

    /// The curl command, if one was asked for and a request was to be sent.
    pub(crate) fn take_shown_request(&self) -> Option<String> {
        self.shown_request.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes an answer as the flags ask.
    pub(crate) fn show(&mut self, secret: &Secret, flags: &OutputFlags) -> Outcome {
        let format = flags.format.format(&self.world.environment)?;
        match &flags.field {
            Some(name) => {
                let value = output::of_secret(secret, name);
                let missing = || Failure::local(format!("Field \"{name}\" not present in secret"));
                self.world.out_raw(&output::written(&value.ok_or_else(missing)?, format));
            }
            None if format == Format::Table => {
                if let Some(warnings) = output::warnings(secret) {
                    self.world.err(&warnings);
                }
                if let Some(table) = output::table(secret) {
                    self.world.out(&table);
                }
            }
            None => self.world.out(&output::structured(format, secret)),
        }
        Ok(0)
    }

    /// Writes an answer, or the line that says it worked when there is none. Programs get nothing then.
    pub(crate) fn show_or_say(
        &mut self,
        secret: Option<&Secret>,
        flags: &OutputFlags,
        success: &str,
    ) -> Outcome {
        match secret {
            Some(secret) => self.show(secret, flags),
            None => self.say(&flags.format, success),
        }
    }

    /// Writes the line that says it worked, unless a program reads the output.
    pub(crate) fn say(&mut self, format: &super::flags::FormatFlag, success: &str) -> Outcome {
        if format.format(&self.world.environment)? == Format::Table {
            self.world.out(success);
        }
        Ok(0)
    }
}

/// Keeps the first request as a curl command instead of sending it.
struct Shown(Arc<Mutex<Option<String>>>);

impl HttpTransport for Shown {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.get_or_insert_with(|| curl(&request));
        async { Err(TransportError::NotSent("the request was shown and not sent".to_owned())) }.boxed()
    }
}

/// The request as a command to paste. The token is not in it: the shell asks for it.
fn curl(request: &OutboundRequest) -> String {
    let mut words = vec!["curl".to_owned()];
    if request.method != http::Method::GET {
        words.push(format!("-X {}", request.method));
    }
    for (name, value) in &request.headers {
        let value = match value.to_str() {
            _ if name == "x-vault-token" => "$(vestal print token)",
            Ok(text) if !value.is_sensitive() => &quoted(text),
            _ => "…",
        };
        words.push(format!("-H \"{name}: {value}\""));
    }
    if !request.body.is_empty() {
        let body = String::from_utf8_lossy(request.body.expose()).replace('\'', "'\"'\"'");
        words.push(format!("-d '{body}'"));
    }
    words.push(format!("\"{}\"", quoted(request.url.as_str())));
    words.join(" ")
}

/// Text that a shell takes as it is between double quotes.
fn quoted(text: &str) -> String {
    text.chars().fold(String::new(), |mut quoted, sign| {
        if matches!(sign, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(sign);
        quoted
    })
}
