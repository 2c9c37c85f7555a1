//! Where a registry is, and who we are to it: secrets are references until a
//! connection is made.

use crate::http::{Base, Credentials, Tls};
use crate::secret;

use super::{Error, Result};

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its addresses, the next of which is asked when one does not answer.
    pub addresses: Vec<Base>,
    /// Who we are.
    pub authentication: Authentication,
    /// The certificate authorities that are trusted, in PEM form or as a reference to it.
    pub trusted: Option<String>,
    /// Our certificate chain, in PEM form or as a reference to it.
    pub certificate: Option<String>,
    /// A reference to the key of our certificate, in PEM form.
    pub key: Option<String>,
}

/// Who we are to a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody in particular.
    #[default]
    None,
    /// A reference to `user:password`.
    Basic(String),
    /// A reference to a token.
    Bearer(String),
}

impl Settings {
    /// The credentials with their secrets.
    pub(super) fn credentials(&self) -> Result<Credentials> {
        Ok(match &self.authentication {
            Authentication::None => Credentials::None,
            Authentication::Basic(pair) => {
                Credentials::Basic(resolved("basic-auth.user-info", pair)?)
            }
            Authentication::Bearer(token) => {
                Credentials::Bearer(resolved("bearer-auth.token", token)?)
            }
        })
    }

    /// The certificates with the key.
    pub(super) fn tls(&self) -> Result<Tls> {
        let read = |option: &str, value: &Option<String>| {
            let value = value.as_ref();
            value.map(|value| resolved(option, value)).transpose()
        };
        let authorities = read("ssl.truststore.certificates", &self.trusted)?;
        let certificate = read("ssl.keystore.certificate.chain", &self.certificate)?;
        let key = read("ssl.keystore.key", &self.key)?;
        let identity = certificate.zip(key);
        Ok(Tls {
            authorities,
            identity: identity.map(|(certificate, key)| format!("{certificate}\n{key}\n")),
        })
    }
}

fn resolved(option: &str, value: &str) -> Result<String> {
    match secret::resolve(option, value) {
        Ok(secret) => Ok(secret.expose().to_owned()),
        Err(error) => Err(Error::Refused(error.to_string())),
    }
}
