-- name: clock
SELECT clock_city_us, clock_real_us, clock_speed FROM installation

-- name: ledger
SELECT coalesce(sum(appended), 0)::bigint, coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
       coalesce(sum(conflicting), 0)::bigint, coalesce(sum(quarantined), 0)::bigint
  FROM ledger

-- name: tickets_open
SELECT count(*) FROM tickets WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved')

-- name: dead_letters
SELECT count(*) FROM dead_letters WHERE state = 'open'
