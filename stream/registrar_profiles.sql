-- What operators write of profiles.

-- name: metrics
SELECT metric, unit, low, high FROM metrics ORDER BY metric

-- name: profiles
SELECT profile_id, body, retired, origin FROM profiles ORDER BY profile_id

-- name: put_profile
INSERT INTO profiles (profile_id, body, origin) VALUES (%(profile)s, %(body)s, 'operator')
ON CONFLICT (profile_id) DO UPDATE SET body = EXCLUDED.body, origin = 'operator', retired = false

-- name: devices_of_profiles
SELECT d.device_id, a.root_id FROM devices d JOIN assets a USING (asset_id)
 WHERE d.profile_id = ANY(%(profiles)s) AND NOT d.retired

-- name: used
SELECT profile_id, count(*) FROM devices WHERE profile_id = ANY(%(profiles)s) AND NOT retired
 GROUP BY profile_id ORDER BY profile_id LIMIT 1

-- name: profiles_held
SELECT profile_id, retired, origin FROM profiles WHERE profile_id = ANY(%(names)s) ORDER BY profile_id FOR UPDATE

-- name: set_profiles
UPDATE profiles SET retired = coalesce(%(retired)s, retired), origin = %(origin)s WHERE profile_id = ANY(%(names)s)

-- name: roots_of_profiles
SELECT DISTINCT a.root_id FROM devices d JOIN assets a USING (asset_id)
 WHERE d.profile_id = ANY(%(names)s) AND NOT d.retired
