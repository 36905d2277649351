-- Crews and operators say what they found of a ticket's alarms; alarms of one fault are looked up by their time.
CREATE TABLE verdicts (
    verdict_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id       bigint NOT NULL REFERENCES tickets,
    finding         text NOT NULL CHECK (finding IN ('true', 'false', 'other')),
    fault           text NOT NULL,
    words           text NOT NULL,
    actor           text NOT NULL,
    at              timestamptz NOT NULL
);
CREATE INDEX verdicts_by_ticket ON verdicts (ticket_id, verdict_id);
CREATE TABLE alarm_verdicts (
    alarm_id        text NOT NULL REFERENCES alarms,
    verdict_id      bigint NOT NULL REFERENCES verdicts,
    finding         text NOT NULL CHECK (finding IN ('true', 'false', 'other')),
    PRIMARY KEY (alarm_id, verdict_id)
);
CREATE VIEW standing_verdicts AS
    SELECT DISTINCT ON (a.alarm_id) a.alarm_id, a.finding, v.verdict_id, v.ticket_id, v.fault, v.words, v.actor, v.at
      FROM alarm_verdicts a JOIN verdicts v USING (verdict_id) ORDER BY a.alarm_id, a.verdict_id DESC;
CREATE INDEX alarms_by_fault ON alarms (fault, raised_at DESC);
