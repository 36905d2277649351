-- What the broker threw away.

-- name: tell
-- The broker's count since it started; where it grew, by how much and when. One that is smaller is of a new life, which
-- began at 0.
INSERT INTO broker_drops AS b (broker, dropped, grew_by, grew_at)
VALUES (%(broker)s, %(dropped)s, %(dropped)s, CASE WHEN %(dropped)s > 0 THEN %(at)s::timestamptz END)
ON CONFLICT (broker) DO UPDATE
   SET dropped = EXCLUDED.dropped,
       grew_by = CASE WHEN EXCLUDED.dropped > b.dropped THEN EXCLUDED.dropped - b.dropped
                      WHEN EXCLUDED.dropped > 0 THEN EXCLUDED.dropped ELSE b.grew_by END,
       grew_at = CASE WHEN EXCLUDED.dropped > 0 THEN %(at)s ELSE b.grew_at END
 WHERE b.dropped <> EXCLUDED.dropped

-- name: drops
-- The last times that messages were lost in a broker, the newest first.
SELECT broker, dropped, grew_by, grew_at FROM broker_drops WHERE grew_at > %(since)s
 ORDER BY grew_at DESC LIMIT 20
