-- Histories of series for charts. Nothing here changes anything.

-- name: series
-- One series with what it belongs to; the kind of its asset is for the rule of visibility.
SELECT s.series_id AS id, s.device_id AS device, s.metric, m.unit, a.asset_id AS asset, a.kind AS asset_kind,
       a.name AS asset_name, d.report_interval_s
  FROM series s JOIN devices d USING (device_id) JOIN assets a USING (asset_id) JOIN metrics m USING (metric)
 WHERE s.series_id = %(series)s AND a.kind <> ALL(%(hidden)s)

-- name: siblings
-- The series of the same device.
SELECT series_id AS id, metric FROM series WHERE device_id = %(device)s AND NOT retired ORDER BY metric

-- name: reach
-- When a series begins and ends: by its first reading, or by its first day where raw rows have gone.
SELECT CASE WHEN raw.first < day.first + interval '25 hours' OR day.first IS NULL THEN raw.first ELSE day.first END
           AS first,
       coalesce(raw.last, day.last + interval '1 day') AS last
  FROM (SELECT min(observed_at) AS first, max(observed_at) AS last FROM readings WHERE series_id = %(series)s) raw,
       (SELECT min(bucket) AS first, max(bucket) AS last FROM readings_day_rollup WHERE series_id = %(series)s) day

-- name: points_raw
SELECT observed_at AS at, 1 AS n, value AS mean, value AS minimum, value AS maximum
  FROM readings WHERE series_id = %(series)s AND observed_at >= %(since)s AND observed_at < %(until)s
 ORDER BY observed_at LIMIT %(limit)s

-- name: points_hour
-- Hours of the city, several together where there are more than the chart has room for. The latest ones, which are not
-- rolled up yet, are made of their readings.
SELECT min(bucket) AS at, sum(n)::bigint AS n, sum(sum) / sum(n) AS mean, min(minimum) AS minimum, max(maximum) AS maximum
  FROM (SELECT bucket, n, sum, minimum, maximum FROM readings_hour_rollup
         WHERE series_id = %(series)s AND bucket >= %(since)s AND bucket < %(until)s
         UNION ALL
        SELECT date_bin('1 hour', observed_at, 'epoch') AS bucket, count(*), sum(value), min(value), max(value)
          FROM readings
         WHERE series_id = %(series)s AND observed_at < %(until)s
           AND observed_at >= greatest(%(until)s - interval '3 days', coalesce(
               (SELECT max(bucket) + interval '1 hour' FROM readings_hour_rollup
                 WHERE series_id = %(series)s AND bucket >= %(since)s AND bucket < %(until)s), %(since)s))
         GROUP BY 1) AS hours
 GROUP BY date_bin(%(step)s, bucket, %(origin)s) ORDER BY 1 LIMIT %(limit)s

-- name: points_day
-- Days of the city, several together where there are more than the chart has room for.
SELECT min(bucket) AS at, sum(n)::bigint AS n, sum(sum) / sum(n) AS mean, min(minimum) AS minimum, max(maximum) AS maximum
  FROM readings_day_rollup
 WHERE series_id = %(series)s AND bucket >= %(since)s AND bucket < %(until)s
 GROUP BY date_bin(%(step)s, bucket, %(origin)s) ORDER BY 1 LIMIT %(limit)s

-- name: latest_of
-- The latest raw values of several series, of each at most `limit`, oldest first.
SELECT wanted.id AS series, newest.observed_at, newest.value
  FROM unnest(%(series)s::integer[]) AS wanted (id)
 CROSS JOIN LATERAL (
       SELECT observed_at, value FROM readings WHERE series_id = wanted.id
        ORDER BY observed_at DESC LIMIT %(limit)s) newest
 ORDER BY wanted.id, newest.observed_at
