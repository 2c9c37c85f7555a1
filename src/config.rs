//! The settings of a run: flag over environment over config file over default.
//!
//! Each layer gives texts; they are read in one place, so that a value means the
//! same wherever it stands, and an error says where that was.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::api::Listen;
use crate::formats::{nearest, parse_duration, parse_memory};
use crate::pipeline::{GRACE_DEFAULT, OutputFormat};

/// The settings that a flag, a variable and a key of the config file give alike.
const KEYS: [&str; 7] = [
    "data-dir", "format", "grace", "listen", "log", "memory", "workers",
];

/// More tasks per stage than key groups (1,024 at most) would have nothing to do.
const WORKERS_MAX: usize = 1_024;

/// Everything that a run can be told, as it holds for this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the state lives, if somebody said so.
    pub data_dir: Option<PathBuf>,
    /// How a bare SELECT prints.
    pub format: OutputFormat,
    /// How long the last checkpoint of a stop may take.
    pub grace: Duration,
    /// Where the API listens.
    pub listen: Listen,
    /// Which log lines are written, in the syntax of `tracing`.
    pub log: String,
    /// The memory for everything, if somebody said so.
    pub memory_bytes: Option<u64>,
    /// Tasks per stage.
    pub workers: usize,
    /// `SET` statements that go over those of the program.
    pub set: BTreeMap<String, String>,
}

/// What one layer says, by key; `set` has its own keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Values of known keys.
    pub values: BTreeMap<String, String>,
    /// `SET` statements.
    pub set: BTreeMap<String, String>,
}

/// Why the settings cannot be used. The person who starts the run can cure it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The config file cannot be read.
    #[error("cannot read the config file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The config file is not TOML.
    #[error("cannot read the config file {path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        message: String,
    },
    /// The config file has a key that means nothing.
    #[error("unknown key '{key}' in the config file {path}: {hint}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that was probably meant, or all of them.
        hint: String,
    },
    /// A `--set` is not `key=value`.
    #[error(
        "cannot read --set '{0}': expected key=value such as execution.checkpointing.interval=10s"
    )]
    Assignment(String),
    /// A value cannot be read.
    #[error("cannot use {origin} '{text}': {reason}")]
    Value {
        /// Flag, variable, or key of the file.
        origin: String,
        /// The value.
        text: String,
        /// What was expected.
        reason: String,
    },
}

impl Layer {
    /// What the command line says.
    ///
    /// # Errors
    /// If an item of `set` is not `key=value`.
    pub fn from_flags<'a>(
        values: impl IntoIterator<Item = (&'a str, Option<String>)>,
        set: &[String],
    ) -> Result<Self, Error> {
        let values = values
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        let set = set
            .iter()
            .map(|item| match item.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    Ok((key.trim().to_owned(), value.to_owned()))
                }
                _ => Err(Error::Assignment(item.clone())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { values, set })
    }

    /// What `THALWEG_*` variables say. An empty one counts as unset, as in most
    /// deployment tools. Others with the prefix are left alone: Kubernetes sets
    /// some for a service named `thalweg`.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let values = KEYS.iter().filter_map(|key| {
            let value = variable(&variable_name(key)).filter(|value| !value.is_empty())?;
            Some(((*key).to_owned(), value))
        });
        Self {
            values: values.collect(),
            set: BTreeMap::new(),
        }
    }

    /// What the config file at `path` says.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, or has a key that means nothing.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(path, &text)
    }

    fn from_toml(path: &Path, text: &str) -> Result<Self, Error> {
        let malformed = |message: String| Error::Malformed {
            path: path.to_owned(),
            message,
        };
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| malformed(error.to_string().trim().to_owned()))?;
        let mut layer = Self::default();
        for (key, value) in table {
            if key == "set" {
                let toml::Value::Table(set) = value else {
                    return Err(malformed("'set' is not a table".to_owned()));
                };
                for (key, value) in set {
                    let value = scalar(&value)
                        .ok_or_else(|| malformed(format!("'set.{key}' is not a single value")))?;
                    layer.set.insert(key, value);
                }
            } else if KEYS.contains(&key.as_str()) {
                let value = scalar(&value)
                    .ok_or_else(|| malformed(format!("'{key}' is not a single value")))?;
                layer.values.insert(key, value);
            } else {
                let hint = match nearest(&key, KEYS.into_iter()) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("known are {}, and the table 'set'", KEYS.join(", ")),
                };
                return Err(Error::UnknownKey {
                    path: path.to_owned(),
                    key,
                    hint,
                });
            }
        }
        Ok(layer)
    }
}

impl Settings {
    /// The settings of a run: for each key the first layer that has it.
    ///
    /// # Errors
    /// If a value cannot be read. Values that another layer hides are not looked at.
    pub fn resolve(flags: &Layer, environment: &Layer, file: &Layer) -> Result<Self, Error> {
        let layers = Layers {
            flags,
            environment,
            file,
        };
        let mut set = file.set.clone();
        set.extend(flags.set.clone());
        Ok(Self {
            data_dir: layers.read("data-dir", path)?,
            format: layers.read("format", output_format)?.unwrap_or_default(),
            grace: layers.read("grace", duration)?.unwrap_or(GRACE_DEFAULT),
            listen: layers
                .read("listen", |text| {
                    text.parse()
                        .map_err(|error: crate::api::Error| error.to_string())
                })?
                .unwrap_or_default(),
            log: layers
                .read("log", |text| Ok(text.to_owned()))?
                .unwrap_or_else(|| "info".to_owned()),
            memory_bytes: layers.read("memory", memory_size)?,
            workers: layers.read("workers", workers)?.unwrap_or_else(cores),
            set,
        })
    }
}

struct Layers<'a> {
    flags: &'a Layer,
    environment: &'a Layer,
    file: &'a Layer,
}

impl Layers<'_> {
    fn read<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let found = [
            (self.flags, format!("--{key}")),
            (self.environment, variable_name(key)),
            (self.file, format!("'{key}' of the config file")),
        ]
        .into_iter()
        .find_map(|(layer, origin)| Some((layer.values.get(key)?, origin)));
        let Some((text, origin)) = found else {
            return Ok(None);
        };
        read(text).map(Some).map_err(|reason| Error::Value {
            origin,
            text: text.clone(),
            reason,
        })
    }
}

fn variable_name(key: &str) -> String {
    format!("THALWEG_{}", key.replace('-', "_").to_uppercase())
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("expected a path".to_owned());
    }
    Ok(PathBuf::from(text))
}

fn output_format(text: &str) -> Result<OutputFormat, String> {
    match text {
        "table" => Ok(OutputFormat::Table),
        "json" => Ok(OutputFormat::Json),
        "csv" => Ok(OutputFormat::Csv),
        _ => Err("expected table, json or csv".to_owned()),
    }
}

/// A duration as Flink writes it, but never without a unit: a bare number is
/// milliseconds there and seconds to most people.
fn duration(text: &str) -> Result<Duration, String> {
    let bare = text
        .trim_end()
        .ends_with(|last: char| last.is_ascii_digit());
    parse_duration(text)
        .filter(|_| !bare)
        .ok_or_else(|| "expected a number and a unit such as 25s, 500 ms or 2 min".to_owned())
}

/// A size as Flink writes it, or as Kubernetes does (`4Gi`).
fn memory_size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let flink = lower.strip_suffix("ib").or(lower.strip_suffix('i'));
    match parse_memory(flink.unwrap_or(&lower)) {
        Some(0) => Err("the size must be more than 0".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("expected a size such as 512mb, 2 GiB or 4Gi".to_owned()),
    }
}

fn workers(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(workers @ 1..=WORKERS_MAX) => Ok(workers),
        _ => Err(format!("expected a number from 1 to {WORKERS_MAX}")),
    }
}

/// The cores that the process may use, a cgroup's quota included.
fn cores() -> usize {
    thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(WORKERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(values: &[(&str, &str)]) -> Layer {
        let values = values
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Layer {
            values: values.collect(),
            set: BTreeMap::new(),
        }
    }

    fn toml(text: &str) -> Result<Layer, Error> {
        Layer::from_toml(Path::new("t.toml"), text)
    }

    #[test]
    fn the_first_layer_that_has_a_key_wins() {
        let flag = layer(&[("grace", "1s")]);
        let variable = layer(&[("grace", "2s"), ("workers", "2")]);
        let file = layer(&[("grace", "3s"), ("workers", "3"), ("memory", "3")]);
        let settings = Settings::resolve(&flag, &variable, &file).unwrap();
        assert_eq!(settings.grace, Duration::from_secs(1));
        assert_eq!(settings.workers, 2);
        assert_eq!(settings.memory_bytes, Some(3));
        assert_eq!(settings.listen, Listen::Default);
    }

    #[test]
    fn every_key_goes_through_all_layers() {
        let samples = [
            ("data-dir", "a", "b"),
            ("format", "json", "csv"),
            ("grace", "1s", "2s"),
            ("listen", "127.0.0.1:1", "127.0.0.1:2"),
            ("log", "debug", "warn"),
            ("memory", "1mb", "2mb"),
            ("workers", "1", "2"),
        ];
        assert_eq!(samples.map(|(key, ..)| key), KEYS);
        let none = Layer::default();
        for (key, first, second) in samples {
            let (first, second) = (layer(&[(key, first)]), layer(&[(key, second)]));
            let of =
                |flags, environment, file| Settings::resolve(flags, environment, file).unwrap();
            let (want, other) = (of(&first, &none, &none), of(&second, &none, &none));
            assert_ne!(want, other, "{key}");
            assert_ne!(want, of(&none, &none, &none), "{key}");
            assert_eq!(of(&first, &second, &second), want, "{key}: flag");
            assert_eq!(of(&none, &first, &second), want, "{key}: environment");
            assert_eq!(of(&none, &none, &first), want, "{key}: file");
        }
    }

    #[test]
    fn an_error_says_where_the_value_stands() {
        let none = Layer::default();
        let bad = layer(&[("grace", "soon")]);
        let message = |flags, environment, file| {
            Settings::resolve(flags, environment, file)
                .unwrap_err()
                .to_string()
        };
        let tail = "'soon': expected a number and a unit such as 25s, 500 ms or 2 min";
        assert_eq!(
            message(&bad, &none, &none),
            format!("cannot use --grace {tail}")
        );
        assert_eq!(
            message(&none, &bad, &none),
            format!("cannot use THALWEG_GRACE {tail}")
        );
        assert_eq!(
            message(&none, &none, &bad),
            format!("cannot use 'grace' of the config file {tail}")
        );
    }

    #[test]
    fn variables_have_the_names_of_the_flags() {
        let layer = Layer::from_environment(&|name| match name {
            "THALWEG_DATA_DIR" => Some("x".to_owned()),
            "THALWEG_LISTEN" => Some(String::new()),
            _ => None,
        });
        assert_eq!(
            layer.values,
            BTreeMap::from([("data-dir".to_owned(), "x".to_owned())])
        );
    }

    #[test]
    fn a_config_file_gives_values_and_a_table_of_settings() {
        let layer = toml(
            "workers = 4\nlisten = '127.0.0.1:9'\n[set]\n\
             'execution.checkpointing.interval' = '10s'\n'pipeline.name' = 'x'\n",
        )
        .unwrap();
        assert_eq!(layer.values["workers"], "4");
        assert_eq!(layer.values["listen"], "127.0.0.1:9");
        assert_eq!(layer.set["execution.checkpointing.interval"], "10s");
        assert_eq!(layer.set["pipeline.name"], "x");
    }

    #[test]
    fn a_config_file_with_a_mistake_is_refused() {
        let check = |text: &str, expected: &str| {
            let message = toml(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        };
        check(
            "worker = 4",
            "unknown key 'worker' in the config file t.toml: did you mean 'workers'?",
        );
        check(
            "replication = 4",
            "'replication' in the config file t.toml: known are data-dir,",
        );
        check("workers = ", "line 1");
        check("workers = [1]", "'workers' is not a single value");
        check("set = 1", "'set' is not a table");
        check("[set]\na = []", "'set.a' is not a single value");
        check("[set.a]\nb = 1", "'set.a' is not a single value");
    }

    #[test]
    fn a_missing_config_file_is_named() {
        let error = Layer::from_file(Path::new("no/such.toml")).unwrap_err();
        assert!(error.to_string().contains("no/such.toml"), "{error}");
    }

    #[test]
    fn set_of_the_command_line_goes_over_that_of_the_file() {
        let flags = Layer::from_flags([], &["a=1".to_owned(), "b=x=y".to_owned()]).unwrap();
        let file = toml("[set]\na = 2\nc = true\n").unwrap();
        let set = Settings::resolve(&flags, &Layer::default(), &file)
            .unwrap()
            .set;
        let pairs: Vec<_> = set.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x=y"), ("c", "true")]);

        for bad in ["a", "=1", " =1"] {
            assert!(Layer::from_flags([], &[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(
                duration(text).ok(),
                millis.map(Duration::from_millis),
                "{text}"
            );
        };
        check("25s", Some(25_000));
        check(" 2 min ", Some(120_000));
        check("500ms", Some(500));
        check("0s", Some(0));
        check("1h", Some(3_600_000));
        check("1 d", Some(86_400_000));
        check("25", None);
        check("s", None);
        check("-1s", None);
        check("1.5s", None);
        check("18446744073709551615d", None);
        check("18446744073709551616s", None);
    }

    #[test]
    fn memory_sizes() {
        let check = |text: &str, bytes: Option<u64>| {
            assert_eq!(memory_size(text).ok(), bytes, "{text}");
        };
        check("1024", Some(1_024));
        check("1b", Some(1));
        check("2kb", Some(2_048));
        check("512MB", Some(512 << 20));
        check("4Gi", Some(4 << 30));
        check("2 GiB", Some(2 << 30));
        check("1t", Some(1 << 40));
        check("0", None);
        check("1.5gb", None);
        check("lots", None);
        check("18446744073709551615k", None);
    }

    #[test]
    fn numbers_of_workers() {
        for (text, expected) in [
            ("1", Some(1)),
            ("1024", Some(1_024)),
            ("0", None),
            ("1025", None),
            ("x", None),
        ] {
            assert_eq!(workers(text).ok(), expected, "{text}");
        }
    }
}
