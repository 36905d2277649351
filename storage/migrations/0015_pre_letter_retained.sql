-- A message that the broker had kept stays one, whatever it was set aside for.
ALTER TABLE dead_letters ADD COLUMN retained boolean NOT NULL DEFAULT false;
UPDATE dead_letters SET retained = true WHERE reason = 'retained-without-time';
