-- What is set aside by hour, gateway and reason, and the gaps of an hour, found by an index each.
CREATE INDEX dead_letters_by_hour ON dead_letters (hour, gateway_id, reason) INCLUDE (units, settled) WHERE settled < units;
CREATE INDEX ledger_gaps_by_hour ON ledger_gaps (hour, gateway_id);
