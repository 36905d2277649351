-- What hangs together: feeders, cabinets, gateways and districts. Nothing here changes anything.

-- name: asset
SELECT a.asset_id AS id, a.kind, a.name, a.parent_id AS parent, a.root_id AS root, a.correlation_group AS substation,
       a.gateway_id AS gateway, a.district_id AS district, d.name AS district_name, a.lat, a.lon, a.attributes
  FROM assets a LEFT JOIN districts d USING (district_id)
 WHERE a.asset_id = %(id)s AND a.kind = %(kind)s AND NOT a.retired

-- name: page_of_kind
-- One page of a kind of asset, by id.
SELECT a.asset_id AS id, a.name, a.district_id AS district, d.name AS district_name, a.gateway_id AS gateway,
       a.parent_id AS parent, a.lat, a.lon,
       (SELECT count(*) FROM tickets t
         WHERE t.scope_id = a.asset_id AND t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')) AS tickets
  FROM assets a LEFT JOIN districts d USING (district_id)
 WHERE a.kind = %(kind)s AND NOT a.retired
   AND (%(district)s::text IS NULL OR a.district_id = %(district)s)
   AND (%(after)s::text IS NULL OR a.asset_id > %(after)s)
 ORDER BY a.asset_id LIMIT %(limit)s

-- name: feeders_of
-- The feeders of a cabinet with their lamps and open tickets.
SELECT f.asset_id AS id, f.attributes ->> 'switching' AS switching, count(l.asset_id) AS lamps,
       coalesce(sum((l.attributes ->> 'rated_w')::double precision), 0) AS rated_w,
       count(l.asset_id) FILTER (WHERE l.asset_id IN (
           SELECT scope_id FROM tickets
            WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved'))) AS faulty,
       (SELECT t.ticket_id FROM tickets t
         WHERE t.scope_id = f.asset_id AND t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')
         ORDER BY t.ticket_id LIMIT 1) AS ticket
  FROM assets f LEFT JOIN assets l ON l.parent_id = f.asset_id AND l.kind = 'lamp' AND NOT l.retired
 WHERE f.parent_id = %(cabinet)s AND f.kind = 'feeder' AND NOT f.retired
 GROUP BY f.asset_id ORDER BY f.asset_id

-- name: gateway_state
SELECT state, state_at FROM gateways WHERE gateway_id = %(gateway)s

-- name: gateway_cabinets
SELECT asset_id AS id FROM assets
 WHERE gateway_id = %(gateway)s AND kind = 'cabinet' AND NOT retired ORDER BY asset_id LIMIT 200

-- name: gateway_devices
-- Devices that a gateway speaks for, and when one of their series was last heard.
SELECT d.device_id AS device, d.asset_id AS asset, a.kind AS asset_kind, d.profile_id AS profile, last.observed_at AS heard_at
  FROM devices d JOIN assets a USING (asset_id)
  LEFT JOIN LATERAL (
       SELECT series_id FROM series s WHERE s.device_id = d.device_id AND NOT s.retired
        ORDER BY s.metric LIMIT 1) one ON true
  LEFT JOIN LATERAL (
       SELECT observed_at FROM readings r WHERE r.series_id = one.series_id ORDER BY observed_at DESC LIMIT 1) last ON true
 WHERE d.gateway_id = %(gateway)s AND NOT d.retired
 ORDER BY d.device_id LIMIT %(limit)s

-- name: device_count
SELECT count(*) AS devices FROM devices WHERE gateway_id = %(gateway)s AND NOT retired

-- name: lamp_device
-- What measures an asset: make, how often it reports.
SELECT device_id AS device, profile_id AS profile, gateway_id AS gateway, report_interval_s
  FROM devices WHERE asset_id = %(asset)s AND NOT retired ORDER BY device_id

-- name: neighbours
-- Lamps of the same feeder around one, by number.
(SELECT asset_id AS id FROM assets
  WHERE parent_id = %(feeder)s AND kind = 'lamp' AND NOT retired AND asset_id < %(lamp)s
  ORDER BY asset_id DESC LIMIT %(each)s)
UNION ALL
(SELECT asset_id FROM assets
  WHERE parent_id = %(feeder)s AND kind = 'lamp' AND NOT retired AND asset_id > %(lamp)s
  ORDER BY asset_id LIMIT %(each)s)

-- name: districts
-- Every district with its open tickets, lamps and facilities.
WITH had AS (
    SELECT district_id, count(*) FILTER (WHERE kind = 'lamp') AS lamps,
           count(*) FILTER (WHERE kind = 'facility') AS facilities
      FROM assets WHERE kind IN ('lamp', 'facility') AND NOT retired
       AND (%(district)s::text IS NULL OR district_id = %(district)s)
     GROUP BY district_id
), open AS (
    SELECT district_id, count(*) AS tickets, count(*) FILTER (WHERE scope_kind = 'lamp') AS faulty FROM tickets
     WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved') AND scope_kind <> ALL(%(hidden)s)
     GROUP BY district_id
)
SELECT d.district_id AS id, d.name, coalesce(had.lamps, 0) AS lamps, coalesce(had.facilities, 0) AS facilities,
       coalesce(open.tickets, 0) AS tickets, coalesce(open.faulty, 0) AS faulty
  FROM districts d LEFT JOIN had USING (district_id) LEFT JOIN open USING (district_id)
 WHERE (%(district)s::text IS NULL OR d.district_id = %(district)s)

-- name: district_out
-- Lamps of a district without a ticket of their own, below a feeder or cabinet that is out.
WITH dark AS MATERIALIZED (
    SELECT t.scope_id FROM tickets t
     WHERE t.incident_key = 'dark' AND t.scope_kind IN ('feeder', 'cabinet')
       AND t.state IN ('new', 'assigned', 'in_progress')
)
SELECT count(*) AS out FROM assets a
 WHERE a.kind = 'lamp' AND NOT a.retired AND a.district_id = %(district)s
   AND a.parent_id IN (SELECT scope_id FROM dark
                       UNION SELECT f.asset_id FROM assets f JOIN dark ON f.parent_id = dark.scope_id)
   AND NOT EXISTS (SELECT FROM tickets t
                    WHERE t.scope_id = a.asset_id
                      AND t.state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved'))

-- name: district_centre
-- Where its lamps and facilities lie, for the map.
SELECT avg(lat) AS lat, avg(lon) AS lon FROM assets WHERE district_id = %(district)s AND kind IN ('cabinet', 'facility')

-- name: registered_gateways
-- Which of these gateways have a page.
SELECT asset_id FROM assets WHERE kind = 'gateway' AND NOT retired AND asset_id = ANY(%(gateways)s)
