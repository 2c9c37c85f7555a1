//! The configuration of a client that is being made, with its secrets.

use rdkafka::ClientConfig;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use super::context::Context;
use super::jaas::{self, Module};
use super::login::{Login, check_module, mechanism_of};
use super::property_names::{JAAS, MECHANISM, PASSWORD, TOKEN, USERNAME};
use super::token::Token;
use super::{Error, Result};
use crate::clock;
use crate::secret::{Reference, Secret, Source};

/// What to look at when the library finds that parts of a login are wrong.
const ADVICE: [(&str, &str); 3] = [
    (
        "ssl.key.pem",
        "; check that 'properties.ssl.keystore.key' is the key of the certificate, and \
         'properties.ssl.key.password' its password if it has one",
    ),
    (
        "ssl.certificate.pem",
        "; check 'properties.ssl.keystore.certificate.chain'",
    ),
    (
        "ssl.ca.pem",
        "; check 'properties.ssl.truststore.certificates'",
    ),
];

/// What a client is made of. It holds secrets, so it has neither `Debug` nor `Display`.
pub(super) struct Configuration {
    config: ClientConfig,
    login: Login,
    /// Properties whose values came from references.
    secrets: Vec<String>,
    sources: Vec<Source>,
}

impl Configuration {
    pub fn new(login: Login) -> Self {
        let mut config = ClientConfig::new();
        // Why a connection was closed is told at this level. The library's debugging, which
        // would tell more than it should, has a switch of its own that nobody can reach.
        config.set_log_level(RDKafkaLogLevel::Info);
        // The library's OpenSSL was built elsewhere and does not know where this system has
        // the authorities that it trusts.
        let is_told = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        let is_told = is_told.iter().any(|name| std::env::var_os(name).is_some());
        let system = login.tls.as_ref().is_some_and(|tls| !tls.has_authority);
        if system && !is_told {
            config.set("ssl.ca.location", "probe");
        }
        Self {
            config,
            login,
            secrets: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// Sets a property by the library's name.
    pub fn set(&mut self, library: &str, value: &str) {
        self.config.set(library, value);
    }

    /// Sets what was not given.
    pub fn set_default(&mut self, library: &str, value: &str) {
        if self.config.get(library).is_none() {
            self.config.set(library, value);
        }
    }

    /// The value of a property.
    pub fn get(&self, library: &str) -> Option<&str> {
        self.config.get(library)
    }

    /// Sets a property to what is behind a reference now.
    ///
    /// # Errors
    /// If there is nothing that could be taken.
    pub fn resolve(&mut self, library: &str, reference: &Reference) -> Result<()> {
        if library == TOKEN {
            // The library asks for it when it wants it.
            return Ok(());
        }
        let missing =
            |why: String| Error::Fatal(format!("cannot resolve 'properties.{library}': {why}"));
        let value = reference.read().map_err(|why| missing(why.to_string()))?;
        self.sources.push(Source::new(reference, &value));
        if library != JAAS {
            self.set_secret(library, &value);
            return Ok(());
        }
        let module = jaas::parse(value.reveal(), false).map_err(missing)?;
        let mechanism = self.get(MECHANISM).unwrap_or_default();
        check_module(mechanism_of(&module), mechanism).map_err(missing)?;
        if let Module::Password {
            username, password, ..
        } = module
        {
            self.set_secret(USERNAME, &username);
            self.set_secret(PASSWORD, &password);
        }
        Ok(())
    }

    fn set_secret(&mut self, library: &str, value: &Secret) {
        self.config.set(library, value.reveal());
        self.secrets.push(library.to_owned());
    }

    /// Asks the library whether it takes the values.
    ///
    /// # Errors
    /// What it says of the first that it does not take.
    pub fn check(&self) -> Result<(), String> {
        match self.config.create_native_config() {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    /// Makes a client and what hears it; `kind` and `name` are for people.
    ///
    /// # Errors
    /// If a value is wrong, or the token cannot be had.
    pub fn client<C>(mut self, kind: &str, name: &str) -> Result<(C, Context)>
    where
        C: FromClientConfigAndContext<Context>,
    {
        if let Some(place) = &self.login.token {
            // It is read again when the library asks; but now it can be told at once.
            Token::read(place, clock::now().millis())?;
        }
        let context = Context::new(name, self.login.clone(), std::mem::take(&mut self.sources));
        let made = C::from_config_and_context(&self.config, context.clone());
        let refused = |error| Error::Fatal(format!("cannot make {kind}: {}", self.refusal(&error)));
        Ok((made.map_err(refused)?, context))
    }

    /// Why the library makes no client, without the value that it does not take.
    fn refusal(&self, error: &KafkaError) -> String {
        match error {
            KafkaError::ClientConfig(_, _, name, _) if self.secrets.contains(name) => {
                format!("it does not take what is behind 'properties.{name}'")
            }
            KafkaError::ClientConfig(_, why, _, _) => why.clone(),
            KafkaError::ClientCreation(why) => {
                let advice = ADVICE.iter().find(|(part, _)| why.contains(part));
                let advice = advice.map_or("", |(_, advice)| advice);
                format!("{why}{advice}")
            }
            error => error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::assert_is_never_shown;

    #[test]
    fn what_holds_secrets_cannot_be_shown() {
        assert_is_never_shown!(Token);
        assert_is_never_shown!(Configuration);
    }
    use crate::kafka::login::Tls;

    #[test]
    fn a_value_behind_a_reference_is_not_told() {
        let mut configuration = Configuration::new(Login::default());
        configuration.set("linger.ms", "canary");
        assert!(configuration.check().is_err());
        configuration.set_secret("linger.ms", &Secret::new("canary".to_owned()));
        assert_eq!(
            configuration.check(),
            Err("it does not take what is behind 'properties.linger.ms'".to_owned())
        );
    }

    #[test]
    fn the_system_is_trusted_where_no_authority_is_given() {
        let is_told = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        let is_told = is_told.iter().any(|name| std::env::var_os(name).is_some());
        let system = (!is_told).then_some("probe");
        for (tls, expected) in [(None, None), (Some(false), system), (Some(true), None)] {
            let tls = tls.map(|has_authority| Tls {
                has_authority,
                has_certificate: false,
            });
            let login = Login {
                tls,
                ..Login::default()
            };
            let configuration = Configuration::new(login);
            assert_eq!(configuration.get("ssl.ca.location"), expected);
        }
    }
}
