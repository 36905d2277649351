-- What could not be understood: kept with its bytes and reason.

-- name: keep
-- One letter; a repeat has no effect. What a replay settled before the letter arrived here (a restored database) counts.
-- A bundle was not opened for anybody yet.
INSERT INTO dead_letters (letter_id, reason, detail, topic, payload, gateway_id, received_at, hour, units,
                          only_readings, devices, retained, opened_to, settled, sent_back, portions)
SELECT %(letter_id)s, %(reason)s, %(detail)s, %(topic)s, %(payload)s, %(gateway_id)s, %(received_at)s, %(hour)s,
       %(units)s, %(only_readings)s, %(devices)s, %(retained)s, CASE %(reason)s WHEN 'isolated' THEN 0 END,
       COALESCE(sum(settles) FILTER (WHERE stored), 0), COALESCE(sum(settles), 0), COALESCE(max(portion) + 1, 0)
  FROM dead_letter_replays WHERE letter_id = %(letter_id)s
ON CONFLICT (letter_id) DO NOTHING
