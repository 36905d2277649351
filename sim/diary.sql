-- name: create_diary
-- What simulated people have to remember: crews' jobs, visits, the hour of the last report.
CREATE TABLE IF NOT EXISTS diary (name TEXT PRIMARY KEY, value TEXT NOT NULL)

-- name: read
SELECT value FROM diary WHERE name = :name

-- name: write
INSERT INTO diary (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: forget
DELETE FROM diary WHERE name = :name
