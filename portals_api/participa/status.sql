-- The status of facilities, and what may be followed.

-- name: status
-- One page of facilities with opening hours, open alarms and the last value of every sensor.
SELECT a.asset_id AS id, a.name, a.attributes ->> 'kind' AS kind, a.district_id AS district, d.name AS district_name,
       a.lat, a.lon, a.attributes -> 'opening' AS hours,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.alarm_id, 'fault', m.fault, 'severity', m.severity)
                                  ORDER BY m.raised_at, m.alarm_id), '[]')
          FROM alarms m WHERE m.scope_id = a.asset_id AND m.cleared_at IS NULL) AS alarms
  FROM assets a LEFT JOIN districts d USING (district_id)
 WHERE a.kind = 'facility' AND NOT a.retired
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(kind)s::text IS NULL OR a.attributes ->> 'kind' = %(kind)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: sensors
SELECT v.asset_id, s.metric, m.unit, last.value, last.observed_at, v.report_interval_s * v.silence_intervals AS silent_after_s
  FROM devices v JOIN series s USING (device_id) JOIN metrics m USING (metric)
  LEFT JOIN LATERAL (
       SELECT observed_at, value FROM readings r WHERE r.series_id = s.series_id
        ORDER BY observed_at DESC LIMIT 1) last ON true
 WHERE v.asset_id = ANY(%(ids)s) AND NOT v.retired AND NOT s.retired
 ORDER BY v.asset_id, s.metric, v.device_id

-- name: kinds
SELECT DISTINCT a.attributes ->> 'kind' AS kind FROM assets a WHERE a.kind = 'facility' AND NOT a.retired

-- name: facility_name
SELECT name FROM assets WHERE asset_id = %(id)s AND kind = 'facility' AND NOT retired

-- name: district_name
SELECT name FROM districts WHERE district_id = %(id)s

-- name: events
-- What happened to tickets, the newest first: of a facility, of a district, or of the lamps of a street and what feeds them.
SELECT e.event_id, e.actor, e.at, e.from_state, e.to_state, e.reason, t.ticket_id AS ticket, t.category, t.scope_kind,
       t.scope_id, a.name AS scope_name, a.attributes ->> 'street' AS street, d.name AS district_name
  FROM ticket_events e
  JOIN tickets t USING (ticket_id)
  LEFT JOIN assets a ON a.asset_id = t.scope_id
  LEFT JOIN districts d ON d.district_id = t.district_id
 WHERE e.to_state IS NOT NULL AND t.scope_kind <> ALL(%(hidden)s)
   AND (%(facility)s::text IS NULL OR t.scope_id = %(facility)s)
   AND (%(district)s::text IS NULL OR t.district_id = %(district)s)
   AND (%(streets)s::text[] IS NULL OR t.scope_id = ANY(ARRAY(
        SELECT unnest(ARRAY[l.asset_id, l.parent_id, l.root_id]) FROM assets l
         WHERE l.kind = 'lamp' AND l.attributes ->> 'street' = ANY(%(streets)s))))
 ORDER BY e.event_id DESC LIMIT %(limit)s
