-- Gateways' connections.

-- name: links
-- Every gateway that has ever told its state, and since when that is known.
SELECT gateway_id, state = 'online', state_at FROM gateways
 WHERE state <> 'unknown' AND state_at IS NOT NULL
 ORDER BY gateway_id
