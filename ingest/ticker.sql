-- name: try_lock
-- One holder in a database; the lock ends with the connection. The number is any that nobody else uses ("tick").
SELECT pg_try_advisory_lock(1953063787)

-- name: ping
-- The connection that holds the lock is still there.
SELECT true
