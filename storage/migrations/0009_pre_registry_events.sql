-- Operators add, change and claim devices: what they wrote outlives imports, and every change is an event.
ALTER TABLE assets ADD COLUMN origin text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator'));
ALTER TABLE devices ADD COLUMN origin text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator'));
CREATE TABLE profiles (
    profile_id      text PRIMARY KEY,
    body            jsonb NOT NULL,
    retired         boolean NOT NULL DEFAULT false,
    origin          text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator'))
);
CREATE TABLE registry_events (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    actor           text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('imported', 'added', 'changed', 'claimed', 'retired', 'released')),
    subject         text NOT NULL CHECK (subject IN ('pack', 'device', 'gateway', 'profile')),
    subject_id      text NOT NULL,
    detail          jsonb NOT NULL DEFAULT '{}',
    registry_version bigint NOT NULL
);
CREATE INDEX registry_events_by_subject ON registry_events (subject, subject_id, event_id);
ALTER TABLE dead_letters ADD COLUMN devices text[] NOT NULL DEFAULT '{}';
CREATE INDEX dead_letters_by_device ON dead_letters USING gin (devices) WHERE state = 'open';
