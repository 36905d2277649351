-- name: create_messages
-- Everything that gateways have to say, in the order of `id`; `acked_us` is the machine's clock at the acknowledgement.
CREATE TABLE IF NOT EXISTS messages (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway  TEXT NOT NULL,
    payload  BLOB NOT NULL,
    acked_us INTEGER
)

-- name: create_by_gateway
CREATE INDEX IF NOT EXISTS messages_by_gateway ON messages (gateway, id)

-- name: create_unacknowledged
CREATE INDEX IF NOT EXISTS messages_unacknowledged ON messages (gateway) WHERE acked_us IS NULL

-- name: create_progress
-- City time up to which each gateway's devices have been read.
CREATE TABLE IF NOT EXISTS progress (gateway TEXT PRIMARY KEY, done_us INTEGER NOT NULL)

-- name: put
INSERT INTO messages (gateway, payload) VALUES (:gateway, :payload)

-- name: set_progress
INSERT INTO progress (gateway, done_us) VALUES (:gateway, :done_us)
ON CONFLICT (gateway) DO UPDATE SET done_us = excluded.done_us

-- name: progress
SELECT gateway, done_us FROM progress

-- name: after
SELECT id, payload FROM messages WHERE gateway = :gateway AND id > :id ORDER BY id LIMIT :count

-- name: acknowledge
UPDATE messages SET acked_us = :acked_us WHERE id = :id

-- name: resend_from
-- The first message that is not acknowledged, or was so recently that the broker may have lost it.
SELECT min(id) FROM messages WHERE gateway = :gateway AND (acked_us IS NULL OR acked_us >= :since_us)

-- name: last_id
SELECT coalesce(max(id), 0) FROM messages WHERE gateway = :gateway

-- name: last_acknowledged
SELECT max(acked_us) FROM messages WHERE gateway = :gateway

-- name: pending
SELECT count(*) FROM messages WHERE gateway = :gateway AND acked_us IS NULL

-- name: forget
-- What has been acknowledged long enough ago.
DELETE FROM messages WHERE gateway = :gateway AND acked_us < :before_us

-- name: overflow
-- The oldest messages that never left the gateway, beyond its memory.
DELETE FROM messages WHERE id IN (
    SELECT id FROM messages WHERE gateway = :gateway AND id > :handed_id ORDER BY id
     LIMIT max(0, (SELECT count(*) FROM messages WHERE gateway = :gateway AND id > :handed_id) - :kept)
)

-- name: payloads
SELECT payload FROM messages ORDER BY id
