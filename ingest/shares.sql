-- Sessions to which shared subscriptions deal: what is dealt to one that is gone, nobody else gets.

-- name: stand
INSERT INTO share_sessions (client_id, share, listening_at) VALUES (%(client_id)s, %(share)s, now())
ON CONFLICT DO NOTHING

-- name: tell
UPDATE share_sessions SET listening_at = now(), emptied = false WHERE client_id = %(client_id)s

-- name: former
SELECT share FROM share_sessions WHERE client_id = %(client_id)s AND share <> %(share)s

-- name: left
DELETE FROM share_sessions WHERE client_id = %(client_id)s AND share = ANY(%(shares)s)

-- name: gone
-- Who has not listened for so long, with the shared subscriptions in which it stands.
SELECT client_id, array_agg(share ORDER BY share), bool_and(emptied) FROM share_sessions
 WHERE client_id <> %(client_id)s
 GROUP BY client_id HAVING max(listening_at) < now() - make_interval(secs => %(patience_s)s)

-- name: emptied
UPDATE share_sessions SET emptied = true
 WHERE client_id = %(gone)s AND listening_at < now() - make_interval(secs => %(patience_s)s)

-- name: forget
-- A process that has been missing for so long was meant to go.
DELETE FROM share_sessions WHERE emptied AND listening_at < now() - interval '1 day'
