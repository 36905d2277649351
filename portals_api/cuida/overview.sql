-- Cuida's front page: what is broken, and what was mended.

-- name: categories
-- Open tickets by category, the largest first.
SELECT category, count(*) AS open, count(*) FILTER (WHERE severity = 'urgent') AS urgent
  FROM tickets
 WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved') AND scope_kind <> ALL(%(hidden)s)
 GROUP BY category ORDER BY 2 DESC, 1

-- name: mended
-- The latest closed tickets, and how long each waited for its repair: until a crew said so last, else until it was closed.
SELECT t.ticket_id AS id, t.closed_at, coalesce(r.at, t.closed_at) AS repaired_at,
       extract(epoch FROM coalesce(r.at, t.closed_at) - t.opened_at)::double precision / 3600 AS hours
  FROM tickets t
  LEFT JOIN LATERAL (SELECT max(e.at) AS at FROM ticket_events e
                      WHERE e.ticket_id = t.ticket_id AND e.to_state = 'resolved') r ON true
 WHERE t.closed_at IS NOT NULL AND t.state = 'closed' AND t.scope_kind <> ALL(%(hidden)s)
 ORDER BY t.closed_at DESC, t.ticket_id DESC LIMIT %(limit)s
