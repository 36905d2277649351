-- name: note
INSERT INTO broker_deaths (last_heard_at, back_at) VALUES (%(heard)s, %(back)s)
