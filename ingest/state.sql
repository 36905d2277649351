-- name: set_states
-- Store what gateways said of themselves; an older word never replaces a newer one.
UPDATE gateways AS g
   SET state = new.state, state_at = new.at
  FROM (SELECT * FROM unnest(%(gateways)s::text[], %(states)s::text[], %(at)s::timestamptz[])
            AS n (gateway_id, state, at) ORDER BY gateway_id) AS new
 WHERE g.gateway_id = new.gateway_id AND (g.state_at IS NULL OR g.state_at <= new.at)
