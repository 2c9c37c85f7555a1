CREATE TABLE bid (
  auction BIGINT, bidder BIGINT NOT NULL, price INT, channel STRING,
  cost DECIMAL(10, 2), weight DOUBLE, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'datagen');
CREATE TABLE computed (
  millis BIGINT NOT NULL, name STRING,
  doubled AS millis * 2,
  ts AS CAST(name AS TIMESTAMP(3)),
  WATERMARK FOR ts AS ts
) WITH ('connector' = 'datagen');
CREATE TABLE plain (a INT, b BIGINT, s STRING, t TIMESTAMP(3)) WITH ('connector' = 'datagen');
CREATE TABLE sink (a BIGINT, s STRING) WITH ('connector' = 'blackhole');
CREATE TABLE strict (id BIGINT NOT NULL, d DECIMAL(10, 2), PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'blackhole');
CREATE TABLE windows (s TIMESTAMP(3), e TIMESTAMP(3), n BIGINT) WITH ('connector' = 'blackhole');
CREATE VIEW cheap AS SELECT auction, price, ts FROM bid WHERE price < 100;
CREATE TABLE kinds (
  flag BOOLEAN, ratio FLOAT, total DOUBLE, num INT, amount DECIMAL(38, 20), name STRING,
  at TIMESTAMP(3), WATERMARK FOR at AS at
) WITH ('connector' = 'datagen');
CREATE TABLE nexmark (
  event_type INT,
  person ROW<id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR,
    state VARCHAR, dateTime TIMESTAMP(3), extra VARCHAR>,
  auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT,
    dateTime TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
    dateTime TIMESTAMP(3), extra VARCHAR>,
  dateTime AS CASE WHEN event_type = 0 THEN person.dateTime
    WHEN event_type = 1 THEN auction.dateTime ELSE bid.dateTime END,
  WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
) WITH ('connector' = 'nexmark');
CREATE VIEW nexmark_bids AS
SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, dateTime, bid.extra
FROM nexmark WHERE event_type = 2;
CREATE VIEW auction AS SELECT auction.id, auction.seller, auction, bid FROM nexmark;
CREATE TABLE nested (
  id INT NOT NULL,
  r ROW<a INT NOT NULL 'a number', b ROW(c STRING, d ARRAY<INT>), `two words` STRING> NOT NULL,
  l ARRAY<ROW<x INT, y STRING NOT NULL>>,
  m MAP<STRING, ROW<v DOUBLE>>,
  k MAP<INT NOT NULL, STRING>,
  ll INT ARRAY ARRAY,
  inner_row AS r.b
) WITH ('connector' = 'filesystem');
CREATE TABLE nested_sink (r ROW<a INT, b ROW<c STRING, d ARRAY<INT>>, `two words` STRING>, l ARRAY<ROW<x INT, y STRING>>) WITH ('connector' = 'blackhole');
CREATE TABLE topic (
  id BIGINT, `offset` BIGINT METADATA VIRTUAL, at TIMESTAMP(3) METADATA FROM 'timestamp',
  name STRING, late AS at + INTERVAL '1' HOUR, headers MAP<STRING, BYTES> METADATA,
  WATERMARK FOR at AS at - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka');
CREATE TABLE instants (
  id BIGINT, at TIMESTAMP_LTZ(3), fine TIMESTAMP(9) WITH LOCAL TIME ZONE, local TIMESTAMP(3),
  passed AS PROCTIME(), WATERMARK FOR at AS at - INTERVAL '5' SECOND
) WITH ('connector' = 'datagen');
CREATE TABLE late (channel STRING, auction DECIMAL(20, 0), ts TIMESTAMP(3)) WITH ('connector' = 'blackhole');
