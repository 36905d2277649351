-- name: streets
-- By the index of streets: a city has far fewer streets than lamps.
SELECT attributes ->> 'street' AS street, count(*) AS lamps FROM assets
 WHERE kind = 'lamp' AND NOT retired AND attributes ->> 'street' <> '' GROUP BY 1
