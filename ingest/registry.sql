-- name: version
-- Grows with every change of the registry.
SELECT registry_version FROM installation
