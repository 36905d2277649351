-- What operators write of gateways.

-- name: gateways_as_they_are
SELECT asset_id, kind, name, lat, lon, district_id, coalesce(attributes ->> 'operator', ''), retired FROM assets WHERE asset_id = ANY(%(gateways)s)

-- name: known_districts
SELECT district_id FROM districts

-- name: put_gateway
INSERT INTO assets AS a (asset_id, kind, name, parent_id, root_id, correlation_group, gateway_id, district_id, lat, lon,
                         attributes, origin)
VALUES (%(gateway)s, 'gateway', %(name)s, NULL, %(gateway)s, %(gateway)s, %(gateway)s, %(district)s, %(lat)s, %(lon)s,
        CASE %(operator)s WHEN '' THEN '{}' ELSE jsonb_build_object('operator', %(operator)s::text) END, 'operator')
ON CONFLICT (asset_id) DO UPDATE
   SET name = EXCLUDED.name, district_id = EXCLUDED.district_id, lat = EXCLUDED.lat, lon = EXCLUDED.lon,
       attributes = a.attributes - 'operator' || EXCLUDED.attributes, origin = 'operator', retired = false

-- name: number_gateway
INSERT INTO gateways (gateway_id) VALUES (%(gateway)s) ON CONFLICT DO NOTHING

-- name: gateways_held
SELECT asset_id, retired, origin FROM assets WHERE kind = 'gateway' AND asset_id = ANY(%(names)s)
 ORDER BY asset_id FOR UPDATE

-- name: set_gateways
UPDATE assets SET retired = coalesce(%(retired)s, retired), origin = %(origin)s WHERE asset_id = ANY(%(names)s)

-- name: roots_of_gateways
-- What stands behind a gateway: nobody waits for devices whose gateway is retired.
SELECT DISTINCT a.root_id FROM devices d JOIN assets a USING (asset_id)
 WHERE d.gateway_id = ANY(%(names)s) AND NOT d.retired
