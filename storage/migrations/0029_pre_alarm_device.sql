-- What one of several devices of a facility shows is an alarm, and an incident, of its own.
ALTER TABLE alarms ADD COLUMN device_id text NOT NULL DEFAULT '';
