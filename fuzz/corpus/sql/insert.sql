CREATE TABLE a (id BIGINT NOT NULL, name STRING, price DECIMAL(10, 2), at TIMESTAMP(3),
  doubled AS price * 2, WATERMARK FOR at AS at - INTERVAL '5' SECOND,
  PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${INPUT:-in}', 'format' = 'json');
CREATE TEMPORARY TABLE b WITH ('connector' = 'blackhole') LIKE a (EXCLUDING ALL);
CREATE VIEW v AS SELECT id, UPPER(name) AS name, CAST(price AS DOUBLE) AS price FROM a WHERE price > 1.5;
SET 'execution.checkpointing.interval' = '10 s';
INSERT INTO b SELECT * FROM a UNION ALL SELECT * FROM a;
