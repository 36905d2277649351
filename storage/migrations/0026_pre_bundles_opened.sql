-- Bundles of isolated gateways are opened for devices and gateways that became known after they were set aside.
ALTER TABLE dead_letters ADD COLUMN opened_to bigint;
UPDATE dead_letters SET opened_to = 0 WHERE state = 'open' AND topic LIKE 'citynerve/v1/%/#';
CREATE INDEX dead_letters_bundles ON dead_letters (gateway_id, opened_to, received_at, letter_id)
 WHERE state = 'open' AND opened_to IS NOT NULL;
ALTER TABLE registry_events ADD COLUMN newcomer boolean GENERATED ALWAYS AS (
    CASE kind WHEN 'changed' THEN detail ? 'was' AND (
                  detail -> 'was' -> 'retired' = 'true'
                  OR (detail ->> 'gateway', detail ->> 'address')
                     IS DISTINCT FROM (detail -> 'was' ->> 'gateway', detail -> 'was' ->> 'address'))
              WHEN 'imported' THEN detail -> 'gateways' > '0'
              ELSE kind IN ('added', 'claimed', 'restored') END) STORED;
CREATE INDEX registry_events_by_time ON registry_events (at);
