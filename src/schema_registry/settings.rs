//! Where a registry is, and who we are to it: secrets are references until a
//! connection is made.

use super::{Error, Result};
use crate::http::{Base, Credentials, Tls};
use crate::secret::{Reference, Secret, Source};

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its addresses, the next of which is asked when one does not answer.
    pub addresses: Vec<Base>,
    /// Who we are.
    pub authentication: Authentication,
    /// The certificate authorities that are trusted instead of the system's.
    pub trusted: Option<Pem>,
    /// Our certificate chain.
    pub certificate: Option<Pem>,
    /// The key of our certificate.
    pub key: Option<Reference>,
}

/// Who we are to a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody in particular.
    #[default]
    None,
    /// `user:password`.
    Basic(Reference),
    /// A token.
    Bearer(Reference),
}

/// Certificates in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// As they are.
    Text(String),
    /// Where they are.
    Behind(Reference),
}

/// What a connection is made of now.
pub(super) struct Resolved {
    pub credentials: Credentials,
    pub tls: Tls,
    /// Where it came from.
    pub sources: Vec<Source>,
}

impl Settings {
    /// Reads what is behind the references.
    pub(super) fn resolve(&self) -> Result<Resolved> {
        let mut sources = Vec::new();
        let mut read = |option: &str, reference: &Reference| {
            let secret = reference.read().map_err(|missing| {
                Error::Refused(format!("cannot resolve '{option}': {missing}"))
            })?;
            sources.push(Source::new(reference, &secret));
            Ok::<Secret, Error>(secret)
        };
        let credentials = match &self.authentication {
            Authentication::None => Credentials::None,
            Authentication::Basic(pair) => Credentials::Basic(read("basic-auth.user-info", pair)?),
            Authentication::Bearer(token) => Credentials::Bearer(read("bearer-auth.token", token)?),
        };
        let mut pem = |option: &str, given: &Option<Pem>| match given {
            None => Ok(None),
            Some(Pem::Text(text)) => Ok(Some(text.clone())),
            Some(Pem::Behind(reference)) => {
                let secret = read(option, reference)?;
                Ok::<_, Error>(Some(secret.reveal().to_owned()))
            }
        };
        let authorities = pem("ssl.truststore.certificates", &self.trusted)?;
        let certificate = pem("ssl.keystore.certificate.chain", &self.certificate)?;
        let key = self.key.as_ref();
        let key = key.map(|key| read("ssl.keystore.key", key)).transpose()?;
        let identity = certificate
            .zip(key)
            .map(|(certificate, key)| Secret::new(format!("{certificate}\n{}\n", key.reveal())));
        Ok(Resolved {
            credentials,
            tls: Tls {
                authorities,
                identity,
            },
            sources,
        })
    }
}
