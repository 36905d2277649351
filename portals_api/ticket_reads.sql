-- What the portals read of tickets.

-- name: tickets
-- One page of tickets, the newest number first.
SELECT t.ticket_id AS id, t.state, t.category, t.fault, t.scope_kind, t.scope_id, t.severity, t.district_id AS district,
       d.name AS district_name, t.lat, t.lon, t.still_dark, t.merged_into, t.opened_at, t.updated_at, t.closed_at, t.verify_after, t.version,
       (SELECT count(*) FROM reports r WHERE r.ticket_id = t.ticket_id) AS reports,
       (SELECT count(*) FROM ticket_alarms l WHERE l.ticket_id = t.ticket_id) AS alarms,
       coalesce(a.attributes ->> 'street',
                (SELECT l.attributes ->> 'street' FROM assets l
                  WHERE a.kind = 'feeder' AND l.parent_id = a.asset_id ORDER BY l.asset_id LIMIT 1), '') AS street,
       coalesce(a.name, '') AS scope_name,
       coalesce((SELECT r.place FROM reports r WHERE r.ticket_id = t.ticket_id AND r.place <> ''
                  ORDER BY r.report_id LIMIT 1), '') AS place
  FROM tickets t LEFT JOIN assets a ON a.asset_id = t.scope_id LEFT JOIN districts d ON d.district_id = t.district_id
 WHERE t.scope_kind <> ALL(%(hidden)s)
   AND (%(ids)s::bigint[] IS NULL OR t.ticket_id = ANY(%(ids)s))
   AND (%(state)s::text[] IS NULL OR t.state = ANY(%(state)s))
   AND (%(scope)s::text IS NULL OR t.scope_id = %(scope)s)
   AND (%(category)s::text IS NULL OR t.category = %(category)s)
   AND (%(district)s::text IS NULL OR t.district_id = %(district)s)
   AND (%(after)s::bigint IS NULL OR t.ticket_id < %(after)s)
 ORDER BY t.ticket_id DESC LIMIT %(limit)s

-- name: worklist
-- What a crew has to do: gravest first, then who has waited longest. What names no district may be in any.
SELECT t.ticket_id FROM tickets t
 WHERE t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved') AND t.scope_kind <> ALL(%(hidden)s)
   AND (%(district)s::text IS NULL OR t.district_id = %(district)s OR t.district_id IS NULL)
 ORDER BY t.state IN ('recovered', 'resolved'),
          array_position(ARRAY['urgent', 'high', 'medium', 'low'], t.severity), t.still_dark DESC, t.opened_at, t.ticket_id
 LIMIT %(limit)s

-- name: timeline
-- The words of a verdict stand with the verdict alone.
SELECT e.event_id AS id, e.kind, e.actor, e.at, e.from_state, e.to_state, coalesce(v.words, e.reason) AS reason, e.detail
  FROM ticket_events e LEFT JOIN verdicts v ON e.kind = 'verdict' AND v.verdict_id = (e.detail ->> 'verdict_id')::bigint
 WHERE e.ticket_id = %(id)s ORDER BY e.event_id LIMIT 1000

-- name: ticket_alarms
-- Alarms of a ticket, those that explain others first.
SELECT a.alarm_id AS id, a.fault, a.severity, a.scope_kind, a.scope_id, a.raised_at, a.cleared_at, a.parent_id AS parent,
       CASE WHEN a.cleared_at IS NULL THEN a.held_by END AS held_by,
       a.evidence
  FROM ticket_alarms l JOIN alarms a USING (alarm_id)
 WHERE l.ticket_id = %(id)s ORDER BY a.parent_id IS NOT NULL, a.cleared_at IS NOT NULL, a.raised_at, a.alarm_id LIMIT 500

-- name: ticket_reports
SELECT report_id AS id, received_at, place, description FROM reports
 WHERE ticket_id = %(id)s ORDER BY report_id LIMIT 200
