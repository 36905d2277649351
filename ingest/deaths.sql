-- The broker's life, as ingest heard of it. Two words of one life put its start at most some two seconds apart.

-- name: known
SELECT alive_at, started_at FROM broker_life

-- name: died
-- A life that began after the one that is known: the broker died in between. Whoever tells it second changes nothing.
WITH begun AS (
    INSERT INTO broker_life AS b (started_at, alive_at) VALUES (%(started)s, %(started)s)
    ON CONFLICT (only_one) DO UPDATE
       SET started_at = EXCLUDED.started_at, alive_at = greatest(b.alive_at, EXCLUDED.alive_at)
     WHERE b.started_at < EXCLUDED.started_at - interval '1.2 s'
    RETURNING b.started_at
)
INSERT INTO broker_deaths (last_heard_at, back_at)
SELECT %(alive)s, %(back)s WHERE EXISTS (SELECT FROM begun)

-- name: lives
INSERT INTO broker_life AS b (started_at, alive_at) VALUES (%(started)s, %(alive)s)
ON CONFLICT (only_one) DO UPDATE
   SET alive_at = greatest(b.alive_at, EXCLUDED.alive_at),
       started_at = CASE WHEN EXCLUDED.started_at < b.started_at - interval '1.2 s' THEN b.started_at
                         ELSE least(b.started_at, EXCLUDED.started_at) END
