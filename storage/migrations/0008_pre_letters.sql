-- Letters that nobody wants leave the open list and stay quarantined; what happened to a letter is written down.
ALTER TABLE dead_letters
    ADD COLUMN unwanted boolean NOT NULL DEFAULT false,
    ADD COLUMN tries integer NOT NULL DEFAULT 0,
    ADD COLUMN state text NOT NULL GENERATED ALWAYS AS (
        CASE WHEN sent_back >= units THEN 'done' WHEN unwanted THEN 'not-wanted' ELSE 'open' END) STORED;
DROP INDEX dead_letters_open;
DROP INDEX dead_letters_by_reason;
CREATE INDEX dead_letters_by_time ON dead_letters (state, received_at, letter_id);
CREATE INDEX dead_letters_by_reason ON dead_letters (state, reason, received_at, letter_id) INCLUDE (units, sent_back);
CREATE INDEX dead_letters_by_gateway ON dead_letters (state, gateway_id, received_at, letter_id);
CREATE INDEX dead_letters_settled ON dead_letters (replayed_at) WHERE settled >= units;

CREATE TABLE dead_letter_events (
    event_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id       text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('sent-back', 'stays', 'not-wanted', 'wanted-again')),
    at              timestamptz NOT NULL,
    actor           text NOT NULL,
    readings        integer NOT NULL DEFAULT 0,
    reason          text NOT NULL DEFAULT '',
    detail          text NOT NULL DEFAULT ''
);
CREATE INDEX dead_letter_events_by_letter ON dead_letter_events (letter_id, event_id);
