-- What all of operators' changes of the registry share.

-- name: settle_intervals
UPDATE devices d
   SET report_interval_s = (p.body ->> 'report_interval_s')::integer,
       silence_intervals = (p.body ->> 'silence_intervals')::double precision
  FROM profiles p
 WHERE p.profile_id = d.profile_id AND d.device_id = ANY(%(devices)s)

-- name: settle_series
-- A series keeps its id for ever; new ones are numbered in the order of their names.
INSERT INTO series (device_id, metric)
SELECT d.device_id, m.metric
  FROM devices d
  JOIN profiles p USING (profile_id)
 CROSS JOIN LATERAL jsonb_array_elements_text(p.body -> 'metrics') AS m (metric)
 WHERE d.device_id = ANY(%(devices)s)
   AND NOT EXISTS (SELECT FROM series o WHERE o.device_id = d.device_id AND o.metric = m.metric)
 ORDER BY d.device_id, m.metric

-- name: settle_retired_series
UPDATE series s SET retired = NOT s.retired
  FROM devices d JOIN profiles p USING (profile_id)
 WHERE d.device_id = s.device_id AND d.device_id = ANY(%(devices)s) AND s.retired = (p.body -> 'metrics' ? s.metric)

-- name: next_version
UPDATE installation SET registry_version = registry_version + 1 RETURNING registry_version

-- name: note
INSERT INTO registry_events (at, actor, kind, subject, subject_id, detail, registry_version)
VALUES (%(at)s, %(actor)s, %(kind)s, %(subject)s, %(subject_id)s, %(detail)s, %(version)s)
