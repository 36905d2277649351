-- What calls for an operator.

-- name: waiting_of_gateways
-- Of the newest letters of one reason: whose they are, how many messages or readings, since when.
SELECT gateway_id AS gateway, count(*) AS letters, sum(units - sent_back)::bigint AS units,
       min(received_at) AS first_at, max(received_at) AS last_at
  FROM (SELECT gateway_id, units, sent_back, received_at FROM dead_letters
         WHERE state = 'open' AND reason = %(reason)s
         ORDER BY received_at DESC, letter_id DESC LIMIT %(looked_at)s) AS waiting
 GROUP BY gateway_id
 ORDER BY max(received_at) DESC, gateway_id
 LIMIT %(limit)s

-- name: ending_credentials
-- Those that end soon and that no newer one has replaced, by the machine's clock.
SELECT credential_id AS id, gateway_id AS gateway, login, expires_at
  FROM credentials AS c
 WHERE revoked_at IS NULL AND expires_at > now() AND expires_at < now() + make_interval(days => %(days)s)
   AND NOT EXISTS (SELECT FROM credential_events e WHERE e.credential_id = c.credential_id AND e.kind = 'replaced')
 ORDER BY expires_at, credential_id
 LIMIT %(limit)s

-- name: keeper
-- Whether a broker with a keeper is told of credentials; the keeper tells it all of them each twenty seconds.
SELECT told_at, told_at < now() - interval '2 minutes' AS late, to_rotate FROM credential_keeper WHERE told_at IS NOT NULL
