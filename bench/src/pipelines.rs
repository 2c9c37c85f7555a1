//! The pipelines whose throughput is measured, as data.

/// A pipeline, what it reads, and how fast it has to be.
#[derive(Debug)]
pub struct Pipeline {
    /// Its name on the command line and in the results.
    pub name: &'static str,
    /// What it reads.
    pub input: Input,
    /// What it does with the table `bid`. `{output}` is an empty folder.
    pub program: &'static str,
    /// How fast it must be.
    pub target: Target,
}

/// How fast a pipeline must be.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// Events per CPU-second.
    EventsPerCore(f64),
    /// A share of the events per CPU-second that the generator makes without an engine
    /// behind it, all columns of a bid.
    ShareOfSource(f64),
}

/// What a pipeline reads.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// A file of flat bids on so many auctions.
    File {
        /// How many auctions.
        auctions: u64,
    },
    /// Bids that the `nexmark` source makes; the other events are left out, but count.
    Generator,
}

/// The pipelines.
pub const PIPELINES: &[Pipeline] = &[
    Pipeline {
        name: "json-q1",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE nowhere (auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING)
                  WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT auction, bidder, 0.908 * price, `dateTime`, extra FROM bid;",
        target: Target::EventsPerCore(4e6),
    },
    Pipeline {
        name: "json-q2",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE nowhere (auction BIGINT, price BIGINT) WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;",
        target: Target::EventsPerCore(4e6),
    },
    Pipeline {
        name: "json-tumble-10k",
        input: Input::File { auctions: 10_000 },
        program: TUMBLE,
        target: Target::EventsPerCore(4.5e6),
    },
    Pipeline {
        name: "json-tumble-1m",
        input: Input::File { auctions: 1_000_000 },
        program: TUMBLE,
        target: Target::EventsPerCore(2e6),
    },
    Pipeline {
        name: "json-hop-10k",
        input: Input::File { auctions: 10_000 },
        program: HOP,
        target: Target::EventsPerCore(3.5e6),
    },
    Pipeline {
        name: "json-updating-10k",
        input: Input::File { auctions: 10_000 },
        program: UPDATING,
        target: Target::EventsPerCore(3e6),
    },
    Pipeline {
        name: "json-updating-1m",
        input: Input::File {
            auctions: 1_000_000,
        },
        program: UPDATING,
        target: Target::EventsPerCore(1e6),
    },
    Pipeline {
        name: "json-distinct-window",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE nowhere (start_at TIMESTAMP(3), bidders BIGINT) WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT window_start, COUNT(DISTINCT bidder)
                  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
                  GROUP BY window_start, window_end;",
        target: Target::EventsPerCore(3e6),
    },
    Pipeline {
        name: "json-cumulate-10k",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE nowhere (end_at TIMESTAMP(3), auction BIGINT, bids BIGINT) WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT window_end, auction, COUNT(*)
                  FROM TABLE(CUMULATE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND, INTERVAL '60' SECOND))
                  GROUP BY window_start, window_end, auction;",
        target: Target::EventsPerCore(3e6),
    },
    Pipeline {
        name: "json-session-10k",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE nowhere (auction BIGINT, start_at TIMESTAMP(3), bids BIGINT) WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT auction, window_start, COUNT(*)
                  FROM TABLE(SESSION(TABLE bid PARTITION BY auction, DESCRIPTOR(`dateTime`), INTERVAL '0.2' SECOND))
                  GROUP BY auction, window_start, window_end;",
        target: Target::EventsPerCore(1e6),
    },
    Pipeline {
        name: "json-to-json",
        input: Input::File { auctions: 10_000 },
        program: "CREATE TABLE copy (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING)
                  WITH ('connector' = 'filesystem', 'path' = '{output}', 'format' = 'json');
                  INSERT INTO copy SELECT * FROM bid;",
        target: Target::EventsPerCore(2e6),
    },
    Pipeline {
        name: "generator-all-columns",
        input: Input::Generator,
        program: "CREATE TABLE nowhere (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3), extra STRING)
                  WITH ('connector' = 'blackhole');
                  INSERT INTO nowhere SELECT * FROM bid;",
        target: Target::ShareOfSource(0.7),
    },
    Pipeline {
        name: "generator-tumble",
        input: Input::Generator,
        program: TUMBLE,
        target: Target::EventsPerCore(20e6),
    },
    Pipeline {
        name: "generator-hop",
        input: Input::Generator,
        program: HOP,
        target: Target::EventsPerCore(15e6),
    },
];

const TUMBLE: &str = "CREATE TABLE nowhere (start_at TIMESTAMP(3), auction BIGINT, bids BIGINT)
    WITH ('connector' = 'blackhole');
    INSERT INTO nowhere SELECT window_start, auction, COUNT(*)
    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, auction;";

const HOP: &str = "CREATE TABLE nowhere (start_at TIMESTAMP(3), auction BIGINT, bids BIGINT)
    WITH ('connector' = 'blackhole');
    INSERT INTO nowhere SELECT window_start, auction, COUNT(*)
    FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, auction;";

const UPDATING: &str =
    "CREATE TABLE nowhere (auction BIGINT, bids BIGINT) WITH ('connector' = 'blackhole');
    INSERT INTO nowhere SELECT auction, COUNT(*) FROM bid GROUP BY auction;";
