-- name: devices
-- All devices in service, in the columns of an import.
SELECT device_id, asset_id, gateway_id, profile_id, address FROM devices WHERE NOT retired ORDER BY device_id
