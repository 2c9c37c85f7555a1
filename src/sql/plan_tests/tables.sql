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
