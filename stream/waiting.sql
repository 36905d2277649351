-- What waits for its rollup.

-- name: waiting
-- Marks beyond raw retention wait for ever and are not counted. The limit keeps a long back-log cheap to look at.
SELECT count(*), min(w.hour), min(w.mark_id), (SELECT max(mark_id) FROM rollups_touched)
  FROM (SELECT t.mark_id, t.hour FROM rollups_touched AS t, readings_layout AS l
         WHERE t.hour >= l.raw_since ORDER BY t.mark_id LIMIT 100000) AS w
