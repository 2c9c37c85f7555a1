//! Files in a directory: read once or followed as they grow, and written as
//! part files that appear whole or not at all.
//!
//! *Identity*: a followed file is known by its inode and the hash of its first
//! bytes, never by its name alone, so that a rotated file is read on and a new
//! file under the old name is read from its start. The device's number is no part
//! of it: it changes when a volume is mounted again.
//!
//! *Visibility*: a part file is written under a hidden name, its rows belong to a
//! checkpoint once it is prepared, and it gets its visible name only after that
//! checkpoint is decided. A reader may trust every name without a leading dot.

use super::{Descriptor, JobContext, OptionDefault, OptionDoc, OptionError, TableOptions};
use crate::formats;

mod committer;
mod enumerator;
mod identity;
mod metadata;
mod open_file;
mod options;
mod parallel;
mod part;
mod partitioned_sink;
mod partitions;
mod reader;
mod record_window;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub(super) use sink::sink;
pub(super) use source::source;

/// An option and its default, as the descriptor lists them.
const fn option(key: &'static str, default: OptionDefault, doc: &'static str) -> OptionDoc {
    OptionDoc { key, default, doc }
}

pub(super) static DESCRIPTOR: Descriptor = Descriptor {
    name: "filesystem",
    purpose: "Reads the files of a directory, once or as they grow, and writes part files.",
    source: Some(
        "Exactly once while the files survive: positions are kept with the checkpoint, a rotated \
         file is read on, a truncated one is noticed.",
    ),
    sink: Some(
        "Exactly once: a part file appears under its name only after the checkpoint that its rows \
         belong to is decided, and then whole.",
    ),
    options: &[
        option(
            "path",
            OptionDefault::Required,
            "The directory, or for a source also one file.",
        ),
        option(
            "format",
            OptionDefault::Required,
            "How rows are written: 'json', 'csv' or 'raw', a line each.",
        ),
        option(
            "partition.default-name",
            OptionDefault::Value(partitions::DEFAULT_NAME_VALUE),
            "With PARTITIONED BY: the value in the name of a directory for rows without one.",
        ),
        option(
            "source.monitor-interval",
            OptionDefault::Off,
            "How often to look for new files. If it is given the source never ends and follows files as they grow; else it reads what is there and ends.",
        ),
        option(
            "source.path.regex-pattern",
            OptionDefault::Off,
            "Only files whose whole absolute path matches are read.",
        ),
        option(
            "source.files-in-time-order",
            OptionDefault::Off,
            "Whether later files hold only later rows, so that files not yet started do not hold the watermark back. On by itself when files are followed.",
        ),
        option(
            "source.on-truncation",
            OptionDefault::Value("fail"),
            "What to do when a followed file has become shorter: 'fail', or 'restart' to read what comes as a new file.",
        ),
        option(
            "source.block-size",
            OptionDefault::Value("4mb"),
            "How much of a file is read at a time, at most.",
        ),
        option(
            "sink.rolling-policy.file-size",
            OptionDefault::Value("128MB"),
            "A part file that has reached this size is closed.",
        ),
        option(
            "sink.rolling-policy.rollover-interval",
            OptionDefault::Value("30 min"),
            "A part file that has been open this long is closed at the next checkpoint.",
        ),
        option(
            "sink.rolling-policy.inactivity-interval",
            OptionDefault::Value("30 min"),
            "A part file without new rows for this long is closed at the next checkpoint.",
        ),
        option(
            "sink.rolling-policy.check-interval",
            OptionDefault::Value("1 min"),
            "Taken for Flink's sake; the intervals are checked at every checkpoint.",
        ),
    ],
    metadata: metadata::DOCS,
    formats: &formats::OF_LINES,
    example: "CREATE TABLE requests (host STRING, at TIMESTAMP(3), status INT,\n  \
              WATERMARK FOR at AS at - INTERVAL '5' SECOND)\n\
              WITH ('connector' = 'filesystem', 'path' = 'logs', 'format' = 'json',\n      \
              'source.monitor-interval' = '1 s');",
};
