//! Which properties of a client a table may set, and why not the others.
//!
//! The names are those of Kafka's own (Java) client, as Flink passes them on. Every
//! property that the library knows is judged here: a test walks over them all, so that an
//! upgrade of the library brings in none that nobody has looked at.

/// A property that a table may set.
#[derive(Clone, Copy)]
pub(super) struct Allowed {
    /// Its name in a table.
    pub name: &'static str,
    /// The library's name.
    pub library: &'static str,
    pub kind: Kind,
}

/// What may be given as a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// Bytes in a table, kilobytes in the library.
    Kilobytes,
    /// A text or a reference to one.
    Text,
    /// Given by reference only.
    Secret,
    /// Where a token is; the library asks for it.
    Token,
    /// Name and password in the form of a Java class.
    Jaas,
    /// How certificates and keys are given, which goes without saying.
    StoreType,
}

const fn plain(name: &'static str) -> Allowed {
    named(name, name, Kind::Plain)
}

const fn renamed(name: &'static str, library: &'static str) -> Allowed {
    named(name, library, Kind::Plain)
}

const fn named(name: &'static str, library: &'static str, kind: Kind) -> Allowed {
    Allowed {
        name,
        library,
        kind,
    }
}

/// All of them.
pub(super) const ALLOWED: &[Allowed] = &[
    named(SERVERS, SERVERS, Kind::Text),
    plain("client.id"),
    plain("client.rack"),
    plain("group.id"),
    plain("auto.offset.reset"),
    plain("isolation.level"),
    plain("check.crcs"),
    plain("client.dns.lookup"),
    plain("broker.address.family"),
    plain("connections.max.idle.ms"),
    plain("metadata.max.age.ms"),
    plain("reconnect.backoff.ms"),
    plain("reconnect.backoff.max.ms"),
    plain("retry.backoff.ms"),
    plain("retry.backoff.max.ms"),
    plain("request.timeout.ms"),
    plain("socket.timeout.ms"),
    plain("socket.keepalive.enable"),
    plain("socket.connection.setup.timeout.ms"),
    renamed("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    renamed("send.buffer.bytes", "socket.send.buffer.bytes"),
    // Reading.
    plain("fetch.min.bytes"),
    plain("fetch.max.bytes"),
    renamed("fetch.max.wait.ms", "fetch.wait.max.ms"),
    plain("max.partition.fetch.bytes"),
    plain("queued.min.messages"),
    plain("queued.max.messages.kbytes"),
    // Writing.
    plain("compression.type"),
    plain("compression.level"),
    plain("batch.size"),
    plain("linger.ms"),
    renamed("max.request.size", "message.max.bytes"),
    renamed("delivery.timeout.ms", "message.timeout.ms"),
    plain("transaction.timeout.ms"),
    plain("queue.buffering.max.messages"),
    plain("queue.buffering.max.kbytes"),
    named(
        "buffer.memory",
        "queue.buffering.max.kbytes",
        Kind::Kilobytes,
    ),
    // Who we are, and whom we trust.
    plain(PROTOCOL),
    plain(MECHANISM),
    named(JAAS, JAAS, Kind::Jaas),
    named(USERNAME, USERNAME, Kind::Text),
    named(PASSWORD, PASSWORD, Kind::Secret),
    named(TOKEN, TOKEN, Kind::Token),
    plain("ssl.endpoint.identification.algorithm"),
    named(CA, CA, Kind::Text),
    named("ssl.truststore.certificates", CA, Kind::Text),
    named(CERTIFICATE, CERTIFICATE, Kind::Text),
    named("ssl.keystore.certificate.chain", CERTIFICATE, Kind::Text),
    named(KEY, KEY, Kind::Secret),
    named("ssl.keystore.key", KEY, Kind::Secret),
    named(KEY_PASSWORD, KEY_PASSWORD, Kind::Secret),
    named("ssl.truststore.type", "", Kind::StoreType),
    named("ssl.keystore.type", "", Kind::StoreType),
];

/// Properties of who writes, by the library's names.
pub(super) const WRITING: &[&str] = &[
    "compression.type",
    "compression.level",
    "batch.size",
    "linger.ms",
    "message.max.bytes",
    "message.timeout.ms",
    "transaction.timeout.ms",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
];

/// Where the brokers are.
pub(super) const SERVERS: &str = "bootstrap.servers";

/// Properties that say who we are, and whom we trust.
pub(super) const PROTOCOL: &str = "security.protocol";
pub(super) const MECHANISM: &str = "sasl.mechanism";
pub(super) const JAAS: &str = "sasl.jaas.config";
pub(super) const USERNAME: &str = "sasl.username";
pub(super) const PASSWORD: &str = "sasl.password";
pub(super) const TOKEN: &str = super::token::TOKEN;
pub(super) const CA: &str = "ssl.ca.pem";
pub(super) const CERTIFICATE: &str = "ssl.certificate.pem";
pub(super) const KEY: &str = "ssl.key.pem";
pub(super) const KEY_PASSWORD: &str = "ssl.key.password";

/// Other names that the library has for properties that may be set.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", MECHANISM),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("compression.codec", "compression.type"),
];

/// Why properties are refused.
#[rustfmt::skip]
const REFUSED: &[(&str, &[&str])] = &[
    ("it would load code", &[
        "plugin.library.paths", "interceptors", "ssl.engine.location", "ssl.engine.id", "ssl.providers",
        // Of Java.
        "interceptor.classes", "metric.reporters", "security.providers", "ssl.engine.factory.class",
        "sasl.login.class", "sasl.login.callback.handler.class", "sasl.client.callback.handler.class",
        "sasl.oauthbearer.jwt.retriever.class", "sasl.oauthbearer.jwt.validator.class",
    ]),
    ("it would run a command", &["sasl.kerberos.kinit.cmd"]),
    ("Kerberos is not supported", &[
        "sasl.kerberos.service.name", "sasl.kerberos.principal", "sasl.kerberos.keytab",
        "sasl.kerberos.min.time.before.relogin",
    ]),
    ("it would read any file; give the certificate or key itself, as in \
      'properties.ssl.ca.pem' = '${file:/etc/ca.pem}'", &[
        "ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.crl.location",
        "ssl.keystore.location", "ssl.truststore.location", "https.ca.location",
        "ssl.ca.certificate.stores",
    ]),
    ("it opens a key store, and there is none; give certificates and keys as PEM", &[
        "ssl.keystore.password", "ssl.truststore.password",
    ]),
    ("it would read or write any file", &[
        "offset.store.path", "offset.store.method", "offset.store.sync.interval.ms",
    ]),
    ("no token is fetched from anywhere; give the token, as in \
      'properties.sasl.oauthbearer.token' = '${file:PATH}'", &[
        "sasl.oauthbearer.token.endpoint.url", "sasl.oauthbearer.jwks.endpoint.url",
        "sasl.oauthbearer.method", "sasl.oauthbearer.config", "sasl.oauthbearer.scope",
        "sasl.oauthbearer.extensions", "sasl.oauthbearer.grant.type",
        "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.id",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.metadata.authentication.type",
        "sasl.oauthbearer.assertion.algorithm", "sasl.oauthbearer.assertion.file",
        "sasl.oauthbearer.assertion.private.key.file", "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.jwt.template.file",
        "sasl.oauthbearer.assertion.claim.aud", "sasl.oauthbearer.assertion.claim.exp.seconds",
        "sasl.oauthbearer.assertion.claim.iss", "sasl.oauthbearer.assertion.claim.jti.include",
        "sasl.oauthbearer.assertion.claim.nbf.seconds", "sasl.oauthbearer.assertion.claim.sub",
        "https.ca.pem",
    ]),
    ("anybody could make such a token", &["enable.sasl.oauthbearer.unsecure.jwt"]),
    ("a broker that is not who it says it is would get the data", &[
        "enable.ssl.certificate.verification", "ssl.certificate.verify_cb",
    ]),
    ("TLS has good defaults, and weaker ones would be nobody's gain", &[
        "ssl.cipher.suites", "ssl.curves.list", "ssl.sigalgs.list", "ssl.protocol",
        "ssl.enabled.protocols",
    ]),
    ("it could write secrets into the log; --log says what is logged", &[
        "debug", "log_level", "log.queue", "log.thread.name", "log.connection.close",
    ]),
    ("it would put brokers of a test in the place of real ones", &[
        "test.mock.num.brokers", "test.mock.broker.rtt", "ut_handle_ProduceResponse",
    ]),
    ("records are always written once and in order, to all in-sync replicas", &[
        "acks", "request.required.acks", "enable.idempotence", "enable.gapless.guarantee",
        "max.in.flight", "max.in.flight.requests.per.connection", "retries",
        "message.send.max.retries", "queuing.strategy", "msg_order_cmp",
    ]),
    ("it is made of the job's and the node's name", &["transactional.id"]),
    ("failures must be told", &["delivery.report.only.error", "produce.offset.report"]),
    ("'sink.partitioner' says where records go", &["partitioner", "partitioner_cb"]),
    ("positions are kept with the checkpoint", &[
        "enable.auto.commit", "auto.commit.enable", "auto.commit.interval.ms",
        "enable.auto.offset.store", "enable.partition.eof",
    ]),
    ("no group is joined", &[
        "group.instance.id", "group.protocol", "group.protocol.type", "group.remote.assignor",
        "partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms",
        "max.poll.interval.ms", "coordinator.query.interval.ms",
    ]),
    ("'scan.topic-partition-discovery.interval' says when to look for partitions", &[
        "partition.discovery.interval.ms", "flink.partition-discovery.interval-millis",
    ]),
    ("the table's formats say how records are read and written", &[
        "key.serializer", "value.serializer", "key.deserializer", "value.deserializer",
    ]),
    ("a topic that is misspelt must not come into being", &["allow.auto.create.topics"]),
    ("a topic that is named must be found", &["topic.blacklist"]),
    ("it says what this program is", &[
        "builtin.features", "client.software.name", "client.software.version",
    ]),
    ("it is no text but a part of a program", &[
        "background_event_cb", "closesocket_cb", "connect_cb", "consume_cb", "default_topic_conf",
        "dr_cb", "dr_msg_cb", "enable_sasl_queue", "enabled_events", "error_cb", "log_cb",
        "oauthbearer_token_refresh_cb", "offset_commit_cb", "opaque", "open_cb", "rebalance_cb",
        "resolve_cb", "socket_cb", "ssl_ca", "ssl_certificate", "ssl_engine_callback_data",
        "ssl_key", "stats_cb", "throttle_cb",
    ]),
    ("brokers of this age are not supported", &[
        "api.version.fallback.ms", "api.version.request", "api.version.request.timeout.ms",
        "broker.version.fallback",
    ]),
    ("nobody has needed it yet", &[
        "batch.num.messages", "broker.address.ttl", "consume.callback.max.messages",
        "enable.metrics.push", "enable.random.seed", "max.poll.records",
        "enable.sparse.connections", "fetch.error.backoff.ms", "fetch.queue.backoff.ms",
        "internal.termination.signal", "message.copy.max.bytes",
        "metadata.recovery.rebootstrap.trigger.ms", "metadata.recovery.strategy",
        "metadata.request.timeout.ms", "queue.buffering.backpressure.threshold",
        "receive.message.max.bytes", "reconnect.backoff.jitter.ms", "socket.blocking.max.ms",
        "socket.max.fails", "socket.nagle.disable", "statistics.interval.ms",
        "sticky.partitioning.linger.ms", "topic.metadata.propagation.max.ms",
        "topic.metadata.refresh.fast.cnt", "topic.metadata.refresh.fast.interval.ms",
        "topic.metadata.refresh.interval.ms", "topic.metadata.refresh.sparse",
    ]),
];

/// The property of this name in a table.
///
/// # Errors
/// Why a table may not set it.
pub(super) fn find(name: &str) -> Result<Allowed, String> {
    if let Some(allowed) = ALLOWED.iter().find(|allowed| allowed.name == name) {
        return Ok(*allowed);
    }
    if let Some((why, _)) = REFUSED.iter().find(|(_, names)| names.contains(&name)) {
        return Err(format!("cannot be set: {why}"));
    }
    let mut renamed = ALLOWED.iter().map(|one| (one.library, one.name));
    let mut others = OTHER_NAMES.iter().copied();
    let is_it = |(other, _): &(&str, &str)| *other == name;
    match renamed.find(is_it).or_else(|| others.find(is_it)) {
        Some((_, ours)) if !name.is_empty() => Err(format!("is called 'properties.{ours}'")),
        _ => Err("is not one of the properties that a table may set".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use rdkafka::ClientConfig;

    use super::*;
    use crate::kafka::Properties;

    /// Where the source is of the library that is built in.
    fn library() -> PathBuf {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").to_owned());
        let listed = Command::new(cargo)
            .args(["metadata", "--format-version=1", "--locked", "--offline"])
            // Of other platforms nothing may be there.
            .arg(format!(
                "--filter-platform={}-unknown-linux-gnu",
                std::env::consts::ARCH
            ))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&listed.stderr);
        assert!(listed.status.success(), "{said}");
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        let packages = listed["packages"].as_array().unwrap();
        let mut packages = packages.iter();
        let library = packages.find(|package| package["name"] == "rdkafka-sys");
        let manifest = library.unwrap()["manifest_path"].as_str().unwrap();
        Path::new(manifest).with_file_name("librdkafka")
    }

    /// The names of all properties in the library's source, hidden ones and aliases too.
    fn names_in_source() -> BTreeSet<String> {
        let source = std::fs::read_to_string(library().join("src/rdkafka_conf.c")).unwrap();
        let (_, table) = source.split_once("rd_kafka_properties[] = {").unwrap();
        let (table, _) = table.split_once("{0, /* End */}").unwrap();
        let entry = regex::Regex::new(r#"\{\s*_RK_[A-Z_|\s]*,\s*"([^"]+)""#).unwrap();
        let names = entry.captures_iter(table).map(|found| found[1].to_owned());
        names.collect()
    }

    /// Those that its documentation lists.
    fn names_in_documentation() -> BTreeSet<String> {
        let page = std::fs::read_to_string(library().join("CONFIGURATION.md")).unwrap();
        let rows = page.lines().filter(|line| line.matches('|').count() >= 5);
        let names = rows.filter_map(|row| row.split('|').next());
        let names = names.map(|name| name.trim().to_owned());
        names
            .filter(|name| name != "Property" && !name.starts_with('-'))
            .collect()
    }

    /// What the library says to a value that cannot be right.
    fn answer(name: &str) -> String {
        let mut config = ClientConfig::new();
        config.set(name, "no such value");
        let error = config.create_native_config().err();
        error.map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn every_property_of_the_library_is_judged() {
        let source = names_in_source();
        let documented = names_in_documentation();
        // Neither list may be empty because its form has changed.
        assert!(documented.len() > 150, "{documented:?}");
        let missed: Vec<_> = documented.difference(&source).collect();
        assert!(missed.is_empty(), "not seen in the source: {missed:?}");
        for hidden in ["test.mock.num.brokers", "client.software.name"] {
            assert!(source.contains(hidden), "{hidden}");
        }
        let judged = |name: &&String| {
            let why = find(name).err().unwrap_or_default();
            why.starts_with("is not one of")
        };
        let unjudged: Vec<_> = source.iter().filter(judged).collect();
        assert!(
            unjudged.is_empty(),
            "nobody has said yet whether a table may set {unjudged:?}: put each into ALLOWED, or \
             into REFUSED with a reason"
        );
    }

    #[test]
    fn a_name_is_allowed_or_refused_and_not_both() {
        let mut seen = BTreeSet::new();
        let refused = REFUSED.iter().flat_map(|(_, names)| names.iter().copied());
        let others = OTHER_NAMES.iter().map(|(other, _)| *other);
        let allowed = ALLOWED.iter().map(|allowed| allowed.name);
        for name in refused.chain(others).chain(allowed) {
            assert!(seen.insert(name), "{name} is judged twice");
        }
        for (_, ours) in OTHER_NAMES {
            assert!(find(ours).is_ok(), "{ours}");
        }
        for allowed in ALLOWED {
            // No name leads to a property that is refused, or that reads files.
            let refused = REFUSED
                .iter()
                .any(|(_, names)| names.contains(&allowed.library));
            assert!(!refused, "{} is {}", allowed.name, allowed.library);
            assert!(!allowed.library.ends_with(".location"), "{}", allowed.name);
            let is_ours = matches!(allowed.kind, Kind::Token | Kind::Jaas | Kind::StoreType);
            let answer = answer(allowed.library);
            let is_known = is_ours || !answer.contains("No such");
            assert!(is_known, "{}: {answer}", allowed.library);
        }
        assert!(answer("no.such.property").contains("No such"));
    }

    /// Ways to write a name that somebody may hope to be overlooked.
    fn spellings(name: &str) -> Vec<String> {
        vec![
            name.to_owned(),
            name.to_uppercase(),
            name.replace('.', "_"),
            name.replace('.', "-"),
            name.replace('.', ".."),
            format!("topic.{name}"),
            format!("{{topic}}.{name}"),
            format!("default.topic.{name}"),
            format!("properties.{name}"),
            format!("consumer.{name}"),
            format!("producer.{name}"),
            format!("client.id,{name}"),
            format!("client.id\0{name}"),
            format!("client.id={name}"),
            format!(" {name}"),
            format!("{name} "),
            format!("{name}\0"),
            format!("{name}="),
        ]
    }

    /// What is compiled into the library; more could do more.
    #[test]
    fn the_library_has_the_features_that_are_needed_and_no_others() {
        let config = ClientConfig::new().create_native_config().unwrap();
        let features = config.get("builtin.features").unwrap();
        let features: BTreeSet<_> = features.split(',').collect();
        for needed in ["ssl", "sasl_plain", "sasl_scram", "sasl_oauthbearer"] {
            assert!(features.contains(needed), "{features:?}");
        }
        for refused in ["sasl_gssapi", "http", "oidc"] {
            assert!(!features.contains(refused), "{features:?}");
        }
    }

    #[test]
    fn what_is_dangerous_is_refused_in_every_spelling() {
        let dangerous = REFUSED.iter().flat_map(|(_, names)| names.iter().copied());
        for name in dangerous {
            let error = find(name).err().unwrap();
            assert!(error.starts_with("cannot be set: "), "{name}: {error}");
        }
        let dangerous = REFUSED.iter().flat_map(|(_, names)| names.iter().copied());
        for name in dangerous {
            for spelling in spellings(name) {
                let mut properties = Properties::default();
                for value in ["x", "${env:PATH}", "${file:/etc/hostname}"] {
                    let refused = properties.allow(&spelling, value);
                    assert!(refused.is_err(), "{spelling:?} = {value}");
                }
                assert_eq!(properties, Properties::default(), "{spelling:?}");
            }
        }
        // Whatever the library adds is refused until somebody has looked at it.
        for name in ["", "ssl.new.location", "x"] {
            let error = find(name).err().unwrap();
            assert!(error.starts_with("is not one of"), "{name}: {error}");
        }
        let other = find("metadata.broker.list").err().unwrap();
        assert_eq!(other, "is called 'properties.bootstrap.servers'");
        let other = find("fetch.wait.max.ms").err().unwrap();
        assert_eq!(other, "is called 'properties.fetch.max.wait.ms'");
    }
}
