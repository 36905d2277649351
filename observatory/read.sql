-- Reads the figures: by bucket of time, by district, or in one sum, as `by` says.

-- name: begins
-- When the city was connected: before that, no ticket is no news.
SELECT least((SELECT min(hour) FROM ledger), (SELECT min(opened_at) FROM tickets))

-- name: stored
-- The city time up to which the store has all that came, in every partition; null before its first ticks.
SELECT CASE WHEN bool_and(ticked_at IS NOT NULL) THEN min(ticked_at) END
  FROM checkpoints WHERE worker_group = 'store' AND topic = 'readings'

-- name: waiting
-- Hours whose rollups, or whose figures, have still to follow.
SELECT hour FROM rollups_refreshed WHERE hour >= %(since)s AND hour < %(until)s
 UNION
SELECT t.hour FROM rollups_touched AS t, readings_layout AS l
 WHERE t.hour >= l.raw_since AND t.hour >= %(since)s AND t.hour < %(until)s
 ORDER BY 1

-- name: districts
SELECT district_id, name FROM districts

-- name: telemetry
-- By bucket and district at once: these sums add up, so that one pass serves all three ways of telling them.
SELECT figure, date_trunc(%(step)s, hour, %(timezone)s) AS bucket, district_id, sum(part), sum(whole)
  FROM figures_hour
 WHERE figure = ANY(%(figures)s) AND hour >= %(since)s AND hour < %(until)s
   AND (%(district)s::text IS NULL OR district_id = %(district)s)
 GROUP BY 1, 2, 3

-- name: opened
-- Tickets by when they were opened, and how many of them a sensor opened. What was rejected, or is part of another one,
-- counts as none.
SELECT CASE WHEN %(by)s = 'time' THEN date_trunc(%(step)s, t.opened_at, %(timezone)s) END AS bucket,
       CASE WHEN %(by)s = 'district' THEN coalesce(t.district_id, '') END AS district, count(*),
       count(*) FILTER (WHERE (SELECT e.actor FROM ticket_events e WHERE e.ticket_id = t.ticket_id AND e.kind = 'opened'
                                ORDER BY e.event_id LIMIT 1) = 'sensor')
  FROM tickets t
 WHERE t.opened_at >= %(since)s AND t.opened_at < %(until)s AND t.state NOT IN ('merged', 'rejected')
   AND t.scope_kind <> ALL(%(hidden)s) AND (%(district)s::text IS NULL OR t.district_id = %(district)s)
 GROUP BY 1, 2

-- name: solved
-- Tickets by when they were closed, and the median hours from opening to repair: what a crew said last, else the closing.
SELECT CASE WHEN %(by)s = 'time' THEN date_trunc(%(step)s, t.closed_at, %(timezone)s) END AS bucket,
       CASE WHEN %(by)s = 'district' THEN coalesce(t.district_id, '') END AS district, count(*),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM coalesce(r.at, t.closed_at) - t.opened_at) / 3600.0)
  FROM tickets t
  LEFT JOIN LATERAL (SELECT max(e.at) AS at FROM ticket_events e
                      WHERE e.ticket_id = t.ticket_id AND e.to_state = 'resolved') r ON true
 WHERE t.closed_at >= %(since)s AND t.closed_at < %(until)s AND t.state = 'closed'
   AND t.scope_kind <> ALL(%(hidden)s) AND (%(district)s::text IS NULL OR t.district_id = %(district)s)
 GROUP BY 1, 2

-- name: standing
-- Tickets that stood open at a moment, by district.
SELECT coalesce(t.district_id, ''), count(*)
  FROM tickets t
 WHERE t.opened_at < %(at)s AND (t.closed_at IS NULL OR t.closed_at >= %(at)s) AND t.state NOT IN ('merged', 'rejected')
   AND t.scope_kind <> ALL(%(hidden)s) AND (%(district)s::text IS NULL OR t.district_id = %(district)s)
 GROUP BY 1
