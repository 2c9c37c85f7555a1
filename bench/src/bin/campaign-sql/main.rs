//! Writes queries by chance, with rows to run them over: goldens without outputs, which
//! Flink is to put in (`scripts/oracle queries`). `scripts/campaign-sql` then plays them.
//!
//! The queries stay inside of what both engines define in full: no order among rows
//! that has to be guessed, no sums of fractions that depend on one, no overflow.

mod aggregate;
mod expression;
mod query;
mod rows;

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

/// Writes queries by chance as goldens without outputs.
#[derive(Parser)]
struct Options {
    /// How many.
    #[arg(long, default_value_t = 100)]
    queries: u64,
    /// The seed of the first; each of the others has the next.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to: `SEED.test` each.
    directory: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let directory = &options.directory;
    fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    for seed in options.seed..options.seed + options.queries {
        let path = directory.join(format!("{seed:06}.test"));
        fs::write(&path, golden(seed)).with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// The golden of a seed, without its outputs.
fn golden(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    // What depends on the order of rows needs one.
    let splits = if random.u8(..3) == 0 {
        random.u8(2..4)
    } else {
        1
    };
    let program = query::program(&mut random, splits == 1);
    let inputs = ["t", "u"].map(|table| {
        let rows = rows::of_table(&mut random, splits);
        if program.contains(&format!("CREATE TABLE {table} ")) {
            format!("\ninput {table}\n{rows}")
        } else {
            String::new()
        }
    });
    format!("# Query {seed}\nstatement\n{program}{}", inputs.concat())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use thalweg::pipeline;
    use thalweg::sql::{SourceFile, render};

    /// Queries that are tried; a campaign finds what is wrong with more.
    const QUERIES: u64 = 300;

    #[test]
    fn every_query_can_be_planned() {
        for seed in 0..QUERIES {
            let golden = super::golden(seed);
            let program = golden.split("\ninput ").next().unwrap_or_default();
            let (_, program) = program.split_once("statement\n").unwrap_or_default();
            let (others, sink) = program.split_once("CREATE TABLE sink").unwrap_or_default();
            let text = [others, "CREATE TABLE sink", sink].concat();
            let text = text.replace("'script'", "'print'");
            let text = text.replacen("'print'", "'datagen'", others.matches("'script'").count());
            let file = SourceFile {
                name: format!("{seed}.sql"),
                text,
            };
            let files = [file];
            if let Err(errors) = pipeline::compile(&files, &BTreeMap::new()) {
                panic!("{}", render(&errors, &files));
            }
        }
    }

    #[test]
    fn a_seed_repeats_a_query() {
        assert_eq!(super::golden(7), super::golden(7));
        assert_ne!(super::golden(7), super::golden(8));
    }
}
