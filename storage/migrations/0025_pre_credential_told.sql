-- Operators see whether the broker has been told of a credential's last change, and since when; the embedded one too.
ALTER TABLE credentials ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN told_at timestamptz;
ALTER TABLE credential_keeper ALTER COLUMN public_key DROP NOT NULL;
