-- name: ensure
INSERT INTO installation (city, timezone, simulated, clock_speed, clock_city_us, clock_real_us)
VALUES (%(city)s, %(timezone)s, %(simulated)s, %(speed)s, %(city_us)s, %(real_us)s)
ON CONFLICT (only_one) DO NOTHING

-- name: clock
SELECT clock_city_us, clock_real_us, clock_speed FROM installation

-- name: resume
-- A new anchor for the scaled clock; the machine's clock needs none.
UPDATE installation
   SET clock_city_us = %(city_us)s, clock_real_us = %(real_us)s, clock_speed = coalesce(%(speed)s, clock_speed)
 WHERE clock_city_us IS NOT NULL
RETURNING clock_city_us, clock_real_us, clock_speed
