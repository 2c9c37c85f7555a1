//! The token of a client that logs in with one (SASL OAUTHBEARER): where it is, whose it is
//! and until when it holds.
//!
//! A token is read where it lies, each time that the library wants one; nothing is
//! fetched. Whoever makes tokens replaces the file, as Kubernetes does with the token of a
//! service account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Error, Result};
use crate::secret::{Missing, Reference, Secret};

/// The property that says where the token is.
pub(super) const TOKEN: &str = "sasl.oauthbearer.token";

/// After how long a token is looked for again that does not say how long it holds.
const UNKNOWN_LIFETIME_MS: i64 = 60_000;

/// After how long it is looked for again at the latest: it may have been replaced.
const LIFETIME_MS_MAX: i64 = 3_600_000;

/// A token as it was found.
pub(super) struct Token {
    pub text: Secret,
    /// Whose it is, for the broker's log.
    pub principal: String,
    /// When it stops to hold, if it says so: milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
}

impl Token {
    /// The token that lies at a place at this time.
    ///
    /// # Errors
    /// Why there is none. It is fatal if no later look can find another.
    pub fn read(place: &Reference, now_ms: i64) -> Result<Self> {
        let fatal = |why: String| Error::Fatal(cannot(place, &why));
        let later = |why: String| {
            if place.may_change() {
                return Error::Retryable(cannot(place, &why));
            }
            fatal(format!(
                "{why}; give it as '${{file:PATH}}', which is read again"
            ))
        };
        let text = place.read().map_err(|missing| match missing {
            Missing::Absent(_) => fatal(missing.to_string()),
            Missing::Unusable(_) => later(missing.to_string()),
        })?;
        // The library would show it in its error.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if !text.reveal().bytes().all(is_token) {
            return Err(later("what is there is no token".to_owned()));
        }
        let claims = claims(text.reveal());
        let expires_at_ms = claims["exp"].as_f64().map(milliseconds);
        if expires_at_ms.is_some_and(|at| at <= now_ms) {
            return Err(later(
                "the token there has expired and was not renewed".to_owned(),
            ));
        }
        let principal = claims["sub"].as_str().filter(|name| !name.contains('\0'));
        let principal = principal.unwrap_or("unknown").to_owned();
        Ok(Self {
            text,
            principal,
            expires_at_ms,
        })
    }

    /// Until when the library may take it to hold. It asks again when four fifths of that
    /// time are over; told the truth, it would ask just before brokers want to see another.
    pub fn lifetime_ends_at_ms(&self, now_ms: i64) -> i64 {
        let lifetime_ms = match self.expires_at_ms {
            Some(at) => (at.saturating_sub(now_ms) / 4 * 3).clamp(1, LIFETIME_MS_MAX),
            None => UNKNOWN_LIFETIME_MS,
        };
        now_ms.saturating_add(lifetime_ms)
    }
}

fn cannot(place: &Reference, why: &str) -> String {
    format!("cannot take the token '{place}' of 'properties.{TOKEN}': {why}")
}

/// What a JSON web token says; another token says nothing. Its signature is the broker's
/// business.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('='));
    serde_json::from_slice(&json.unwrap_or_default()).unwrap_or_default()
}

/// A time in seconds, which may be broken.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn jwt(claims: &str) -> String {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part("{}"), part(claims), part("canary"))
    }

    #[test]
    fn tokens_are_read_again_in_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let place = Reference::File(path.display().to_string());
        for (text, principal, lifetime_ms) in [
            (jwt(r#"{"exp":1700000010,"sub":"me"}"#), "me", 7_500),
            (jwt(r#"{"exp":1700000000.5,"sub":"me"}"#), "me", 375),
            (jwt(r#"{"exp":9e99,"sub":"me"}"#), "me", LIFETIME_MS_MAX),
            (jwt(r#"{"sub":"me"}"#), "me", UNKNOWN_LIFETIME_MS),
            (jwt(r#"{"sub":"a\u0000b"}"#), "unknown", UNKNOWN_LIFETIME_MS),
            (jwt("canary"), "unknown", UNKNOWN_LIFETIME_MS),
            ("opaque".to_owned(), "unknown", UNKNOWN_LIFETIME_MS),
        ] {
            std::fs::write(&path, &text).unwrap();
            let Ok(token) = Token::read(&place, NOW_MS) else {
                panic!("{text}");
            };
            assert_eq!(token.text.reveal(), text);
            assert_eq!(token.principal, principal, "{text}");
            let lifetime = token.lifetime_ends_at_ms(NOW_MS) - NOW_MS;
            assert_eq!(lifetime, lifetime_ms, "{text}");
        }
    }

    #[test]
    fn a_bad_token_is_waited_for_where_another_may_come() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let place = Reference::File(path.display().to_string());
        let error = |place| Token::read(place, NOW_MS).err().expect("no token");
        assert!(matches!(error(&place), Error::Fatal(_)));
        for text in [
            &jwt(r#"{"exp":1700000000}"#),
            "canary canary",
            "canary\u{1}",
            "",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = error(&place);
            assert!(matches!(error, Error::Retryable(_)), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let variable = Reference::Variable("PATH".to_owned());
        let error = error(&variable);
        assert!(matches!(error, Error::Fatal(_)), "{error}");
        assert!(
            error.to_string().contains("is no token; give it as"),
            "{error}"
        );
    }
}
