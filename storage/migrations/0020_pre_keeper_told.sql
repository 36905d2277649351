-- Operators see whether the broker is told of credentials, and which passwords it has lost.
ALTER TABLE credential_keeper ADD COLUMN told_at timestamptz;
ALTER TABLE credential_keeper ADD COLUMN to_rotate text[] NOT NULL DEFAULT '{}';
