-- What people found; rows are added and never changed.

-- name: insert_verdict
INSERT INTO verdicts (ticket_id, finding, fault, words, actor, at)
VALUES (%(ticket_id)s, %(finding)s, %(fault)s, %(words)s, %(actor)s, %(at)s) RETURNING verdict_id

-- name: insert_alarm_verdict
INSERT INTO alarm_verdicts (alarm_id, verdict_id, finding) VALUES (%(alarm_id)s, %(verdict_id)s, %(finding)s)
