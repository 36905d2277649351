-- What people found of alarms; of each alarm the latest verdict.

-- name: judged
-- The make is that of the device which the evidence names, else of the asset's first.
SELECT m.fault, coalesce(a.district_id, '') AS district, coalesce(d.profile_id, '') AS vendor, v.finding, count(*)
  FROM standing_verdicts v
  JOIN alarms m USING (alarm_id)
  LEFT JOIN assets a ON a.asset_id = m.scope_id
  LEFT JOIN LATERAL (
       SELECT o.profile_id FROM devices o WHERE o.asset_id = m.scope_id
        ORDER BY o.device_id = m.evidence -> 'detail' ->> 'device' DESC NULLS LAST, o.retired, o.device_id LIMIT 1) d
    ON true
 WHERE m.scope_kind <> ALL(%(hidden)s)
   AND (%(since)s::timestamptz IS NULL OR m.raised_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR m.raised_at < %(until)s)
   AND (%(fault)s::text IS NULL OR m.fault = %(fault)s)
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(vendor)s::text IS NULL OR d.profile_id = %(vendor)s)
 GROUP BY 1, 2, 3, 4

-- name: single
-- The latest judged alarms with their evidence, for proposals of thresholds.
SELECT m.alarm_id, m.fault, m.evidence ->> 'rule', v.finding, (m.evidence ->> 'observed')::double precision,
       (m.evidence ->> 'expected')::double precision, (a.attributes ->> 'rated_w')::double precision,
       coalesce((m.evidence -> 'detail' ->> 'learned')::double precision, 0)
  FROM standing_verdicts v JOIN alarms m USING (alarm_id) LEFT JOIN assets a ON a.asset_id = m.scope_id
 WHERE m.fault = ANY(%(faults)s)
 ORDER BY m.raised_at DESC, m.alarm_id LIMIT %(limit)s

-- name: rules
SELECT coalesce(pack -> 'rules', '{}') FROM installation
