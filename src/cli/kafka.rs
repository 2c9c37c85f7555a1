//! `thalweg kafka`: what jobs have in a cluster.

use std::io::{self, Write};

use serde_json::json;

use super::{Error, Result, terminal};
use crate::kafka::{self, Identity, NodeTransactions, Properties};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The transactions in which jobs write exactly once
    #[command(subcommand)]
    Transactions(Transactions),
}

#[derive(Debug, clap::Subcommand)]
pub enum Transactions {
    /// List the jobs that have committed any, and whether readers have to wait
    ///
    /// A job is found by its marker: the last checkpoint that a transaction has committed.
    /// Hidden are the records of the marker's topic behind a transaction that is open: readers of
    /// committed records do not see them. A running job always has one open. If records stay
    /// hidden and the job does not run, start it, or abort what it has left.
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        cluster: Cluster,
        /// List them as JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// End what a node of a job has left open
    ///
    /// Nothing is lost: what the transaction held belongs to a checkpoint that was not decided,
    /// and the job makes it again when it runs. A job that is running is shut out and starts anew
    /// from its last checkpoint.
    #[command(after_help = ABORT_EXAMPLES)]
    Abort {
        /// The transactional id, as the list has it
        #[arg(value_name = "TRANSACTIONAL-ID")]
        id: String,
        #[command(flatten)]
        cluster: Cluster,
    },
}

const LIST_EXAMPLES: &str = "\
Example:
  thalweg kafka transactions list --bootstrap-server kafka:9093 \\
    --property security.protocol=SASL_SSL --property sasl.mechanism=SCRAM-SHA-512 \\
    --property sasl.username=ops --property 'sasl.password=${env:KAFKA_PASSWORD}'";

const ABORT_EXAMPLES: &str = "\
Example:
  thalweg kafka transactions abort --bootstrap-server localhost:9092 \\
    thalweg.0193b0f2-7c1e-7a6b-9d54-6a2f6f3d1c11.node-0";

/// How to get to the brokers.
#[derive(Debug, clap::Args)]
pub struct Cluster {
    /// Brokers to begin with, separated by ','
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_server: String,
    /// A property of the client as tables have it behind 'properties.'; secrets are references
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
}

impl Cluster {
    fn properties(&self) -> Result<Properties> {
        let wrong =
            |error: &dyn std::fmt::Display| Error::Input(format!("cannot connect: {error}"));
        let mut properties = Properties::default();
        if self.bootstrap_server.trim().is_empty() {
            return Err(wrong(&"--bootstrap-server is empty; give HOST:PORT"));
        }
        let servers = properties.allow("bootstrap.servers", &self.bootstrap_server);
        servers.map_err(|error| wrong(&error))?;
        for given in &self.property {
            let (name, value) = given.split_once('=').ok_or_else(|| {
                wrong(&format!("--property '{given}' has not the form KEY=VALUE"))
            })?;
            properties
                .allow(name, value)
                .map_err(|error| wrong(&error))?;
        }
        properties.check().map_err(|error| wrong(&error))?;
        Ok(properties)
    }
}

pub fn run(command: &Command) -> Result<()> {
    let Command::Transactions(command) = command;
    let failed = |error: kafka::Error| Error::Job(error.to_string());
    match command {
        Transactions::List { cluster, json } => {
            let properties = cluster.properties()?;
            let found = kafka::job_transactions(&properties).map_err(failed)?;
            if found.is_empty() {
                terminal::tell("no job has committed a transaction here\n");
            }
            terminal::answer(|out| match json {
                true => list_json(&found, out),
                false => list(&found, out),
            })
        }
        Transactions::Abort { id, cluster } => {
            let properties = cluster.properties()?;
            let identity = Identity::of_transactional_id(id).ok_or_else(|| {
                Error::Input(format!(
                    "'{id}' is no transactional id of a job: these have the form thalweg.JOB.NODE, and \
                     'thalweg kafka transactions list' shows them; for others there is Kafka's own \
                     kafka-transactions.sh"
                ))
            })?;
            kafka::abort_transaction(&properties, &identity).map_err(failed)?;
            terminal::tell(&format!("nothing is open any more under {id}\n"));
            Ok(())
        }
    }
}

fn list(found: &[NodeTransactions], out: &mut dyn Write) -> io::Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["TRANSACTIONAL ID", "TOPIC", "CHECKPOINT", "HIDDEN"].map(str::to_owned)];
    rows.extend(found.iter().map(|one| {
        [
            one.identity.transactional_id(),
            one.topic.clone(),
            one.marker.checkpoint.to_string(),
            one.hidden_records.to_string(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [id, topic, checkpoint] = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    for row in &rows {
        writeln!(
            out,
            "{:id$}  {:topic$}  {:>checkpoint$}  {:>6}",
            row[0], row[1], row[2], row[3]
        )?;
    }
    Ok(())
}

fn list_json(found: &[NodeTransactions], out: &mut dyn Write) -> io::Result<()> {
    for one in found {
        let line = json!({
            "transactional_id": one.identity.transactional_id(),
            "job": one.identity.job,
            "node": one.identity.node,
            "topic": one.topic,
            "checkpoint": one.marker.checkpoint,
            "claim": one.marker.claim.to_string(),
            "hidden_records": one.hidden_records,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
