-- What people found.

-- name: of_alarms
SELECT alarm_id, finding, fault, actor, at FROM standing_verdicts WHERE alarm_id = ANY(%(alarms)s)

-- name: of_ticket
SELECT finding, fault, words, actor, at FROM verdicts WHERE ticket_id = %(ticket)s ORDER BY verdict_id DESC LIMIT 1
