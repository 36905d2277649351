-- What lamps lost by their faults.

-- name: settings
-- Schedules, rules and the tariff of the city.
SELECT coalesce(pack -> 'schedules', '[]'), coalesce(pack -> 'rules', '{}'), nullif(pack -> 'tariff', 'null')
  FROM installation

-- name: claims
-- Each lamp that an alarm of the time speaks of: the alarm's own, those of its feeder or cabinet, or of a feeder of which
-- a part is out those that it names. An alarm that people found false claims nothing, nor does one during works.
WITH told AS MATERIALIZED (
    SELECT m.alarm_id, m.fault, m.scope_kind, m.scope_id, m.raised_at, m.cleared_at, m.children,
           m.fault IN ('circuitBreakerTripped', 'cableTheft') AND m.children <> '[]' AS in_part,
           CASE WHEN m.scope_kind = 'lamp' AND m.evidence ->> 'unit' = 'W'
                THEN (m.evidence ->> 'observed')::double precision END AS observed_w,
           CASE WHEN m.scope_kind = 'lamp' AND m.fault = 'lampPowerTooHigh' AND e.observed > e.expected AND e.expected > 0
                THEN 1 - e.expected / e.observed END AS excess
      FROM alarms m
     CROSS JOIN LATERAL (SELECT (m.evidence ->> 'observed')::double precision AS observed,
                                (m.evidence ->> 'expected')::double precision AS expected OFFSET 0) e
      LEFT JOIN LATERAL (SELECT finding FROM standing_verdicts s WHERE s.alarm_id = m.alarm_id OFFSET 0) v ON true
     WHERE m.fault = ANY(%(faults)s) AND m.raised_at < %(until)s AND (m.cleared_at IS NULL OR m.cleared_at > %(since)s)
       AND v.finding IS DISTINCT FROM 'false' AND m.held_by IS NULL AND m.scope_kind <> ALL(%(hidden)s)
       AND (%(lamp)s::text IS NULL OR m.scope_id = ANY(ARRAY(
            SELECT unnest(ARRAY[a.asset_id, a.parent_id, a.root_id]) FROM assets a WHERE a.asset_id = %(lamp)s)))
), lamps AS (
    SELECT t.*, t.scope_id AS lamp_id FROM told t WHERE t.scope_kind = 'lamp'
    UNION ALL
    SELECT t.*, l.asset_id FROM told t JOIN assets l ON l.parent_id = t.scope_id AND l.kind = 'lamp'
     WHERE t.scope_kind = 'feeder' AND NOT t.in_part
    UNION ALL
    SELECT t.*, l.asset_id FROM told t JOIN assets f ON f.parent_id = t.scope_id AND f.kind = 'feeder'
      JOIN assets l ON l.parent_id = f.asset_id AND l.kind = 'lamp'
     WHERE t.scope_kind = 'cabinet' AND NOT t.in_part
    UNION ALL
    SELECT t.*, c.name FROM told t CROSS JOIN LATERAL jsonb_array_elements_text(t.children) AS c (name)
     WHERE t.scope_kind <> 'lamp' AND t.in_part
)
SELECT t.fault, t.raised_at, t.cleared_at, t.observed_w, t.excess, a.asset_id, coalesce(a.district_id, ''),
       (a.attributes ->> 'rated_w')::double precision, f.attributes ->> 'schedule_id',
       (SELECT s.series_id FROM devices d JOIN series s USING (device_id)
         WHERE d.asset_id = a.asset_id AND s.metric = 'active_power_w' AND NOT d.retired AND NOT s.retired
         ORDER BY s.series_id LIMIT 1)
  FROM lamps t
  JOIN assets a ON a.asset_id = t.lamp_id AND a.kind = 'lamp' AND NOT a.retired
  JOIN assets f ON f.asset_id = a.parent_id
 WHERE (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(lamp)s::text IS NULL OR a.asset_id = %(lamp)s)
 ORDER BY a.asset_id, t.raised_at, t.alarm_id

-- name: hours
SELECT series_id, bucket, mean, minimum FROM readings_hourly
 WHERE series_id = ANY(%(series)s) AND bucket >= %(since)s AND bucket < %(until)s
