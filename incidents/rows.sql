-- What the desk reads and writes. Every statement runs in the transaction of one decision, after `lock`.

-- name: lock
-- Lock every root of the decision, in one order for all processes, until the transaction ends.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT hashtextextended('citynerve.desk/' || root, 0) AS key FROM unnest(%(roots)s::text[]) AS root
    ORDER BY key
)
SELECT pg_advisory_xact_lock(key) FROM wanted

-- name: assets
-- What hangs where.
SELECT asset_id, kind, parent_id, root_id, gateway_id, correlation_group, lat, lon, district_id
  FROM assets WHERE asset_id = ANY(%(ids)s)

-- name: lamps_near
-- Lamps inside a square, for a report that names none.
SELECT asset_id, parent_id, root_id, gateway_id, lat, lon, district_id
  FROM assets
 WHERE kind = 'lamp' AND NOT retired
   AND lat BETWEEN %(south)s AND %(north)s AND lon BETWEEN %(west)s AND %(east)s

-- name: nearest
-- District of the asset that is nearest to a point, and whether that lies within some kilometres.
SELECT district_id, abs(lat - %(lat)s) < 0.05 AND abs(lon - %(lon)s) < 0.07
  FROM assets WHERE lat IS NOT NULL AND NOT retired
 ORDER BY (lat - %(lat)s) ^ 2 + ((lon - %(lon)s) * cosd(lat)) ^ 2, asset_id LIMIT 1

-- name: alarm_family
-- Alarms of the decision, what they are folded into, however deep, and what is folded into them.
WITH RECURSIVE up AS (
    SELECT alarm_id, parent_id FROM alarms WHERE alarm_id = ANY(%(alarms)s)
    UNION
    SELECT a.alarm_id, a.parent_id FROM alarms a JOIN up ON a.alarm_id = up.parent_id
)
SELECT a.alarm_id, a.root_id FROM alarms a
 WHERE a.alarm_id IN (SELECT alarm_id FROM up) OR a.parent_id = ANY(%(alarms)s)

-- name: ticket_roots
-- Roots of tickets named by number, and of those they were merged into.
WITH RECURSIVE chain AS (
    SELECT ticket_id, root_id, merged_into FROM tickets WHERE ticket_id = ANY(%(tickets)s)
    UNION
    SELECT t.ticket_id, t.root_id, t.merged_into FROM tickets t JOIN chain ON t.ticket_id = chain.merged_into
)
SELECT ticket_id, root_id FROM chain

-- name: ticket_scope
-- What a ticket is about, for a report that answers it.
SELECT scope_kind, scope_id, root_id, category, incident_key, severity, lat, lon FROM tickets
 WHERE ticket_id = %(ticket_id)s

-- name: tickets_near
-- Open tickets of one incident key inside a square.
SELECT ticket_id, root_id FROM tickets
 WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved') AND incident_key = %(incident_key)s
   AND lat BETWEEN %(south)s AND %(north)s AND lon BETWEEN %(west)s AND %(east)s

-- name: tickets
-- Every ticket that the decision may look at: the open ones of the locked roots, those of its alarms, those named, and
-- the closed ones of the reported scope. Of its alarms, those that are folded only where the decision is about them.
SELECT t.ticket_id, t.state, t.category, t.fault, t.scope_kind, t.scope_id, t.root_id, t.incident_key, t.severity,
       t.opened_at, t.updated_at, t.version, t.still_dark, t.merged_into, t.closed_at, t.verify_after,
       ARRAY(SELECT l.alarm_id FROM ticket_alarms l JOIN alarms a USING (alarm_id)
              WHERE l.ticket_id = t.ticket_id AND (a.parent_id IS NULL OR a.alarm_id = ANY(%(alarms)s))) AS alarms,
       t.lat, t.lon
  FROM tickets t
 WHERE t.ticket_id IN (
       SELECT ticket_id FROM tickets
        WHERE root_id = ANY(%(roots)s) AND state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')
       UNION SELECT ticket_id FROM ticket_alarms WHERE alarm_id = ANY(%(alarms)s)
       UNION SELECT ticket_id FROM tickets WHERE ticket_id = ANY(%(tickets)s)
       UNION SELECT ticket_id FROM tickets WHERE root_id = ANY(%(roots)s) AND scope_id = %(scope)s AND state = 'closed')

-- name: alarms
-- The decision's alarms and those that keep its tickets open, each with the order of the last event taken.
SELECT a.alarm_id, a.fault, a.severity, a.scope_kind, a.scope_id, a.root_id, a.raised_at, a.cleared_at, a.parent_id,
       a.held_by, a.device_id, last.at, last.kind
  FROM alarms a
  CROSS JOIN LATERAL (
       SELECT e.at, e.kind FROM alarm_events e WHERE e.alarm_id = a.alarm_id
        ORDER BY e.at DESC, CASE e.kind WHEN 'raised' THEN 0 WHEN 'held' THEN 1 WHEN 'folded' THEN 2 ELSE 3 END DESC LIMIT 1) last
 WHERE a.alarm_id = ANY(%(alarms)s)

-- name: taken
-- Which of these events the desk has taken before.
SELECT event_id FROM alarm_events WHERE event_id = ANY(%(events)s)

-- name: insert_ticket
-- A new ticket; place and district are the asset's own where there is one.
INSERT INTO tickets (state, category, fault, scope_kind, scope_id, root_id, incident_key, severity, still_dark,
                     opened_at, updated_at, closed_at, verify_after, version, lat, lon, district_id)
SELECT %(state)s, %(category)s, %(fault)s, %(scope_kind)s, %(scope_id)s, %(root_id)s, %(incident_key)s, %(severity)s,
       %(still_dark)s, %(opened_at)s, %(updated_at)s, %(closed_at)s, %(verify_after)s, %(version)s,
       coalesce(a.lat, %(lat)s), coalesce(a.lon, %(lon)s), coalesce(a.district_id, %(district_id)s)
  FROM (SELECT 1) one LEFT JOIN assets a ON a.asset_id = %(scope_id)s
RETURNING ticket_id

-- name: end_ticket
-- Before new tickets are stored: one of the same incident may have ended in the same decision.
UPDATE tickets SET state = %(state)s WHERE ticket_id = %(ticket_id)s

-- name: update_ticket
-- What a decision can change in a ticket.
UPDATE tickets
   SET state = %(state)s, category = %(category)s, fault = %(fault)s, severity = %(severity)s, still_dark = %(still_dark)s,
       merged_into = %(merged_into)s, updated_at = %(updated_at)s, closed_at = %(closed_at)s,
       verify_after = %(verify_after)s, version = %(version)s
 WHERE ticket_id = %(ticket_id)s

-- name: save_alarm
-- The alarm as it stands; evidence is of the raising, an end adds none.
INSERT INTO alarms (alarm_id, fault, severity, scope_kind, scope_id, root_id, raised_at, cleared_at, parent_id,
                    held_by, children, evidence, device_id)
VALUES (%(alarm_id)s, %(fault)s, %(severity)s, %(scope_kind)s, %(scope_id)s, %(root_id)s, %(raised_at)s,
        %(cleared_at)s, %(parent_id)s, %(held_by)s, %(children)s, %(evidence)s, %(device_id)s)
ON CONFLICT (alarm_id) DO UPDATE
   SET severity = EXCLUDED.severity, cleared_at = EXCLUDED.cleared_at, parent_id = EXCLUDED.parent_id,
       held_by = EXCLUDED.held_by,
       children = CASE WHEN EXCLUDED.children = '[]' THEN alarms.children ELSE EXCLUDED.children END,
       evidence = CASE WHEN %(keeps_evidence)s THEN alarms.evidence ELSE EXCLUDED.evidence END

-- name: save_alarm_event
INSERT INTO alarm_events (event_id, alarm_id, kind, at) VALUES (%(event_id)s, %(alarm_id)s, %(kind)s, %(at)s)

-- name: link
INSERT INTO ticket_alarms (ticket_id, alarm_id) VALUES (%(ticket_id)s, %(alarm_id)s) ON CONFLICT DO NOTHING

-- name: unlink
DELETE FROM ticket_alarms WHERE ticket_id = %(ticket_id)s AND alarm_id = %(alarm_id)s

-- name: move_reports
-- Reports follow the ticket that theirs was merged into.
UPDATE reports SET ticket_id = %(to)s WHERE ticket_id = %(from)s

-- name: insert_event
INSERT INTO ticket_events (ticket_id, kind, actor, at, from_state, to_state, reason, detail)
VALUES (%(ticket_id)s, %(kind)s, %(actor)s, %(at)s, %(from_state)s, %(to_state)s, %(reason)s, %(detail)s)
RETURNING event_id

-- name: insert_outbox
INSERT INTO outbox (topic, partition, kind, value, at_us)
VALUES (%(topic)s, %(partition)s, %(kind)s, %(value)s, %(at_us)s)

-- name: lock_request
-- Two posts of one report wait for each other.
SELECT pg_advisory_xact_lock(hashtextextended('citynerve.request/' || %(request_key)s, 0))

-- name: report_by_key
-- What became of it, whether it opened its ticket, and what it said.
SELECT r.report_id, r.ticket_id, t.state,
       EXISTS (SELECT FROM ticket_events e
                WHERE e.ticket_id = r.ticket_id AND e.kind = 'opened' AND (e.detail ->> 'report_id')::bigint = r.report_id),
       t.scope_id, r.category, r.asset_id, r.lat, r.lon, r.place, r.description
  FROM reports r JOIN tickets t USING (ticket_id) WHERE r.request_key = %(request_key)s

-- name: next_report_id
SELECT nextval(pg_get_serial_sequence('reports', 'report_id'))

-- name: insert_report
INSERT INTO reports (report_id, ticket_id, request_key, category, asset_id, lat, lon, place, description, received_at)
OVERRIDING SYSTEM VALUE
VALUES (%(report_id)s, %(ticket_id)s, %(request_key)s, %(category)s, %(asset_id)s, %(lat)s, %(lon)s, %(place)s,
        %(description)s, %(received_at)s)

-- name: insert_contact
INSERT INTO report_contacts (report_id, email) VALUES (%(report_id)s, %(email)s)

-- name: due_for_verification
-- Repairs whose period has gone by.
SELECT ticket_id FROM tickets
 WHERE state = 'resolved' AND NOT still_dark AND verify_after <= %(before)s ORDER BY verify_after LIMIT 200

-- name: schedule
-- The lighting schedule that commands an asset: its feeder's, the first one below a cabinet or gateway, for a place the
-- city's first; none for a facility.
SELECT s.schedule
  FROM installation i, jsonb_array_elements(i.pack -> 'schedules') WITH ORDINALITY AS s (schedule, position)
 WHERE %(kind)s <> 'facility'
 ORDER BY s.schedule ->> 'schedule_id' IN (
              SELECT f.attributes ->> 'schedule_id' FROM assets f
               WHERE f.kind = 'feeder'
                 AND (f.asset_id = %(id)s OR f.parent_id = %(id)s OR f.gateway_id = %(id)s
                      OR f.asset_id = (SELECT parent_id FROM assets WHERE asset_id = %(id)s))) DESC, s.position
 LIMIT 1

-- name: publish_lock
-- One publisher at a time, so that the feed keeps its order.
SELECT pg_try_advisory_xact_lock(7201005)

-- name: outbox
SELECT outbox_id, topic, partition, kind, value, at_us FROM outbox ORDER BY outbox_id LIMIT %(limit)s

-- name: delete_outbox
DELETE FROM outbox WHERE outbox_id = ANY(%(ids)s)

-- name: count_tickets
-- For the instruments.
SELECT state, count(*) FROM tickets GROUP BY state

-- name: count_outbox
-- For the instruments.
SELECT count(*) FROM outbox
