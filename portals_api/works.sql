-- Works at an asset, or at what it hangs on. Nothing here changes anything.

-- name: works
-- Those that go on, then the next ones: of the asset, its feeder, cabinet, gateway, and of the districts of all of them.
WITH RECURSIVE above AS (
    SELECT a.asset_id, a.parent_id, a.root_id, a.gateway_id, a.district_id FROM assets a
     WHERE a.asset_id = %(asset)s AND NOT a.retired
    UNION
    SELECT a.asset_id, a.parent_id, a.root_id, a.gateway_id, a.district_id
      FROM above JOIN assets a ON a.asset_id IN (above.parent_id, above.root_id, above.gateway_id)
)
SELECT w.starts_at AS "from", w.ends_at AS "to", w.starts_at <= %(now)s AS running
  FROM maintenance_windows w
 WHERE NOT w.withdrawn AND coalesce(w.ended_at, w.ends_at) > %(now)s AND w.starts_at < %(soon)s
   AND (w.kind <> 'district' AND w.target_id IN (SELECT asset_id FROM above)
        OR w.kind = 'district' AND w.target_id IN (SELECT district_id FROM above))
 ORDER BY w.starts_at, w.window_id
 LIMIT 5
