-- One alarm with all that explains it.

-- name: alarm
-- With what it hangs on; the kind is for the rule of visibility.
SELECT m.alarm_id AS id, m.fault, m.severity, m.scope_kind, m.scope_id, m.raised_at, m.cleared_at, m.parent_id AS parent,
       CASE WHEN m.cleared_at IS NULL THEN m.held_by END AS held_by, m.evidence,
       (SELECT max(l.ticket_id) FROM ticket_alarms l WHERE l.alarm_id = m.alarm_id) AS ticket
  FROM alarms m WHERE m.alarm_id = %(alarm)s AND m.scope_kind <> ALL(%(hidden)s)

-- name: series_of_asset
-- What is measured of an asset, and how often.
SELECT s.series_id AS series, s.metric, m.unit, d.report_interval_s, d.device_id AS device
  FROM devices d JOIN series s USING (device_id) JOIN metrics m USING (metric)
 WHERE d.asset_id = %(asset)s AND NOT d.retired AND NOT s.retired ORDER BY s.series_id

-- name: similar
-- Alarms of the same fault at the same asset, at one of its kind or make, or on the same feeder: the judged ones first,
-- then the latest. Of a common fault the latest thousand are looked through.
WITH one AS (
    SELECT m.scope_id, a.parent_id AS feeder,
           coalesce(a.attributes ->> 'lamp_type', a.attributes ->> 'kind') AS type,
           ARRAY(SELECT d.profile_id FROM devices d WHERE d.asset_id = m.scope_id AND NOT d.retired) AS profiles
      FROM alarms m LEFT JOIN assets a ON a.asset_id = m.scope_id WHERE m.alarm_id = %(alarm)s
), recent AS MATERIALIZED (
    SELECT m.alarm_id, m.fault, m.scope_kind, m.scope_id, m.raised_at, m.cleared_at FROM alarms m
     WHERE m.fault = %(fault)s AND m.scope_kind = %(kind)s AND m.alarm_id <> %(alarm)s AND m.parent_id IS NULL
     ORDER BY m.raised_at DESC LIMIT 1000
), alike AS (
    SELECT r.*, array_remove(ARRAY[
               CASE WHEN r.scope_id = one.scope_id THEN 'asset' END,
               CASE WHEN a.parent_id = one.feeder THEN 'feeder' END,
               CASE WHEN coalesce(a.attributes ->> 'lamp_type', a.attributes ->> 'kind') = one.type THEN 'type' END,
               CASE WHEN EXISTS (SELECT FROM devices d WHERE d.asset_id = r.scope_id AND NOT d.retired
                                    AND d.profile_id = ANY(one.profiles)) THEN 'profile' END], NULL) AS same
      FROM recent r CROSS JOIN one LEFT JOIN assets a ON a.asset_id = r.scope_id
), judged AS (
    SELECT a.*, v.finding, v.fault AS found, v.actor, v.at AS said_at,
           (SELECT max(l.ticket_id) FROM ticket_alarms l WHERE l.alarm_id = a.alarm_id) AS ticket
      FROM alike a
      LEFT JOIN LATERAL (SELECT * FROM standing_verdicts s WHERE s.alarm_id = a.alarm_id OFFSET 0) v ON true
     WHERE a.same <> '{}'
)
SELECT alarm_id AS id, fault, scope_kind, scope_id, raised_at, cleared_at, same, ticket, finding, found, actor, said_at,
       count(*) OVER () AS alike, count(*) FILTER (WHERE finding = 'true') OVER () AS n_true,
       count(*) FILTER (WHERE finding = 'false') OVER () AS n_false,
       count(*) FILTER (WHERE finding = 'other') OVER () AS n_other
  FROM judged ORDER BY finding IS NULL, raised_at DESC, alarm_id LIMIT %(limit)s

-- name: first_child
-- The first lamp that an alarm explains.
SELECT alarm_id AS id, fault, severity, scope_kind, scope_id, raised_at, cleared_at, parent_id AS parent, held_by, evidence
  FROM alarms WHERE parent_id = %(alarm)s AND scope_kind = 'lamp' ORDER BY raised_at, alarm_id LIMIT 1
