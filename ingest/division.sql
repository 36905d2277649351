-- Which of several ingest processes hears which gateway.

-- name: begin
-- The first who asks makes the division; whoever asks meanwhile waits until it is written.
INSERT INTO split_divisions (processes) VALUES (%(processes)s) ON CONFLICT DO NOTHING RETURNING processes

-- name: gateways
SELECT g.gateway_id FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id WHERE NOT a.retired

-- name: give
INSERT INTO split_gateways (processes, gateway_id, number)
SELECT %(processes)s, * FROM unnest(%(gateways)s::text[], %(numbers)s::integer[])

-- name: given
SELECT gateway_id, number FROM split_gateways WHERE processes = %(processes)s
