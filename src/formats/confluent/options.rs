//! The options that say where a registry is, who we are to it, and which subject is ours.

use std::sync::Arc;

use crate::formats::Options;
use crate::http::Base;
use crate::schema_registry::{Authentication, Pem, Registry, Settings};
use crate::secret::{Reference, WANTED};

/// What the options of a format say of its registry.
pub(super) struct RegistryOptions {
    pub registry: Arc<Registry>,
    /// Where schemas are registered; only who writes needs one.
    pub subject: Option<String>,
    pub register: bool,
}

/// The options of the registry of a format, for people; its own are listed behind.
macro_rules! registry_docs {
    ($format:literal, $($own:expr),* $(,)?) => {
        &[
            OptionDoc {
                key: concat!($format, ".url"),
                default: OptionDefault::Required,
                doc: "Where the schema registry is; several addresses of one are separated by ','.",
            },
            OptionDoc {
                key: concat!($format, ".subject"),
                default: OptionDefault::Off,
                doc: "The subject under which the schema of written rows is registered; with Kafka it is 'TOPIC-value' or 'TOPIC-key'.",
            },
            OptionDoc {
                key: concat!($format, ".auto.register.schemas"),
                default: OptionDefault::Value("true"),
                doc: "Whether the schema of written rows is registered if it is not there yet.",
            },
            OptionDoc {
                key: concat!($format, ".basic-auth.credentials-source"),
                default: OptionDefault::Off,
                doc: "Only 'USER_INFO'.",
            },
            OptionDoc {
                key: concat!($format, ".basic-auth.user-info"),
                default: OptionDefault::Off,
                doc: "A reference to 'user:password': '${env:NAME}' or '${file:PATH}'.",
            },
            OptionDoc {
                key: concat!($format, ".bearer-auth.credentials-source"),
                default: OptionDefault::Off,
                doc: "Only 'STATIC_TOKEN'.",
            },
            OptionDoc {
                key: concat!($format, ".bearer-auth.token"),
                default: OptionDefault::Off,
                doc: "A reference to the token: '${env:NAME}' or '${file:PATH}'.",
            },
            OptionDoc {
                key: concat!($format, ".ssl.truststore.certificates"),
                default: OptionDefault::Off,
                doc: "The certificate authorities that are trusted, in PEM form, as in '${file:/etc/ca.pem}'; else the system's are.",
            },
            OptionDoc {
                key: concat!($format, ".ssl.keystore.certificate.chain"),
                default: OptionDefault::Off,
                doc: "Our certificate in PEM form, with those that vouch for it.",
            },
            OptionDoc {
                key: concat!($format, ".ssl.keystore.key"),
                default: OptionDefault::Off,
                doc: "A reference to the key of our certificate, in PEM form.",
            },
            $($own),*
        ]
    };
}
pub(super) use registry_docs;

/// Options of Flink that need Java, and what to set instead.
const REFUSED: [(&str, &str); 4] = [
    ("ssl.keystore.location", KEYSTORE),
    ("ssl.keystore.password", KEYSTORE),
    ("ssl.truststore.location", TRUSTSTORE),
    ("ssl.truststore.password", TRUSTSTORE),
];

const KEYSTORE: &str = "key stores of Java are not read; give PEM text in \
                        'ssl.keystore.certificate.chain' and a reference to it in \
                        'ssl.keystore.key'";
const TRUSTSTORE: &str = "trust stores of Java are not read; give PEM text in \
                          'ssl.truststore.certificates', as in '${file:/etc/ca.pem}'";

/// Reads the options of a format's registry.
pub(super) fn read(options: &mut Options, format: &str) -> RegistryOptions {
    let key = |name: &str| format!("{format}.{name}");
    for (name, why) in REFUSED {
        options.refuse(&key(name), why);
    }
    let properties = key("properties.");
    let passed_on: Vec<_> = options
        .keys()
        .filter(|key| key.starts_with(&properties))
        .collect();
    for property in passed_on {
        options.refuse(
            property,
            "properties of the Java client are not taken; set the option of the format that \
             means the same",
        );
    }
    let settings = Settings {
        addresses: addresses(options, &key("url"), &key("schema-registry.url")),
        authentication: authentication(options, &key),
        trusted: pem(options, &key("ssl.truststore.certificates")),
        certificate: pem(options, &key("ssl.keystore.certificate.chain")),
        key: reference(options, &key("ssl.keystore.key")),
    };
    if settings.certificate.is_some() != settings.key.is_some() {
        options.reject_table(format!(
            "'{format}.ssl.keystore.certificate.chain' and '{format}.ssl.keystore.key' are given \
             together or not at all"
        ));
    }
    let subject = options.text(&key("subject"));
    let subject = subject.or_else(|| options.text(&key("schema-registry.subject")));
    RegistryOptions {
        registry: Arc::new(Registry::new(settings)),
        subject: subject.map(str::to_owned),
        register: options.boolean(&key("auto.register.schemas"), true),
    }
}

/// The addresses, also by the key that Flink had first.
fn addresses(options: &mut Options, key: &str, old_key: &str) -> Vec<Base> {
    let (key, list) = match options.text(old_key) {
        Some(list) => (old_key, list),
        None => (key, options.require(key)),
    };
    let parsed = list.split(',').map(|address| Base::parse(address.trim()));
    match parsed.collect::<Result<Vec<_>, _>>() {
        Ok(addresses) => addresses,
        Err(_) if list.is_empty() => Vec::new(),
        Err(why) => {
            options.reject(key, why);
            Vec::new()
        }
    }
}

fn authentication(options: &mut Options, key: &impl Fn(&str) -> String) -> Authentication {
    let sources = [
        ("basic-auth", "USER_INFO", "user-info"),
        ("bearer-auth", "STATIC_TOKEN", "token"),
    ];
    let [basic, bearer] = sources.map(|(kind, only, secret)| {
        let source = key(&format!("{kind}.credentials-source"));
        let given = options.text(&source);
        let secret = key(&format!("{kind}.{secret}"));
        match given {
            Some(given) if given != only => {
                options.reject(&source, format!("only '{only}' is supported"));
            }
            Some(_) if options.text(&secret).is_none() => {
                options.reject(&source, format!("needs '{secret}'"));
            }
            _ => {}
        }
        reference(options, &secret)
    });
    match (basic, bearer) {
        (None, None) => Authentication::None,
        (Some(pair), None) => Authentication::Basic(pair),
        (None, Some(token)) => Authentication::Bearer(token),
        (Some(_), Some(_)) => {
            let (token, pair) = (key("bearer-auth.token"), key("basic-auth.user-info"));
            options.reject(&token, format!("cannot be given together with '{pair}'"));
            Authentication::None
        }
    }
}

/// A secret, which is given by reference.
fn reference(options: &mut Options, key: &str) -> Option<Reference> {
    let reference = Reference::parse(options.text(key)?);
    if reference.is_none() {
        options.reject(key, WANTED);
    }
    reference
}

/// Certificates, as they are or by reference.
fn pem(options: &mut Options, key: &str) -> Option<Pem> {
    let text = options.text(key)?;
    if let Some(reference) = Reference::parse(text) {
        return Some(Pem::Behind(reference));
    }
    if !text.contains("-----BEGIN ") {
        options.reject(
            key,
            "is no certificate in PEM form, nor a reference to one such as '${file:PATH}'",
        );
    }
    Some(Pem::Text(text.to_owned()))
}
