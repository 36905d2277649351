-- Retention must know how old the registry's records on the log are, to renew them before it takes them away.
ALTER TABLE installation ADD COLUMN published_at_us bigint NOT NULL DEFAULT 0;
