-- Maintenance windows as operators and crews see them.

-- name: windows
-- Current: planned or running, the first to end first. Past: the last that ended first.
SELECT w.window_id AS id, w.kind, w.target_id AS target, w.starts_at AS "from", w.ends_at AS "to", w.ended_at, w.withdrawn,
       w.reason, w.announced_at,
       CASE WHEN w.withdrawn THEN 'withdrawn' WHEN coalesce(w.ended_at, w.ends_at) <= %(now)s THEN 'over'
            WHEN w.starts_at > %(now)s THEN 'planned' ELSE 'running' END AS state,
       w.ends_at > %(now)s AND (w.withdrawn OR w.ended_at IS NOT NULL) AS may_reinstate,
       (SELECT count(*) FROM alarms m WHERE m.held_by = w.window_id AND m.cleared_at IS NULL) AS held
  FROM maintenance_windows w
 WHERE (%(window)s::bigint IS NULL OR w.window_id = %(window)s)
   AND (%(past)s::boolean IS NULL OR %(past)s = (w.withdrawn OR coalesce(w.ended_at, w.ends_at) <= %(now)s))
   AND (%(after)s::bigint IS NULL OR w.window_id < %(after)s)
 ORDER BY w.window_id DESC
 LIMIT %(limit)s

-- name: held
-- Alarms that a window holds.
SELECT m.alarm_id AS id, m.fault, m.severity, m.scope_kind, m.scope_id, m.raised_at, m.cleared_at FROM alarms m
 WHERE m.held_by = %(window)s ORDER BY m.cleared_at IS NOT NULL, m.raised_at DESC, m.alarm_id LIMIT 200
