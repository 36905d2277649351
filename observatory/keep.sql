-- Keeps the figures that come from telemetry: of each full hour, two sums a figure and district.

-- name: alone
-- One process counts at a time; the others try at their next round.
SELECT pg_try_advisory_xact_lock(hashtext('citynerve.figures'))

-- name: take_hour
-- The newest hour that has ended and whose rollups changed. Marks that come later are counted again. An hour that the clock
-- has passed and the store has not, in any partition, is half there; so is one whose rollups have still to follow.
WITH stored AS (
    SELECT CASE WHEN bool_and(ticked_at IS NOT NULL) THEN min(ticked_at) END AS until
      FROM checkpoints WHERE worker_group = 'store' AND topic = 'readings'
)
DELETE FROM rollups_refreshed
 WHERE hour = (SELECT max(r.hour) FROM rollups_refreshed AS r, stored AS s
                WHERE r.hour <= %(ended)s AND r.hour >= %(reach)s AND r.hour <= s.until - interval '1 hour'
                  AND NOT EXISTS (SELECT FROM rollups_touched AS t, readings_layout AS l
                                   WHERE t.hour = r.hour AND t.hour >= l.raw_since))
RETURNING hour

-- name: forget_old
-- Back-logs from before the reach change no figure any more.
DELETE FROM rollups_refreshed WHERE hour < %(reach)s

-- name: schedules
SELECT coalesce(pack -> 'schedules', '[]') FROM installation

-- name: clear_hour
DELETE FROM figures_hour WHERE hour = %(hour)s

-- name: count_hour
-- Series by series through the key of the rollups, so that it costs the same however long the history is.
WITH told AS MATERIALIZED (
    SELECT a.asset_id, a.kind, coalesce(a.district_id, '') AS district_id, s.metric, h.n, h.mean, h.minimum,
           (a.attributes ->> 'rated_w')::double precision AS rated_w, d.report_interval_s,
           f.attributes ->> 'switching' = 'switched' AS switched,
           f.attributes ->> 'schedule_id' = ANY(%(burning)s) AS scheduled
      FROM assets a
      JOIN devices d USING (asset_id)
      JOIN series s USING (device_id)
      LEFT JOIN assets f ON f.asset_id = a.parent_id
      LEFT JOIN LATERAL (
           SELECT r.n, r.mean, r.minimum FROM readings_hourly r
            WHERE r.series_id = s.series_id AND r.bucket = %(hour)s OFFSET 0) h ON true
     WHERE a.kind IN ('lamp', 'facility') AND NOT a.retired AND NOT d.retired AND NOT s.retired
), lamps AS (
    SELECT district_id, max(mean) FILTER (WHERE metric = 'active_power_w') AS power_w, max(rated_w) AS rated_w,
           coalesce(min(minimum) FILTER (WHERE metric = 'dimming_level_pct') > 0, bool_or(scheduled), false) AS commanded,
           coalesce(max(mean) FILTER (WHERE metric = 'dimming_level_pct'), 100) AS level_pct
      FROM told WHERE kind = 'lamp' GROUP BY asset_id, district_id
), facilities AS (
    SELECT district_id, max(mean) FILTER (WHERE metric = 'co2_ppm') AS co2_ppm,
           max(mean) FILTER (WHERE metric = 'active_power_w') AS power_w
      FROM told WHERE kind = 'facility' GROUP BY asset_id, district_id
), counted AS (
    SELECT 'lamps-lit' AS figure, district_id,
           count(*) FILTER (WHERE commanded AND power_w >= %(lit_share)s * rated_w * level_pct / 100) AS part,
           count(*) FILTER (WHERE commanded) AS whole
      FROM lamps WHERE power_w IS NOT NULL GROUP BY district_id
    UNION ALL
    SELECT 'lighting-energy', district_id, sum(power_w) / 1000, count(*)
      FROM lamps WHERE power_w IS NOT NULL GROUP BY district_id
    UNION ALL
    -- A device that reports more often than it must makes up for no other; one that reports less than hourly has no due hour.
    SELECT 'readings-heard', district_id,
           sum(least(coalesce(n, 0), 3600.0 / report_interval_s)) FILTER (WHERE due),
           coalesce(sum(3600.0 / report_interval_s) FILTER (WHERE due), 0)
      FROM told, LATERAL (SELECT switched IS NOT TRUE OR scheduled IS TRUE AS due) d
     WHERE report_interval_s <= 3600 GROUP BY district_id
    UNION ALL
    SELECT 'facility-air', district_id, count(*) FILTER (WHERE co2_ppm <= %(co2_ppm)s), count(*)
      FROM facilities WHERE co2_ppm IS NOT NULL GROUP BY district_id
    UNION ALL
    SELECT 'facility-energy', district_id, sum(power_w) / 1000, count(*)
      FROM facilities WHERE power_w IS NOT NULL GROUP BY district_id
)
INSERT INTO figures_hour (figure, hour, district_id, part, whole)
SELECT figure, %(hour)s, district_id, part, whole FROM counted
