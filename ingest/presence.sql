-- Which processes of a division listen.

-- name: tell
INSERT INTO split_processes (processes, number, listening_at) VALUES (%(processes)s, %(number)s, now())
ON CONFLICT (processes, number) DO UPDATE SET listening_at = EXCLUDED.listening_at

-- name: present
SELECT number FROM split_processes
WHERE processes = %(processes)s AND listening_at > now() - make_interval(secs => %(patience_s)s)
