//! How a client shows who it is, and learns who the broker is.
//!
//! What is given must be used: a password beside a protocol that does not ask for it
//! would let its owner believe in a protection that is not there.

use super::property_names::{
    CA, CERTIFICATE, JAAS, KEY, KEY_PASSWORD, MECHANISM, PASSWORD, PROTOCOL, TOKEN, USERNAME,
};
use super::{Properties, jaas};
use crate::secret::Reference;

/// What the properties of a client say of its login.
#[derive(Clone, Default)]
pub(super) struct Login {
    /// How connections are encrypted, if they are.
    pub tls: Option<Tls>,
    /// Whether the client logs in with a user name or a token.
    pub is_sasl: bool,
    /// Where the token is with which the client logs in.
    pub token: Option<Reference>,
}

/// How connections are encrypted.
#[derive(Clone, Default)]
pub(super) struct Tls {
    /// Whether brokers are checked against authorities that were given.
    pub has_authority: bool,
    /// Whether a certificate is shown to brokers.
    pub has_certificate: bool,
}

/// The mechanisms that there are; the library has Kerberos besides.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];

impl Login {
    /// Reads the properties.
    ///
    /// # Errors
    /// A sentence, if parts are missing or would not be used.
    pub fn of(properties: &Properties) -> Result<Self, String> {
        let protocol = properties.get(PROTOCOL).unwrap_or("PLAINTEXT");
        let protocol = protocol.to_ascii_uppercase();
        let (is_sasl, is_tls) = (protocol.starts_with("SASL_"), protocol.ends_with("SSL"));
        let given = |names: &[&'static str]| {
            let mut names = names.iter().copied();
            names.find(|name| properties.get(name).is_some())
        };
        let unused = |name: &str, wanted: &str| {
            Err(format!(
                "'properties.{name}' would not be used: 'properties.{PROTOCOL}' is '{protocol}'; \
                 set it to {wanted}, or leave out what is not wanted"
            ))
        };
        let mut of_sasl = given(&[USERNAME, PASSWORD, JAAS, TOKEN, MECHANISM]);
        if properties.module_mechanism().is_some() {
            of_sasl = Some(JAAS);
        }
        if let (Some(name), false) = (of_sasl, is_sasl) {
            return unused(name, "'SASL_SSL' or 'SASL_PLAINTEXT'");
        }
        if let (Some(name), false) = (given(&[CA, CERTIFICATE, KEY, KEY_PASSWORD]), is_tls) {
            return unused(name, "'SSL' or 'SASL_SSL'");
        }
        if given(&[CERTIFICATE]).is_some() != given(&[KEY]).is_some() {
            return Err(
                "a client certificate needs both 'properties.ssl.keystore.certificate.chain' and \
                 'properties.ssl.keystore.key'"
                    .to_owned(),
            );
        }
        if given(&[KEY_PASSWORD]).is_some() && given(&[KEY]).is_none() {
            return Err(format!(
                "'properties.{KEY_PASSWORD}' is of no key; set 'properties.ssl.keystore.key'"
            ));
        }
        Ok(Self {
            tls: is_tls.then(|| Tls {
                has_authority: given(&[CA]).is_some(),
                has_certificate: given(&[CERTIFICATE]).is_some(),
            }),
            is_sasl,
            token: if is_sasl { token_of(properties)? } else { None },
        })
    }
}

/// Checks that what the mechanism needs is there; returns where the token is, if it needs
/// one.
fn token_of(properties: &Properties) -> Result<Option<Reference>, String> {
    let mechanism = properties.get(MECHANISM).unwrap_or("GSSAPI");
    let mechanism = mechanism.to_ascii_uppercase();
    if !MECHANISMS.contains(&mechanism.as_str()) {
        return Err(format!(
            "'properties.{MECHANISM}' must be one of '{}'; it is '{mechanism}'{}",
            MECHANISMS.join("', '"),
            match properties.get(MECHANISM) {
                Some(_) => "",
                None => ", as in Kafka, if it is not set",
            }
        ));
    }
    if let Some(module) = properties.module_mechanism() {
        check_module(module, &mechanism)?;
    }
    let token = properties.get(TOKEN).and_then(Reference::parse);
    let has_password = properties.get(USERNAME).is_some() && properties.get(PASSWORD).is_some();
    let has_line = properties.get(JAAS).is_some();
    match (mechanism == "OAUTHBEARER", token) {
        (true, Some(token)) => Ok(Some(token)),
        (true, None) => Err(format!(
            "the mechanism 'OAUTHBEARER' needs a token; give it as 'properties.{TOKEN}' = \
             '${{file:PATH}}'"
        )),
        (false, Some(_)) => Err(format!(
            "'properties.{TOKEN}' would not be used: 'properties.{MECHANISM}' is '{mechanism}'; \
             set it to 'OAUTHBEARER'"
        )),
        (false, None) if has_password || has_line => Ok(None),
        (false, None) => Err(format!(
            "the mechanism '{mechanism}' needs 'properties.{USERNAME}' and \
             'properties.{PASSWORD}', or 'properties.{JAAS}'"
        )),
    }
}

/// Checks that a login module and the mechanism are of one kind.
///
/// # Errors
/// If they are not.
pub(super) fn check_module(module: &str, mechanism: &str) -> Result<(), String> {
    if mechanism.to_ascii_uppercase().starts_with(module) {
        return Ok(());
    }
    Err(format!(
        "the login module of 'properties.{JAAS}' does not fit 'properties.{MECHANISM}' = \
         '{mechanism}'"
    ))
}

/// What a login module fits.
pub(super) fn mechanism_of(module: &jaas::Module) -> &'static str {
    match module {
        jaas::Module::Token => "OAUTHBEARER",
        jaas::Module::Password { mechanism, .. } => mechanism,
    }
}
