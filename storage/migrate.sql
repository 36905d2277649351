-- name: take_turn
-- One process migrates at a time; the number is arbitrary and ours.
SELECT pg_advisory_lock(7236837412)

-- name: end_turn
-- The next one may look.
SELECT pg_advisory_unlock(7236837412)

-- name: create_note
-- What was applied, and a checksum of what it said then.
CREATE TABLE IF NOT EXISTS schema_migrations (
    name        text PRIMARY KEY,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)

-- name: applied
-- Name and checksum of every migration that the database has.
SELECT name, checksum FROM schema_migrations ORDER BY name

-- name: note
-- In the transaction of the migration itself.
INSERT INTO schema_migrations (name, checksum) VALUES (%(name)s, %(checksum)s)
