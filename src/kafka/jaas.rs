//! The one line of Java's that every Flink user has: `sasl.jaas.config`.
//!
//! It is a name and a password in the form of a Java class. What it says is taken over for
//! the classes that do just that; no error tells what stands in it.

use crate::secret::{Reference, Secret};

/// Who logs in, and how.
pub(super) enum Module {
    /// With a password, by one of the mechanisms whose name begins so.
    Password {
        mechanism: &'static str,
        username: Secret,
        password: Secret,
    },
    /// With a token, which the line does not hold.
    Token,
}

/// The classes of Kafka itself; in front of them may stand the name under which a
/// program has them (`org.apache.flink.kafka.shaded.`).
const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const TOKEN: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const KERBEROS: &str = "Krb5LoginModule";

/// Reads the line; `in_the_open` says that it stands in a table, where the password must be
/// a reference.
///
/// # Errors
/// What is wrong with it, for the person who wrote it.
pub(super) fn parse(text: &str, in_the_open: bool) -> Result<Module, String> {
    let mut words = Words(text);
    let class = words.word()?;
    words.expect_flag()?;
    let (mut username, mut password, mut has_others) = (None, None, false);
    while let Some((name, value)) = words.option()? {
        match name.as_str() {
            "username" => username = Some(value),
            "password" => password = Some(value),
            _ => has_others = true,
        }
    }
    let is = |module: &str| {
        let before = class.strip_suffix(module);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let mechanism = if is(PLAIN) {
        "PLAIN"
    } else if is(SCRAM) {
        "SCRAM-"
    } else if is(TOKEN) {
        if username.is_some() || password.is_some() || has_others {
            return Err(
                "tokens are not fetched; leave the options of the login module out and give the \
                 token as 'properties.sasl.oauthbearer.token' = '${file:PATH}'"
                    .to_owned(),
            );
        }
        return Ok(Module::Token);
    } else if class.ends_with(KERBEROS) {
        return Err("Kerberos is not supported".to_owned());
    } else {
        return Err(format!(
            "the login module is none of {PLAIN}, {SCRAM} and {TOKEN}"
        ));
    };
    // A part of a password may stand where the name of an option should.
    if has_others {
        return Err("the login module takes only username and password here".to_owned());
    }
    let missing = |name: &str| format!("the login module needs {name}=\"…\"");
    let username = username.ok_or_else(|| missing("username"))?;
    let password = password.ok_or_else(|| missing("password"))?;
    if in_the_open && Reference::parse(password.reveal()).is_none() {
        return Err(
            "the password is a secret; give a reference, as in password=\"${env:NAME}\"".to_owned(),
        );
    }
    Ok(Module::Password {
        mechanism,
        username,
        password,
    })
}

/// What is left to read.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// What reaches to the next space or sign.
    fn word(&mut self) -> Result<String, String> {
        self.skip_space();
        let ends = |c: char| c.is_whitespace() || matches!(c, '=' | ';' | '"' | '\'');
        let (word, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        self.0 = rest;
        if word.is_empty() {
            return Err(FORM.to_owned());
        }
        Ok(word.to_owned())
    }

    fn expect_flag(&mut self) -> Result<(), String> {
        let flags = ["required", "requisite", "sufficient", "optional"];
        let flag = self.word()?.to_ascii_lowercase();
        flags
            .contains(&flag.as_str())
            .then_some(())
            .ok_or_else(|| FORM.to_owned())
    }

    /// The next `name="value"`, or the end.
    fn option(&mut self) -> Result<Option<(String, Secret)>, String> {
        self.skip_space();
        if let Some(rest) = self.0.strip_prefix(';') {
            return match rest.trim() {
                "" => Ok(None),
                _ => Err("one login module is enough".to_owned()),
            };
        }
        let name = self.word()?;
        self.skip_space();
        let value = self.0.strip_prefix('=').ok_or_else(|| FORM.to_owned())?;
        self.0 = value;
        self.skip_space();
        let value = match self.0.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => self.word()?,
        };
        Ok(Some((name, Secret::new(value))))
    }

    /// What stands between two quotes, as Java reads it.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut characters = self.0[1..].chars();
        let mut value = String::new();
        loop {
            let character = characters.next().ok_or_else(|| FORM.to_owned())?;
            match character {
                '\\' => value.push(match characters.next() {
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(other) => other,
                    None => return Err(FORM.to_owned()),
                }),
                _ if character == quote => break,
                _ => value.push(character),
            }
        }
        self.0 = characters.as_str();
        Ok(value)
    }
}

const FORM: &str = "has not the form 'CLASS required username=\"…\" password=\"…\";'";

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, as text.
    fn read(text: &str, in_the_open: bool) -> String {
        match parse(text, in_the_open) {
            Ok(Module::Password {
                mechanism,
                username,
                password,
            }) => format!("{mechanism} {} {}", username.reveal(), password.reveal()),
            Ok(Module::Token) => "token".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn lines_of_flink_users_are_read() {
        for (text, expected) in [
            (
                r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="${env:P}";"#,
                "PLAIN me ${env:P}",
            ),
            (
                "org.apache.flink.kafka.shaded.org.apache.kafka.common.security.scram.ScramLoginModule \
                 required\n  username='${env:U}'\n  password = ${file:/p};",
                "SCRAM- ${env:U} ${file:/p}",
            ),
            (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
                "token",
            ),
        ] {
            assert_eq!(read(text, true), expected, "{text}");
        }
        // A line that is a secret as a whole may hold the password.
        let line =
            |password: &str| format!("{PLAIN} required username=\"me\" password=\"{password}\";");
        assert_eq!(read(&line(r#"a\"b\\c"#), false), r#"PLAIN me a"b\c"#);
    }

    #[test]
    fn what_is_refused_is_not_shown() {
        for (text, expected) in [
            (
                &*format!("{PLAIN} required username=\"me\" password=\"canary\";"),
                "is a secret; give a reference",
            ),
            (
                &*format!(
                    "{SCRAM} required username=\"me\" password=\"${{env:P}}\" tokenauth=true;"
                ),
                "takes only username and password",
            ),
            (
                &*format!("{PLAIN} required username=me password=${{env:P}} canary=a;"),
                "takes only username and password",
            ),
            (
                &*format!("{PLAIN} required username=\"me\";"),
                "needs password",
            ),
            (
                &*format!("{PLAIN} required password=\"canary\";"),
                "needs username",
            ),
            (
                &*format!("{PLAIN} required password=\"canary"),
                "has not the form",
            ),
            (&*format!("{PLAIN} canary;"), "has not the form"),
            (&*format!("{PLAIN} required canary;"), "has not the form"),
            (
                &*format!("{PLAIN} required username=a password=b; {PLAIN} required;"),
                "one login module",
            ),
            (
                &*format!("{TOKEN} required clientSecret=\"canary\";"),
                "tokens are not fetched",
            ),
            (
                "com.sun.security.auth.module.JndiLoginModule required user.provider.url=\"canary\";",
                "the login module is none of",
            ),
            (
                "com.sun.security.auth.module.Krb5LoginModule required keyTab=\"canary\";",
                "Kerberos",
            ),
            ("canary", "has not the form"),
            ("", "has not the form"),
        ] {
            let why = read(text, true);
            assert!(why.contains(expected), "{text}: {why}");
            assert!(!why.contains("canary"), "{text}: {why}");
        }
    }
}
