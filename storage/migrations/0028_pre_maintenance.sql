-- Operators say where works go on: no ticket is opened for what they make of the city.
CREATE TABLE maintenance_windows (
    window_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('lamp', 'feeder', 'cabinet', 'gateway', 'facility', 'district')),
    target_id       text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL CHECK (ends_at > starts_at),
    ended_at        timestamptz,
    withdrawn       boolean NOT NULL DEFAULT false,
    reason          text NOT NULL,
    announced_at    timestamptz NOT NULL
);
CREATE INDEX maintenance_windows_by_end ON maintenance_windows (coalesce(ended_at, ends_at), window_id);
ALTER TABLE alarms ADD COLUMN held_by bigint;
CREATE INDEX alarms_by_window ON alarms (held_by) WHERE held_by IS NOT NULL;
ALTER TABLE registry_events DROP CONSTRAINT registry_events_kind_check;
ALTER TABLE registry_events ADD CONSTRAINT registry_events_kind_check
    CHECK (kind IN ('imported', 'added', 'changed', 'claimed', 'retired', 'released', 'restored', 'announced', 'ended',
                    'withdrawn', 'reinstated'));
ALTER TABLE registry_events DROP CONSTRAINT registry_events_subject_check;
ALTER TABLE registry_events ADD CONSTRAINT registry_events_subject_check
    CHECK (subject IN ('pack', 'device', 'gateway', 'profile', 'maintenance'));
