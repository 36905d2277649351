-- How warm it is outside.

-- name: latest
-- The newest value of each station since some time; a city has a handful of them.
SELECT latest.observed_at, latest.value
  FROM series s
 CROSS JOIN LATERAL (
       SELECT r.observed_at, r.value FROM readings r
        WHERE r.series_id = s.series_id AND r.observed_at > %(since)s AND r.observed_at <= %(now)s
        ORDER BY r.observed_at DESC LIMIT 1) AS latest
 WHERE s.metric = %(metric)s AND NOT s.retired
 LIMIT 1000
