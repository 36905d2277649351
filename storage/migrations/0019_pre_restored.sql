-- Operators bring back what they have retired.
ALTER TABLE registry_events DROP CONSTRAINT registry_events_kind_check;
ALTER TABLE registry_events ADD CONSTRAINT registry_events_kind_check
    CHECK (kind IN ('imported', 'added', 'changed', 'claimed', 'retired', 'released', 'restored'));
