-- Maintenance windows.

-- name: target
-- Whether there is such a thing to work at.
SELECT CASE WHEN %(kind)s = 'district' THEN EXISTS (SELECT FROM districts WHERE district_id = %(target)s)
            ELSE EXISTS (SELECT FROM assets WHERE asset_id = %(target)s AND kind = %(kind)s AND NOT retired) END

-- name: insert
INSERT INTO maintenance_windows (kind, target_id, starts_at, ends_at, reason, announced_at)
VALUES (%(kind)s, %(target)s, %(starts_at)s, %(ends_at)s, %(reason)s, %(at)s) RETURNING window_id

-- name: window
SELECT kind, target_id, starts_at, ends_at, ended_at, withdrawn FROM maintenance_windows
 WHERE window_id = %(window)s FOR UPDATE

-- name: set
UPDATE maintenance_windows SET ended_at = %(ended_at)s, withdrawn = %(withdrawn)s WHERE window_id = %(window)s

-- name: meant
-- What windows mean, cabinet by cabinet and facility by facility: the asset itself; of a gateway the roots that it speaks
-- for; of a district its cabinets, facilities and gateways, and its lamps that hang on cabinets elsewhere.
WITH told AS (
    SELECT window_id, kind, target_id, starts_at, coalesce(ended_at, ends_at) AS ends_at FROM maintenance_windows
     WHERE (%(window)s::bigint IS NULL AND NOT withdrawn AND coalesce(ended_at, ends_at) > %(since)s)
        OR window_id = %(window)s
), meant AS (
    SELECT w.window_id, w.starts_at, w.ends_at, a.asset_id, a.kind, a.root_id
      FROM told w JOIN assets a ON a.asset_id = w.target_id WHERE w.kind <> 'district'
    UNION ALL
    SELECT w.window_id, w.starts_at, w.ends_at, a.asset_id, a.kind, a.root_id
      FROM told w JOIN assets a ON a.district_id = w.target_id
     WHERE w.kind = 'district' AND (a.kind IN ('cabinet', 'facility', 'gateway') OR (a.kind = 'lamp' AND NOT EXISTS (
           SELECT FROM assets c WHERE c.asset_id = a.root_id AND c.district_id = w.target_id)))
), at_root AS (
    SELECT root_id, window_id, starts_at, ends_at, asset_id FROM meant WHERE kind <> 'gateway'
    UNION
    SELECT a.root_id, m.window_id, m.starts_at, m.ends_at, m.asset_id
      FROM meant m JOIN devices d ON d.gateway_id = m.asset_id AND NOT d.retired JOIN assets a ON a.asset_id = d.asset_id
     WHERE m.kind = 'gateway'
)
SELECT root_id, window_id, starts_at, ends_at, array_agg(asset_id ORDER BY asset_id) FROM at_root
 WHERE %(roots)s::text[] IS NULL OR root_id = ANY(%(roots)s)
 GROUP BY root_id, window_id, starts_at, ends_at ORDER BY root_id, window_id
