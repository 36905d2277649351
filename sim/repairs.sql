-- name: create_repairs
-- What crews have mended; the simulated truth is what was planted, ended where a crew has been.
CREATE TABLE IF NOT EXISTS repairs (
    asset_id    TEXT NOT NULL,
    fault       TEXT NOT NULL,
    onset_us    INTEGER NOT NULL,
    repaired_us INTEGER NOT NULL,
    PRIMARY KEY (asset_id, fault, onset_us)
)

-- name: add
INSERT INTO repairs (asset_id, fault, onset_us, repaired_us) VALUES (:asset_id, :fault, :onset_us, :repaired_us)
ON CONFLICT DO NOTHING

-- name: all
SELECT asset_id, fault, onset_us, repaired_us FROM repairs
