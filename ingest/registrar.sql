-- name: devices
-- All devices in service, in the columns of an import.
SELECT device_id, asset_id, gateway_id, profile_id, address FROM devices WHERE NOT retired ORDER BY device_id

-- name: gateways
-- All gateways in service, in the columns of an import.
SELECT a.asset_id, a.name, a.lat, a.lon, a.district_id, coalesce(a.attributes ->> 'operator', '') FROM assets a
 WHERE a.kind = 'gateway' AND NOT a.retired ORDER BY a.asset_id
