-- name: lock_gateway
-- One change of a gateway's credentials at a time: their logins are numbered.
SELECT pg_advisory_xact_lock(hashtext('credentials'), hashtext(%(gateway_id)s))

-- name: gateway_known
SELECT EXISTS (SELECT FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id
                WHERE g.gateway_id = %(gateway_id)s AND NOT a.retired)

-- name: counts
-- Passwords that a gateway ever had, and its credentials that are valid now.
SELECT count(*) FILTER (WHERE kind = 'password'),
       count(*) FILTER (WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s))
  FROM credentials WHERE gateway_id = %(gateway_id)s

-- name: keeper_key
SELECT public_key FROM credential_keeper

-- name: take_turn
-- The number is any that nobody else uses ("cred").
SELECT pg_try_advisory_xact_lock(1668441444)

-- name: set_keeper_key
INSERT INTO credential_keeper (public_key) VALUES (%(public_key)s)
ON CONFLICT (only_one) DO UPDATE SET public_key = excluded.public_key
 WHERE credential_keeper.public_key IS DISTINCT FROM excluded.public_key

-- name: note_told
INSERT INTO credential_keeper (told_at, to_rotate) VALUES (now(), %(to_rotate)s)
ON CONFLICT (only_one) DO UPDATE SET told_at = excluded.told_at, to_rotate = excluded.to_rotate

-- name: note_in_force
-- Whoever is being changed at this moment is passed over: the broker is told of him again.
UPDATE credentials SET told_at = clock_timestamp()
 WHERE credential_id IN (SELECT credential_id FROM credentials
                          WHERE told_at IS NULL AND version <= %(version)s AND kind = ANY(%(kinds)s)
                            AND NOT login = ANY(%(to_rotate)s)
                            FOR UPDATE SKIP LOCKED)

-- name: insert
INSERT INTO credentials (gateway_id, login, kind, password_hash, sealed, serial, publish, read, created_at, created_by,
                         expires_at)
VALUES (%(gateway_id)s, %(login)s, %(kind)s, %(password_hash)s, %(sealed)s, %(serial)s, %(publish)s, %(read)s, %(now)s,
        %(actor)s, %(expires_at)s)
RETURNING credential_id, gateway_id, login, kind, serial, publish, read, created_at, created_by, expires_at, revoked_at,
          NULL::timestamptz, NULL::timestamptz

-- name: note
INSERT INTO credential_events (credential_id, kind, actor, at, detail)
VALUES (%(credential_id)s, %(kind)s, %(actor)s, %(now)s, %(detail)s)

-- name: one
SELECT credential_id, gateway_id, login, kind, serial, publish, read, created_at, created_by, expires_at, revoked_at,
       told_at, (SELECT told_at FROM credential_keeper)
  FROM credentials WHERE credential_id = %(credential_id)s

-- name: of_login
-- A certificate's name may be that of a password: the password is meant.
SELECT credential_id FROM credentials WHERE login = %(login)s AND kind = 'password'

-- name: of_serial
SELECT credential_id FROM credentials WHERE serial = %(serial)s AND kind = 'certificate'

-- name: end_by
-- It ends then, unless it ends sooner.
UPDATE credentials SET expires_at = least(coalesce(expires_at, %(at)s), %(at)s) WHERE credential_id = %(credential_id)s

-- name: revoke
UPDATE credentials SET revoked_at = %(now)s WHERE credential_id = %(credential_id)s

-- name: set_topics
UPDATE credentials SET publish = %(publish)s, read = %(read)s WHERE credential_id = %(credential_id)s

-- name: page
-- The newest first; those that are over only where they are asked for.
SELECT credential_id, gateway_id, login, kind, serial, publish, read, created_at, created_by, expires_at, revoked_at,
       told_at, (SELECT told_at FROM credential_keeper)
  FROM credentials
 WHERE (%(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s)
   AND (%(before)s::bigint IS NULL OR credential_id < %(before)s)
   AND (%(past)s OR (revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)))
 ORDER BY credential_id DESC LIMIT %(count)s

-- name: events
SELECT kind, actor, at, detail FROM credential_events WHERE credential_id = %(credential_id)s ORDER BY event_id

-- name: replaced_by
-- The login that a rotation gave in its place.
SELECT detail->>'by' FROM credential_events
 WHERE credential_id = %(credential_id)s AND kind = 'replaced' ORDER BY event_id DESC LIMIT 1

-- name: version
-- Changes with every change.
SELECT coalesce(max(version), 0) FROM credential_version

-- name: move_version
-- The row is held until the transaction ends, so that versions follow each other in the order in which changes show.
INSERT INTO credential_version AS v (version) VALUES (1) ON CONFLICT (only_one) DO UPDATE SET version = v.version + 1

-- name: stamp
-- What changed is of this version, and the broker does not know of it yet.
UPDATE credentials SET version = (SELECT version FROM credential_version), told_at = NULL
 WHERE credential_id = %(credential_id)s

-- name: not_revoked
SELECT credential_id FROM credentials WHERE gateway_id = ANY(%(gateways)s) AND revoked_at IS NULL ORDER BY credential_id

-- name: retired
-- Gateways out of service whose credentials are not all revoked.
SELECT DISTINCT gateway_id FROM credentials c
 WHERE revoked_at IS NULL
   AND NOT EXISTS (SELECT FROM gateways g JOIN assets a ON a.asset_id = g.gateway_id
                    WHERE g.gateway_id = c.gateway_id AND NOT a.retired)

-- name: grants
SELECT login, gateway_id, publish, read, password_hash, sealed, serial, expires_at
  FROM credentials
 WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %(now)s)
 ORDER BY credential_id

-- name: names_refused
-- Who had certificates and has none that is valid, for ever: a connection that one of them opened may outlive it.
SELECT login FROM credentials
 WHERE kind = 'certificate'
 GROUP BY login HAVING NOT bool_or(revoked_at IS NULL AND expires_at > %(now)s) ORDER BY login

-- name: certificates_revoked
-- For the list of revoked certificates: those that have not run out.
SELECT serial, revoked_at FROM credentials
 WHERE kind = 'certificate' AND revoked_at IS NOT NULL AND expires_at > %(now)s ORDER BY credential_id
