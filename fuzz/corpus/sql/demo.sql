-- Page views as they might come from a web shop: some thousands a second, made
-- up by the generator, counted and summed in windows of two seconds of event
-- time. A window's rows are printed when the watermark has passed its end.

SET 'pipeline.name' = 'demo';

CREATE TABLE page_views (
  page_id INT,
  user_id INT,
  cents INT,
  viewed_at TIMESTAMP(3),
  page AS CASE page_id
    WHEN 1 THEN 'home'
    WHEN 2 THEN 'search'
    WHEN 3 THEN 'basket'
    ELSE 'checkout'
  END,
  WATERMARK FOR viewed_at AS viewed_at - INTERVAL '1' SECOND
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '5000',
  'fields.page_id.min' = '1',
  'fields.page_id.max' = '4',
  'fields.user_id.min' = '1',
  'fields.user_id.max' = '100000',
  'fields.cents.min' = '0',
  'fields.cents.max' = '9999'
);

SELECT
  window_start,
  window_end,
  page,
  COUNT(*) AS views,
  SUM(cents) AS cents,
  MAX(user_id) AS last_user
FROM TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(viewed_at), INTERVAL '2' SECOND))
GROUP BY window_start, window_end, page;
