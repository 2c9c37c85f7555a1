//! `thalweg connectors`: which ends there are, and how each is used.

use std::io::{self, Write};

use super::{Error, Result, terminal};
use crate::connectors::{Descriptor, OptionDefault, OptionDoc, descriptors};
use crate::formats::{self, nearest};
use crate::pipeline::SOURCE_OPTIONS;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List all connectors
    List,
    /// Show one connector: its options, guarantees and an example
    Show {
        /// Its name, as in 'connector' = 'NAME'
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::List => terminal::answer(|out| list(out)),
        Command::Show { name } => {
            let descriptor = find(name)?;
            terminal::answer(|out| show(descriptor, out))
        }
    }
}

fn find(name: &str) -> Result<&'static Descriptor> {
    let mut all = descriptors();
    all.find(|descriptor| descriptor.name == name)
        .ok_or_else(|| {
            let names = || descriptors().map(|descriptor| descriptor.name);
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
            };
            Error::Input(format!("unknown connector '{name}': {hint}"))
        })
}

fn list(out: &mut dyn Write) -> io::Result<()> {
    let names = descriptors().map(|descriptor| descriptor.name.len());
    let width = names.max().unwrap_or(0);
    for descriptor in descriptors() {
        let ends = match (descriptor.source, descriptor.sink) {
            (Some(_), Some(_)) => "source, sink",
            (Some(_), None) => "source",
            (None, _) => "sink",
        };
        let (name, purpose) = (descriptor.name, descriptor.purpose);
        writeln!(out, "{name:width$}  {ends:12}  {purpose}")?;
    }
    Ok(())
}

fn show(descriptor: &Descriptor, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}\n", descriptor.name, descriptor.purpose)?;
    for (end, guarantee) in [("source", descriptor.source), ("sink", descriptor.sink)] {
        if let Some(guarantee) = guarantee {
            writeln!(out, "as a {end}: {guarantee}")?;
        }
    }
    if !descriptor.formats.is_empty() {
        writeln!(out, "needs a 'format': {}", descriptor.formats.join(", "))?;
    }
    show_options("Options", descriptor.options, out)?;
    if descriptor.source.is_some() {
        show_options("Options of every source", SOURCE_OPTIONS, out)?;
    }
    for format in descriptor.formats {
        let title = format!("Options with 'format' = '{format}'");
        show_options(&title, formats::docs(format), out)?;
    }
    if !descriptor.metadata.is_empty() {
        writeln!(out, "\nColumns declared METADATA FROM:")?;
    }
    for metadata in descriptor.metadata {
        let (key, data_type) = (metadata.key, metadata.data_type);
        let writable = if metadata.is_writable { "" } else { " VIRTUAL" };
        writeln!(
            out,
            "  '{key}'{writable} ({data_type})\n      {}",
            metadata.doc
        )?;
    }
    writeln!(out, "\nExample:\n{}", descriptor.example.trim_end())
}

fn show_options(title: &str, options: &[OptionDoc], out: &mut dyn Write) -> io::Result<()> {
    if !options.is_empty() {
        writeln!(out, "\n{title}:")?;
    }
    for option in options {
        let default = match option.default {
            OptionDefault::Required => "required".to_owned(),
            OptionDefault::Off => "off".to_owned(),
            OptionDefault::Value(value) => format!("default '{value}'"),
        };
        writeln!(out, "  '{}' ({default})\n      {}", option.key, option.doc)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_connector_is_listed_and_shown_with_all_its_options() {
        let listed = text(|out| list(out));
        for descriptor in descriptors() {
            let line = listed
                .lines()
                .find(|line| line.starts_with(descriptor.name));
            assert!(line.unwrap().ends_with(descriptor.purpose), "{listed}");
            let shown = text(|out| show(descriptor, out));
            assert!(shown.contains(descriptor.example.trim_end()), "{shown}");
            let of_formats = descriptor.formats.iter().copied().flat_map(formats::docs);
            for option in descriptor.options.iter().chain(of_formats) {
                assert!(shown.contains(&format!("  '{}' (", option.key)), "{shown}");
                assert!(shown.contains(option.doc), "{shown}");
            }
            for metadata in descriptor.metadata {
                assert!(shown.contains(metadata.doc), "{shown}");
            }
        }
    }

    #[test]
    fn a_misspelt_name_is_helped() {
        let message = |name| find(name).unwrap_err().to_string();
        assert_eq!(
            message("pint"),
            "unknown connector 'pint': did you mean 'print'?"
        );
        assert!(
            message("carrier-pigeon").contains("there are datagen, nexmark, values, filesystem,")
        );
    }
}
