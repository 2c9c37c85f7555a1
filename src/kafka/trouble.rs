//! What trouble of a connection means: whether it may pass, and what a person can do.
//!
//! The library has few codes for much that can happen, so its words count. Only what is
//! certain to come again is fatal: a broker that is just starting, or dies while somebody
//! logs in, must not end a job.

use rdkafka::error::RDKafkaErrorCode;

use super::error::fatal_meaning;
use super::login::{Login, Tls};

/// Whether it may pass, and why it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A person must change something first.
    Fatal(String),
    /// It may go right later.
    Passing(String),
}

/// What the library said of one connection.
pub(super) struct Heard<'a> {
    pub code: Option<RDKafkaErrorCode>,
    pub text: &'a str,
    pub login: &'a Login,
    /// Whether it may be of a token that has had its time.
    pub token_may_be_old: bool,
}

const PROTOCOL: &str = "'properties.security.protocol'";

/// A connection that is closed so soon was not what the broker expected.
const AT_ONCE_MS: u64 = 2_000;

impl Heard<'_> {
    /// What it means.
    pub fn judge(&self) -> Trouble {
        let judged = [Self::of_tls, Self::of_login, Self::of_protocol];
        let judged = judged.into_iter().find_map(|judge| judge(self));
        judged.unwrap_or_else(|| match self.code.and_then(fatal_meaning) {
            Some(why) => Trouble::Fatal(why.to_owned()),
            None => Trouble::Passing(self.words().to_owned()),
        })
    }

    fn has(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// The library's words, without how long the connection was there.
    fn words(&self) -> &str {
        let end = self.text.rfind(" (after ").unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// The address at the beginning of the words, as in `ssl://127.0.0.1:9093/bootstrap: …`.
    fn broker(&self) -> &str {
        let address = self
            .text
            .split_once(": ")
            .map_or("", |(address, _)| address);
        let address = address.split_once("://").map_or(address, |(_, rest)| rest);
        address.split_once('/').map_or(address, |(name, _)| name)
    }

    fn tls(&self) -> Option<&Tls> {
        self.login.tls.as_ref()
    }

    fn of_tls(&self) -> Option<Trouble> {
        let unverified = [
            "certificate verify failed",
            "Failed to verify broker certificate",
            "did not provide a certificate",
        ];
        if unverified.iter().any(|words| self.has(words)) {
            let has_authority = self.tls().is_some_and(|tls| tls.has_authority);
            let authority = if has_authority {
                "an authority in 'properties.ssl.truststore.certificates'"
            } else {
                "an authority that this system trusts (set 'properties.ssl.truststore.certificates' \
                 if it is another)"
            };
            return Some(Trouble::Fatal(format!(
                "the certificate of {} is not to be trusted; it must be signed by {authority}, be \
                 made for that host, and not have expired",
                self.broker()
            )));
        }
        let (_, alert) = self.text.split_once("SSL alert number ")?;
        let end = alert.find(|c: char| !c.is_ascii_digit());
        let alert: u8 = alert[..end.unwrap_or(alert.len())].parse().ok()?;
        let has_certificate = self.tls().is_some_and(|tls| tls.has_certificate);
        match alert {
            // The broker's words on a certificate: bad, of no use, revoked, expired, unknown,
            // from nobody it knows, without access, wanted.
            42..=46 | 48 | 49 | 116 if has_certificate => Some(Trouble::Fatal(
                "the broker refuses the client's certificate; it must be signed by an authority \
                 that the broker trusts, and not have expired: see \
                 'properties.ssl.keystore.certificate.chain'"
                    .to_owned(),
            )),
            42..=46 | 48 | 49 | 116 => Some(Trouble::Fatal(
                "the broker wants a certificate of the client; set \
                 'properties.ssl.keystore.certificate.chain' and 'properties.ssl.keystore.key'"
                    .to_owned(),
            )),
            // No handshake, version or strength that both have.
            40 | 70 | 71 => Some(Trouble::Fatal(
                "the broker and this program have no version or cipher of TLS in common; allow \
                 TLS 1.2 or later there"
                    .to_owned(),
            )),
            _ => None,
        }
    }

    fn of_login(&self) -> Option<Trouble> {
        if self.code != Some(RDKafkaErrorCode::Authentication)
            && self.code != Some(RDKafkaErrorCode::SaslAuthenticationFailed)
        {
            return None;
        }
        if let Some((_, why)) = self
            .text
            .split_once("Failed to acquire SASL OAUTHBEARER token: ")
        {
            return Some(Trouble::Passing(why.to_owned()));
        }
        if let Some((why, known)) = self.words().split_once("broker's supported mechanisms: ") {
            // The connection broke before the broker could say which, or the broker was asked
            // again too soon.
            if !why.contains("Unsupported SASL mechanism") {
                return Some(Trouble::Passing(self.words().to_owned()));
            }
            return Some(Trouble::Fatal(format!(
                "the broker does not take this 'properties.sasl.mechanism'; it takes {known}"
            )));
        }
        Some(match &self.login.token {
            Some(place) if self.token_may_be_old => Trouble::Passing(format!(
                "the token '{place}' has expired and was not renewed in time"
            )),
            Some(place) => Trouble::Fatal(format!(
                "the broker does not take the token '{place}'; check who issued it, for whom, and \
                 until when it holds"
            )),
            None => Trouble::Fatal(
                "the user name or the password is wrong; check 'properties.sasl.username' and \
                 'properties.sasl.password', or 'properties.sasl.jaas.config'"
                    .to_owned(),
            ),
        })
    }

    /// A listener that speaks otherwise; a broker that is just starting or stopping looks
    /// the same.
    fn of_protocol(&self) -> Option<Trouble> {
        let broker = self.broker();
        let is_at_once = |state: &str| self.closed_in() == Some((state, true));
        let why = if self.has("connecting to a PLAINTEXT broker listener?")
            || self.has("wrong version number")
        {
            format!(
                "{broker} closes connections instead of speaking TLS; if that does not pass, its \
                 listener has no TLS, and {PROTOCOL} must be 'PLAINTEXT' or 'SASL_PLAINTEXT'"
            )
        } else if self.tls().is_none() && is_at_once("APIVERSION_QUERY") {
            format!(
                "{broker} closes connections without an answer; if that does not pass, its \
                 listener wants TLS, and {PROTOCOL} must be 'SSL' or 'SASL_SSL'"
            )
        } else if !self.login.is_sasl && is_at_once("UP") {
            format!(
                "{broker} closes connections at the first question; if that does not pass, its \
                 listener wants a login, and {PROTOCOL} must be 'SASL_SSL' or 'SASL_PLAINTEXT'"
            )
        } else {
            return None;
        };
        Some(Trouble::Passing(why))
    }

    /// In which state the broker has closed the connection, and whether the connection had
    /// just come into it: `… Disconnected: … (after 3ms in state UP, …)`.
    fn closed_in(&self) -> Option<(&str, bool)> {
        let (words, after) = self.text.rsplit_once(" (after ")?;
        let (millis, state) = after.split_once("ms in state ")?;
        let state = state.split([',', ')']).next()?;
        let millis: u64 = millis.parse().ok()?;
        words
            .contains("Disconnected")
            .then_some((state, millis < AT_ONCE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Reference;

    fn check(heard: &Heard<'_>, is_fatal: bool, expected: &str) {
        let judged = heard.judge();
        let text = heard.text;
        let (Trouble::Fatal(why) | Trouble::Passing(why)) = &judged;
        assert!(why.contains(expected), "{text}: {why}");
        assert_eq!(
            matches!(judged, Trouble::Fatal(_)),
            is_fatal,
            "{text}: {why}"
        );
    }

    #[test]
    fn what_passes_ends_no_job() {
        let authentication = Some(RDKafkaErrorCode::Authentication);
        let transport = Some(RDKafkaErrorCode::BrokerTransportFailure);
        let login = Login::default();
        for (code, text, is_fatal, expected) in [
            // A broker that dies at the wrong moment.
            (
                authentication,
                "sasl_ssl://a:1/1: SASL PLAIN mechanism handshake failed: Local: Broker \
                 transport failure: broker's supported mechanisms: (n/a) (after 1ms in state \
                 AUTH_HANDSHAKE)",
                false,
                "mechanisms: (n/a)",
            ),
            (
                authentication,
                "sasl_ssl://a:1/1: SASL OAUTHBEARER mechanism handshake failed: Broker: Request \
                 not valid in current SASL state: broker's supported mechanisms:  (after 0ms in \
                 state AUTH_HANDSHAKE)",
                false,
                "not valid in current SASL state",
            ),
            (
                authentication,
                "sasl_ssl://a:1/1: SASL PLAIN mechanism handshake failed: Broker: Unsupported \
                 SASL mechanism: broker's supported mechanisms: SCRAM-SHA-256,OAUTHBEARER (after \
                 1ms in state AUTH_HANDSHAKE)",
                true,
                "it takes SCRAM-SHA-256,OAUTHBEARER",
            ),
            (
                Some(RDKafkaErrorCode::SSL),
                "ssl://a:1/1: SSL handshake failed: SSL transport error: Broken pipe (after 1ms \
                 in state SSL_HANDSHAKE)",
                false,
                "ssl://a:1/1: SSL handshake failed: SSL transport error: Broken pipe",
            ),
            (
                transport,
                "ssl://a:1/1: SSL handshake failed: Disconnected: connection reset by peer: \
                 connecting to a PLAINTEXT broker listener? (after 1ms in state SSL_HANDSHAKE)",
                false,
                "a:1 closes connections instead of speaking TLS",
            ),
            (
                None,
                "a:1/1: Disconnected: connection closed by peer: POLLHUP (after 7ms in state UP, \
                 1 identical error(s) suppressed)",
                false,
                "a:1 closes connections at the first question",
            ),
            (
                None,
                "a:1/1: Disconnected: connection closed by peer: POLLHUP (after 70000ms in state \
                 UP)",
                false,
                "a:1/1: Disconnected: connection closed by peer: POLLHUP",
            ),
            (
                transport,
                "a:1/1: Connect to a:1 failed: Connection refused",
                false,
                "refused",
            ),
            // What comes again.
            (
                transport,
                "ssl://a:1/1: Receive failed: error:0A00045C:SSL routines::tlsv13 alert \
                 certificate required: SSL alert number 116 (after 0ms in state UP)",
                true,
                "wants a certificate of the client",
            ),
            (
                Some(RDKafkaErrorCode::SSL),
                "ssl://a:1/1: SSL handshake failed: error:0A00042E:SSL routines::tlsv1 alert \
                 protocol version: SSL alert number 70 (after 1ms in state SSL_HANDSHAKE)",
                true,
                "no version or cipher of TLS in common",
            ),
            (
                Some(RDKafkaErrorCode::ClusterAuthorizationFailed),
                "the producer may not",
                true,
                "IdempotentWrite",
            ),
        ] {
            let heard = Heard {
                code,
                text,
                login: &login,
                token_may_be_old: false,
            };
            check(&heard, is_fatal, expected);
        }
    }

    #[test]
    fn a_token_that_has_expired_is_waited_for() {
        let refused = "sasl_ssl://a:1/1: SASL authentication error: {\"status\":\"invalid_token\"}";
        let login = Login {
            token: Reference::parse("${file:/token}"),
            ..Login::default()
        };
        let heard = |text, token_may_be_old| Heard {
            code: Some(RDKafkaErrorCode::Authentication),
            text,
            login: &login,
            token_may_be_old,
        };
        check(
            &heard(refused, false),
            true,
            "does not take the token '${file:/token}'",
        );
        check(
            &heard(refused, true),
            false,
            "has expired and was not renewed in time",
        );
        let unread = "Failed to acquire SASL OAUTHBEARER token: cannot take the token";
        check(&heard(unread, false), false, "cannot take the token");
    }
}
