-- Who may connect to the broker and publish where, every change of it, and the key that passwords are sealed with.
CREATE TABLE credentials (
    credential_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id      text NOT NULL,
    login           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('password', 'certificate')),
    password_hash   text NOT NULL DEFAULT '',
    sealed          bytea,
    serial          text NOT NULL DEFAULT '',
    publish         text[] NOT NULL,
    read            text[] NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz
);
CREATE UNIQUE INDEX credentials_logins ON credentials (login) WHERE kind = 'password';
CREATE UNIQUE INDEX credentials_serials ON credentials (serial) WHERE kind = 'certificate';
CREATE INDEX credentials_by_gateway ON credentials (gateway_id, credential_id);
CREATE TABLE credential_events (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    credential_id   bigint NOT NULL REFERENCES credentials,
    kind            text NOT NULL CHECK (kind IN ('created', 'replaced', 'topics', 'revoked')),
    actor           text NOT NULL,
    at              timestamptz NOT NULL,
    detail          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX credential_events_by_credential ON credential_events (credential_id, event_id);
CREATE TABLE credential_keeper (
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    public_key      bytea NOT NULL
);
