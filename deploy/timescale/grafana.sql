-- The role with which Grafana reads: what its panels need and nothing of what citizens wrote. May be run again.
\set ON_ERROR_STOP on
\getenv password GRAFANA_DATABASE_PASSWORD

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grafana') THEN
        CREATE ROLE grafana LOGIN;
    END IF;
END $$;
ALTER ROLE grafana PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 10;
ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '15s';
ALTER ROLE grafana SET timezone = 'UTC';
GRANT USAGE ON SCHEMA public TO grafana;
GRANT SELECT ON installation, ledger, ledger_gaps, ledger_lost, alarms TO grafana;
GRANT SELECT (ticket_id, state, category, fault, scope_kind, severity, district_id, opened_at, updated_at, closed_at)
    ON tickets TO grafana;
GRANT SELECT (reason, gateway_id, received_at, hour, units, sent_back, settled) ON dead_letters TO grafana;
GRANT SELECT (worker_group, topic, partition, next_offset, saved_at, code_version) ON checkpoints TO grafana;
