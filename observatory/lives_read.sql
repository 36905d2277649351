-- What is known of the lives of lamps.

-- name: settings
SELECT nullif(pack -> 'relamping', 'null') FROM installation

-- name: lamps
-- Lamps whose hours of burning are counted, with the first and the last day that was counted, and their switch-ons.
WITH counted AS (
    SELECT d.asset_id, min(s.series_id) FILTER (WHERE s.metric = 'operating_hours_h') AS hours,
           min(s.series_id) FILTER (WHERE s.metric = 'switch_on_count') AS switches
      FROM devices d JOIN series s USING (device_id)
     WHERE NOT d.retired AND NOT s.retired AND s.metric IN ('operating_hours_h', 'switch_on_count') GROUP BY d.asset_id
)
SELECT a.asset_id, coalesce(a.district_id, ''), coalesce(a.attributes ->> 'lamp_type', ''), first.bucket, first.minimum,
       last.bucket, last.maximum, begun.minimum, ended.maximum
  FROM counted c
  JOIN assets a USING (asset_id)
  CROSS JOIN LATERAL (SELECT r.bucket, r.minimum FROM readings_daily r WHERE r.series_id = c.hours
                       ORDER BY r.bucket LIMIT 1) first
  CROSS JOIN LATERAL (SELECT r.bucket, r.maximum FROM readings_daily r WHERE r.series_id = c.hours
                       ORDER BY r.bucket DESC LIMIT 1) last
  LEFT JOIN LATERAL (SELECT r.minimum FROM readings_daily r WHERE r.series_id = c.switches
                      ORDER BY r.bucket LIMIT 1) begun ON true
  LEFT JOIN LATERAL (SELECT r.maximum FROM readings_daily r WHERE r.series_id = c.switches
                      ORDER BY r.bucket DESC LIMIT 1) ended ON true
 WHERE a.kind = 'lamp' AND NOT a.retired
 ORDER BY a.asset_id

-- name: alarms
-- Failures of lamps, and what goes before them: alarms of their own that nobody found false, and no works.
SELECT m.scope_id, m.fault, m.raised_at, m.cleared_at FROM alarms m
  LEFT JOIN LATERAL (SELECT finding FROM standing_verdicts s WHERE s.alarm_id = m.alarm_id OFFSET 0) v ON true
 WHERE m.scope_kind = 'lamp' AND m.fault = ANY(%(faults)s) AND m.parent_id IS NULL AND m.held_by IS NULL
   AND v.finding IS DISTINCT FROM 'false' AND v.finding IS DISTINCT FROM 'other'
 ORDER BY m.scope_id, m.raised_at, m.alarm_id
