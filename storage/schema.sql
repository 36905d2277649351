-- The whole truth about the database today. `migrations/` is the way there; a test holds the two equal.
-- Times are timestamptz (µs, UTC). What TimescaleDB adds stands in timescale.sql, what stands in for it in plain.sql.

-- ---------------------------------------------------------------- installation

CREATE TABLE installation (
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    city            text NOT NULL,
    timezone        text NOT NULL,
    pack_version    text NOT NULL DEFAULT '',
    registry_version bigint NOT NULL DEFAULT 0,
    log_identity    text NOT NULL DEFAULT '',
    published_version bigint NOT NULL DEFAULT -1,          -- registry version that stands on the log
    published_at_us bigint NOT NULL DEFAULT 0,             -- city time at which it was last put there
    simulated       boolean NOT NULL DEFAULT false,
    clock_speed     double precision NOT NULL DEFAULT 1,
    clock_city_us   bigint,                                -- anchor of the scaled clock; NULL: the machine's clock
    clock_real_us   bigint,
    pack            jsonb NOT NULL DEFAULT '{}'            -- schedules, rules, categories, languages: the files are not needed again
);

-- ---------------------------------------------------------------- registry

CREATE TABLE districts (
    district_id     text PRIMARY KEY,
    name            text NOT NULL,
    boundary        jsonb                                  -- GeoJSON geometry
);

CREATE TABLE assets (
    asset_id        text PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('lamp', 'feeder', 'cabinet', 'gateway', 'facility')),
    name            text NOT NULL,
    parent_id       text,                                  -- lamp → feeder → cabinet
    root_id         text NOT NULL,                         -- cabinet, facility or gateway: what a lock of the desk covers
    correlation_group text NOT NULL,
    gateway_id      text,
    district_id     text REFERENCES districts,
    lat             double precision,
    lon             double precision,
    attributes      jsonb NOT NULL DEFAULT '{}',
    retired         boolean NOT NULL DEFAULT false,        -- no longer in the pack; kept for its history
    origin          text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator')) -- what an operator wrote, no import changes
);
CREATE INDEX assets_by_kind ON assets (kind, asset_id);
CREATE INDEX assets_by_parent ON assets (parent_id);
CREATE INDEX assets_by_district ON assets (district_id, kind);
CREATE INDEX assets_by_street ON assets ((attributes ->> 'street')) WHERE kind = 'lamp';

CREATE TABLE gateways (
    gateway_id      text PRIMARY KEY,
    number          integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    state           text NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'online', 'offline')),
    state_at        timestamptz
);

CREATE TABLE gateway_clocks (                              -- how old the freshest reading of a gateway's hour was
    gateway_id      text NOT NULL,
    hour            timestamptz NOT NULL,                  -- of receipt
    least_age_us    bigint NOT NULL,                       -- below zero: its clock is ahead by as much
    PRIMARY KEY (gateway_id, hour)
);

CREATE TABLE broker_drops (                                -- what brokers say they threw away
    broker          text PRIMARY KEY,                      -- host:port
    dropped         bigint NOT NULL,                       -- since the broker started
    grew_by         bigint NOT NULL DEFAULT 0,             -- the last time that it grew
    grew_at         timestamptz                            -- city time; NULL: never
);

CREATE TABLE split_divisions (                             -- among how many ingest processes gateways were divided by name
    processes       integer PRIMARY KEY
);

CREATE TABLE split_gateways (                              -- made once: who is registered later stays with the first process
    processes       integer NOT NULL REFERENCES split_divisions,
    gateway_id      text NOT NULL,
    number          integer NOT NULL,
    PRIMARY KEY (processes, gateway_id)
);

CREATE TABLE split_processes (                             -- which of them listen: the first takes what the missing would hear
    processes       integer NOT NULL REFERENCES split_divisions,
    number          integer NOT NULL,
    listening_at    timestamptz NOT NULL,                  -- machine time
    PRIMARY KEY (processes, number)
);

CREATE TABLE share_sessions (                              -- to which a broker deals: who stops leaves, who is gone is emptied
    client_id       text NOT NULL,
    share           text NOT NULL,                         -- name of the shared subscription, a secret
    listening_at    timestamptz NOT NULL,                  -- machine time
    emptied         boolean NOT NULL DEFAULT false,        -- gone, and what waited for it is on the log
    PRIMARY KEY (client_id, share)
);

CREATE TABLE shards (
    shard           integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 1023),
    partition       integer NOT NULL
);

CREATE TABLE devices (
    device_id       text PRIMARY KEY,
    asset_id        text NOT NULL REFERENCES assets,
    gateway_id      text NOT NULL REFERENCES gateways,
    profile_id      text NOT NULL,
    shard           integer NOT NULL REFERENCES shards,
    report_interval_s integer NOT NULL,
    silence_intervals double precision NOT NULL,
    retired         boolean NOT NULL DEFAULT false,        -- no longer in the pack; its readings are refused, its history stays
    address         text,                                  -- what it is called on the wire; NULL: as its id
    origin          text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator'))
);
CREATE UNIQUE INDEX devices_by_address ON devices (coalesce(address, device_id)) WHERE NOT retired;
CREATE INDEX devices_by_asset ON devices (asset_id);
CREATE INDEX devices_by_gateway ON devices (gateway_id);

CREATE TABLE profiles (
    profile_id      text PRIMARY KEY,
    body            jsonb NOT NULL,                        -- metrics, intervals, names on the wire, ignore, the codec's text
    retired         boolean NOT NULL DEFAULT false,
    origin          text NOT NULL DEFAULT 'pack' CHECK (origin IN ('pack', 'operator'))
);

CREATE TABLE registry_events (                             -- who changed what of devices, gateways and profiles
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    actor           text NOT NULL,                         -- a role, never a name
    kind            text NOT NULL CHECK (kind IN ('imported', 'added', 'changed', 'claimed', 'retired', 'released', 'restored', 'announced', 'ended',
                                                  'withdrawn', 'reinstated')),
    subject         text NOT NULL CHECK (subject IN ('pack', 'device', 'gateway', 'profile', 'maintenance')),
    subject_id      text NOT NULL,
    detail          jsonb NOT NULL DEFAULT '{}',
    registry_version bigint NOT NULL,
    newcomer        boolean GENERATED ALWAYS AS (
        CASE kind WHEN 'changed' THEN detail ? 'was' AND (
                      detail -> 'was' -> 'retired' = 'true'
                      OR (detail ->> 'gateway', detail ->> 'address')
                         IS DISTINCT FROM (detail -> 'was' ->> 'gateway', detail -> 'was' ->> 'address'))
                  WHEN 'imported' THEN detail -> 'gateways' > '0'
                  ELSE kind IN ('added', 'claimed', 'restored') END) STORED -- known under a name or behind a gateway under which it was not
);
CREATE INDEX registry_events_by_subject ON registry_events (subject, subject_id, event_id);
CREATE INDEX registry_events_by_time ON registry_events (at);

CREATE TABLE maintenance_windows (                         -- where works go on: no ticket is opened for what they do
    window_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('lamp', 'feeder', 'cabinet', 'gateway', 'facility', 'district')),
    target_id       text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL CHECK (ends_at > starts_at), -- as announced
    ended_at        timestamptz,                           -- earlier than announced
    withdrawn       boolean NOT NULL DEFAULT false,
    reason          text NOT NULL,                         -- an operator's words: nowhere else, so that they can be erased
    announced_at    timestamptz NOT NULL
);
CREATE INDEX maintenance_windows_by_end ON maintenance_windows (coalesce(ended_at, ends_at), window_id);

CREATE TABLE metrics (
    metric          text PRIMARY KEY,
    unit            text NOT NULL,
    low             double precision NOT NULL,
    high            double precision NOT NULL
);

CREATE TABLE series (
    series_id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id       text NOT NULL REFERENCES devices,
    metric          text NOT NULL REFERENCES metrics,
    retired         boolean NOT NULL DEFAULT false,        -- the device no longer reports it
    UNIQUE (device_id, metric)
);

-- ---------------------------------------------------------------- readings (partitions: plain.sql or timescale.sql)

CREATE TABLE readings_conflicting (
    series_id       integer NOT NULL,
    observed_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    value           double precision NOT NULL,
    quality         smallint NOT NULL,
    UNIQUE (series_id, observed_at, received_at, value)
);

CREATE TABLE readings_layout (                             -- which of the two stands, and what its rollups are cut by
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    engine          text NOT NULL CHECK (engine IN ('plain', 'timescale')),
    timezone        text NOT NULL,
    hour_offset     interval NOT NULL,                     -- of the city's full hours to UTC's
    raw_since       timestamptz NOT NULL DEFAULT '-infinity', -- retention has dropped the raw rows before; no refresh goes there
    days_since      timestamptz                            -- from then on a partition holds a day, and retention drops none older; NULL: months
);

CREATE TABLE rollups_touched (                             -- buckets with new rows; appended only, so that sinks never wait
    mark_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour            timestamptz NOT NULL,                  -- start of the bucket
    block           integer NOT NULL                       -- series_id / 256
);
CREATE INDEX rollups_touched_by_hour ON rollups_touched (hour);

CREATE TABLE rollups_refreshed (                           -- hours that were recomputed: what builds on them counts anew
    mark_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour            timestamptz NOT NULL
);
CREATE INDEX rollups_refreshed_by_hour ON rollups_refreshed (hour);

-- ---------------------------------------------------------------- figures (observatory/)

CREATE TABLE figures_hour (                                -- two sums a figure, full hour and district
    figure          text NOT NULL,
    hour            timestamptz NOT NULL,
    district_id     text NOT NULL,                         -- '' for what lies in none
    part            double precision,
    whole           double precision NOT NULL,
    PRIMARY KEY (hour, figure, district_id)
);

-- ---------------------------------------------------------------- ledger

CREATE TABLE ledger (
    gateway_id      text NOT NULL,                         -- '' where the topic named none
    hour            timestamptz NOT NULL,                  -- of receipt
    appended        bigint NOT NULL DEFAULT 0,
    stored          bigint NOT NULL DEFAULT 0,
    duplicate       bigint NOT NULL DEFAULT 0,
    conflicting     bigint NOT NULL DEFAULT 0,
    quarantined     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, gateway_id)
);

CREATE TABLE ledger_positions (                            -- up to where `appended` has been folded
    topic           text NOT NULL,
    partition       integer NOT NULL,
    next_offset     bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE ledger_numbers (
    gateway_id      text NOT NULL,
    epoch           text NOT NULL,
    seen            int8multirange NOT NULL,
    seen_in         timestamptz NOT NULL,                  -- hour of the latest
    PRIMARY KEY (gateway_id, epoch)
);

CREATE TABLE ledger_gaps (                                 -- numbers that never came, by the hour in which that showed
    gateway_id      text NOT NULL,
    epoch           text NOT NULL,
    numbers         int8range NOT NULL,
    hour            timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, epoch, numbers)
);
CREATE INDEX ledger_gaps_by_hour ON ledger_gaps (hour, gateway_id);

CREATE TABLE ledger_lost (                                 -- old gaps of runs with too many, joined: no longer fillable
    gateway_id      text NOT NULL,
    hour            timestamptz NOT NULL,
    messages        numeric NOT NULL,
    PRIMARY KEY (gateway_id, hour)
);

CREATE TABLE ledger_forgotten (                            -- runs of numbers beyond what is kept of a gateway: no gap of theirs shows
    gateway_id      text NOT NULL,
    hour            timestamptz NOT NULL,                  -- in which each was seen last
    runs            bigint NOT NULL,
    PRIMARY KEY (gateway_id, hour)
);

CREATE TABLE broker_deaths (                               -- when what it had acknowledged and not handed on was lost
    death_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    last_heard_at   timestamptz NOT NULL,
    back_at         timestamptz NOT NULL
);
CREATE INDEX broker_deaths_by_time ON broker_deaths (back_at);

CREATE TABLE broker_life (                                 -- by the machine's clock: a death is seen although ingest was away
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    started_at      timestamptz NOT NULL,
    alive_at        timestamptz NOT NULL
);

CREATE TABLE dead_letters (
    letter_id       text PRIMARY KEY,                      -- log-partition-offset on dead-letters
    reason          text NOT NULL,
    detail          text NOT NULL,
    topic           text NOT NULL,
    payload         bytea NOT NULL,
    gateway_id      text NOT NULL,
    received_at     timestamptz NOT NULL,
    hour            timestamptz NOT NULL,
    units           integer NOT NULL,
    only_readings   jsonb NOT NULL DEFAULT '[]',
    portions        integer NOT NULL DEFAULT 0,            -- times that something of it was sent back into the log
    sent_back       integer NOT NULL DEFAULT 0,            -- units that those replays settle once they are stored
    settled         integer NOT NULL DEFAULT 0,
    replayed_at     timestamptz,
    devices         text[] NOT NULL DEFAULT '{}',          -- names on the wire that the registry does not know
    unwanted        boolean NOT NULL DEFAULT false,        -- an operator says so; it stays quarantined
    tries           integer NOT NULL DEFAULT 0,            -- replays that looked at it
    retained        boolean NOT NULL DEFAULT false,        -- the broker had kept it: its receipt is no time of its readings
    state           text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN sent_back >= units THEN 'done' WHEN unwanted THEN 'not-wanted' ELSE 'open' END) STORED,
    opened_to       bigint                                 -- of a bundle: event of the registry up to which it was opened for newcomers
);
CREATE INDEX dead_letters_by_device ON dead_letters USING gin (devices) WHERE state = 'open';
CREATE INDEX dead_letters_by_time ON dead_letters (state, received_at, letter_id);
CREATE INDEX dead_letters_by_reason ON dead_letters (state, reason, received_at, letter_id) INCLUDE (units, sent_back);
CREATE INDEX dead_letters_by_gateway ON dead_letters (state, gateway_id, received_at, letter_id);
CREATE INDEX dead_letters_by_hour ON dead_letters (hour, gateway_id, reason) INCLUDE (units, settled) WHERE settled < units;
CREATE INDEX dead_letters_bundles ON dead_letters (gateway_id, opened_to, received_at, letter_id)
 WHERE state = 'open' AND opened_to IS NOT NULL;
CREATE INDEX dead_letters_settled ON dead_letters (replayed_at) WHERE settled >= units;

CREATE TABLE dead_letter_events (                          -- what happened to a letter, and who did it
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('sent-back', 'stays', 'not-wanted', 'wanted-again')),
    at              timestamptz NOT NULL,
    actor           text NOT NULL,                         -- a role, never a name
    readings        integer NOT NULL DEFAULT 0,            -- that went back into the log
    reason          text NOT NULL DEFAULT '',
    detail          text NOT NULL DEFAULT ''
);
CREATE INDEX dead_letter_events_by_letter ON dead_letter_events (letter_id, event_id);

CREATE TABLE dead_letter_replays (                         -- what goes back into the log; a repeat is not taken twice
    letter_id       text NOT NULL,
    portion         integer NOT NULL,
    partition       integer NOT NULL,                      -- of readings
    settles         integer NOT NULL,
    value           bytea,                                 -- NULL once it is on the log
    meta            bytea,
    at_us           bigint NOT NULL DEFAULT 0,
    record_offset   bigint,                                -- the one record that counts
    stored          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (letter_id, portion, partition)
);
CREATE INDEX dead_letter_replays_unsent ON dead_letter_replays (letter_id) WHERE value IS NOT NULL;

CREATE TABLE sparkplug_births (                            -- what Sparkplug's nodes and devices told of their metrics
    group_id        text NOT NULL,
    edge_id         text NOT NULL,
    device_id       text NOT NULL,                         -- on the wire; empty: the node itself
    first_at        timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,                  -- told again until then, with no other in between
    told            jsonb NOT NULL,
    PRIMARY KEY (group_id, edge_id, device_id, first_at)
);

-- ---------------------------------------------------------------- credentials at the broker (ingest/credentials/)

CREATE TABLE credentials (
    credential_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gateway_id      text NOT NULL,
    login           text NOT NULL,                         -- MQTT user name, or a certificate's common name
    kind            text NOT NULL CHECK (kind IN ('password', 'certificate')),
    password_hash   text NOT NULL DEFAULT '',              -- Argon2
    sealed          bytea,                                 -- the password, readable for the broker's keeper alone
    serial          text NOT NULL DEFAULT '',              -- of a certificate, hexadecimal
    publish         text[] NOT NULL,
    read            text[] NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text NOT NULL,
    expires_at      timestamptz,                           -- NULL: it does not end by itself
    revoked_at      timestamptz,
    version         bigint NOT NULL DEFAULT 0,             -- of credential_version, with its last change
    told_at         timestamptz                            -- when the broker was told of that; NULL: it is not yet
);
CREATE UNIQUE INDEX credentials_logins ON credentials (login) WHERE kind = 'password';
CREATE UNIQUE INDEX credentials_serials ON credentials (serial) WHERE kind = 'certificate';
CREATE INDEX credentials_by_gateway ON credentials (gateway_id, credential_id);

CREATE TABLE credential_events (                           -- appended only; a secret never stands here
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    credential_id   bigint NOT NULL REFERENCES credentials,
    kind            text NOT NULL CHECK (kind IN ('created', 'replaced', 'topics', 'revoked')),
    actor           text NOT NULL,                         -- a role, never a name
    at              timestamptz NOT NULL,
    detail          jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX credential_events_by_credential ON credential_events (credential_id, event_id);

CREATE TABLE credential_version (                          -- moves with every change: whoever keeps a broker asks it twice a second
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    version         bigint NOT NULL
);

CREATE TABLE credential_keeper (                           -- what the broker's keeper has to say
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    public_key      bytea,                                 -- passwords are sealed with it; NULL: nobody needs them
    told_at         timestamptz,                           -- when the broker was last told of all credentials
    to_rotate       text[] NOT NULL DEFAULT '{}'           -- logins whose passwords the broker has lost for good
);

-- ---------------------------------------------------------------- worker state

CREATE TABLE checkpoints (
    worker_group    text NOT NULL,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    generation      bigint NOT NULL,
    next_offset     bigint NOT NULL DEFAULT 0,
    log_identity    text NOT NULL,
    code_version    text NOT NULL,
    pack_version    text NOT NULL DEFAULT '',
    state           bytea,
    saved_at        timestamptz NOT NULL DEFAULT now(),
    ticked_at       timestamptz,                           -- city time of the last tick that the store has passed
    PRIMARY KEY (worker_group, topic, partition)
);

CREATE TABLE outbox (                                      -- records to append, written with what they tell of
    outbox_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    kind            text NOT NULL,
    value           bytea NOT NULL,
    at_us           bigint NOT NULL
);

-- ---------------------------------------------------------------- alarms and tickets

CREATE TABLE alarms (
    alarm_id        text PRIMARY KEY,
    fault           text NOT NULL,
    severity        text NOT NULL,
    scope_kind      text NOT NULL,
    scope_id        text NOT NULL,
    root_id         text NOT NULL,
    raised_at       timestamptz NOT NULL,
    cleared_at      timestamptz,
    parent_id       text,
    children        jsonb NOT NULL DEFAULT '[]',
    evidence        jsonb NOT NULL,
    held_by         bigint,                                -- maintenance window during which it came: shown, without a ticket
    device_id       text NOT NULL DEFAULT ''               -- the device, where its facility has several
);
CREATE INDEX alarms_by_window ON alarms (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX alarms_by_scope ON alarms (scope_id, raised_at DESC);
CREATE INDEX alarms_by_parent ON alarms (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX alarms_by_fault ON alarms (fault, raised_at DESC);

CREATE TABLE alarm_events (                                -- what the desk has taken: a repeat has no effect
    event_id        text PRIMARY KEY,
    alarm_id        text NOT NULL,
    kind            text NOT NULL,
    at              timestamptz NOT NULL
);
CREATE INDEX alarm_events_by_alarm ON alarm_events (alarm_id, at);

CREATE TABLE tickets (
    ticket_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state           text NOT NULL,
    category        text NOT NULL,
    fault           text NOT NULL DEFAULT '',
    scope_kind      text NOT NULL,
    scope_id        text NOT NULL,
    root_id         text NOT NULL,
    incident_key    text NOT NULL,
    severity        text NOT NULL,
    district_id     text,
    lat             double precision,
    lon             double precision,
    description     text NOT NULL DEFAULT '',              -- generated; what citizens wrote stands in reports
    still_dark      boolean NOT NULL DEFAULT false,        -- a citizen says so; only a person may close it then
    merged_into     bigint REFERENCES tickets,
    opened_at       timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    closed_at       timestamptz,
    verify_after    timestamptz,                           -- start of the commanded-on period that shows a repair
    version         integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX one_open_ticket ON tickets (scope_id, incident_key)
    WHERE state IN ('new', 'assigned', 'in_progress', 'recovered', 'resolved');
CREATE INDEX tickets_by_root ON tickets (root_id, state);
CREATE INDEX tickets_by_update ON tickets (updated_at DESC, ticket_id DESC);
CREATE INDEX tickets_by_opening ON tickets (opened_at);
CREATE INDEX tickets_by_closing ON tickets (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE ticket_alarms (
    ticket_id       bigint NOT NULL REFERENCES tickets,
    alarm_id        text NOT NULL REFERENCES alarms,
    PRIMARY KEY (ticket_id, alarm_id)
);
CREATE INDEX ticket_alarms_by_alarm ON ticket_alarms (alarm_id);

CREATE TABLE ticket_events (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id       bigint NOT NULL REFERENCES tickets,
    kind            text NOT NULL,
    actor           text NOT NULL,                         -- a role, never a name
    at              timestamptz NOT NULL,
    from_state      text,
    to_state        text,
    reason          text NOT NULL DEFAULT '',
    detail          jsonb NOT NULL DEFAULT '{}'            -- references only, never personal data
);
CREATE INDEX ticket_events_by_ticket ON ticket_events (ticket_id, event_id);

CREATE TABLE verdicts (                                    -- what people found of a ticket; the latest counts, all are kept
    verdict_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id       bigint NOT NULL REFERENCES tickets,
    finding         text NOT NULL CHECK (finding IN ('true', 'false', 'other')),
    fault           text NOT NULL,                         -- what it was; empty: nothing, or what the words say
    words           text NOT NULL,                         -- nowhere else, so that they can be erased
    actor           text NOT NULL,                         -- a role, never a name
    at              timestamptz NOT NULL
);
CREATE INDEX verdicts_by_ticket ON verdicts (ticket_id, verdict_id);

CREATE TABLE alarm_verdicts (                              -- the same of each alarm of the ticket that no other explains
    alarm_id        text NOT NULL REFERENCES alarms,
    verdict_id      bigint NOT NULL REFERENCES verdicts,
    finding         text NOT NULL CHECK (finding IN ('true', 'false', 'other')),
    PRIMARY KEY (alarm_id, verdict_id)
);

CREATE VIEW standing_verdicts AS                           -- of each alarm the latest
    SELECT DISTINCT ON (a.alarm_id) a.alarm_id, a.finding, v.verdict_id, v.ticket_id, v.fault, v.words, v.actor, v.at
      FROM alarm_verdicts a JOIN verdicts v USING (verdict_id) ORDER BY a.alarm_id, a.verdict_id DESC;

CREATE TABLE reports (
    report_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id       bigint NOT NULL REFERENCES tickets,
    request_key     text UNIQUE,                           -- the client's own key: a repeat gives the same report
    category        text NOT NULL,
    asset_id        text,
    lat             double precision,
    lon             double precision,
    place           text NOT NULL DEFAULT '',
    description     text NOT NULL DEFAULT '',
    received_at     timestamptz NOT NULL
);
CREATE INDEX reports_by_ticket ON reports (ticket_id);

CREATE TABLE report_contacts (                             -- apart, so that it can be erased
    report_id       bigint PRIMARY KEY REFERENCES reports ON DELETE CASCADE,
    email           text NOT NULL
);

-- ---------------------------------------------------------------- the log's PostgreSQL engine

CREATE TABLE log_identity (
    only_one        boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    identity        text NOT NULL,
    max_bytes       bigint NOT NULL DEFAULT 53687091200
);

CREATE TABLE log_heads (
    topic           text NOT NULL,
    partition       integer NOT NULL,
    begin_offset    bigint NOT NULL DEFAULT 0,
    next_offset     bigint NOT NULL DEFAULT 0,
    bytes           bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE log_records (
    topic           text NOT NULL,
    partition       integer NOT NULL,
    "offset"        bigint NOT NULL,
    kind            text NOT NULL,
    meta            bytea NOT NULL,
    at_us           bigint NOT NULL,
    value           bytea NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
ALTER TABLE log_records ALTER COLUMN value SET STORAGE EXTERNAL;

CREATE TABLE log_groups (
    worker_group    text PRIMARY KEY,
    generation      bigint NOT NULL DEFAULT 0
);

CREATE TABLE log_members (
    worker_group    text NOT NULL REFERENCES log_groups,
    member          text NOT NULL,
    topics          text[] NOT NULL,
    expires_at      timestamptz NOT NULL,
    PRIMARY KEY (worker_group, member)
);

CREATE TABLE log_leases (
    worker_group    text NOT NULL REFERENCES log_groups,
    topic           text NOT NULL,
    partition       integer NOT NULL,
    member          text,
    generation      bigint NOT NULL DEFAULT 0,
    next_offset     bigint,                                -- NULL: never committed
    PRIMARY KEY (worker_group, topic, partition)
);
