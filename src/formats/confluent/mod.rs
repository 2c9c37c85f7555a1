//! Records in Confluent's wire format: a zero, the id of a schema in a registry, and
//! what is written by that schema.

use super::{
    Decoder, Encoder, Fetch, FormatFactory, FormatRef, Framing, Limits, OptionDefault, OptionDoc,
    Options, RowError,
};

pub(super) mod avro;
mod header;
pub(super) mod json;
mod options;
pub(super) mod protobuf;
mod register;
#[cfg(test)]
mod tests;

use header::{HEADER_BYTES, Plans};
use options::{RegistryOptions, registry_docs};
use register::{RegisteredEncoder, Registration};
