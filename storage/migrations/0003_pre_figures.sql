-- The city's figures by hour and district, the marks that say which hours to count anew, and what finds tickets by time.
CREATE TABLE rollups_refreshed (
    mark_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour            timestamptz NOT NULL
);
CREATE INDEX rollups_refreshed_by_hour ON rollups_refreshed (hour);
CREATE TABLE figures_hour (
    figure          text NOT NULL,
    hour            timestamptz NOT NULL,
    district_id     text NOT NULL,
    part            double precision,
    whole           double precision NOT NULL,
    PRIMARY KEY (hour, figure, district_id)
);
CREATE INDEX tickets_by_opening ON tickets (opened_at);
CREATE INDEX tickets_by_closing ON tickets (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX assets_by_street ON assets ((attributes ->> 'street')) WHERE kind = 'lamp';
