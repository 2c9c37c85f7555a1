CREATE TABLE a (k INT, v DOUBLE, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'datagen');
SELECT k, window_start, COUNT(*), COUNT(v), SUM(v), AVG(v), MIN(v), MAX(v)
FROM TABLE(HOP(TABLE a, DESCRIPTOR(at), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE))
GROUP BY k, window_start, window_end HAVING COUNT(*) > 1;
