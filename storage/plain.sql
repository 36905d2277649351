-- Readings and their rollups on PostgreSQL alone: native partitions of months or days, and tables that `stream.rollups`
-- fills.

-- name: readings
-- Raw rows; the first value of a key wins. Partitions are made on demand by `ensure_readings_partition`.
CREATE TABLE readings (
    series_id       integer NOT NULL,
    observed_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    value           double precision NOT NULL,
    quality         smallint NOT NULL,                     -- city.reading.Quality
    PRIMARY KEY (series_id, observed_at)
) PARTITION BY RANGE (observed_at)

-- name: minute_rollup
-- Minutes of the series that report faster than every five.
CREATE TABLE readings_minute_rollup (
    series_id       integer NOT NULL,
    bucket          timestamptz NOT NULL,
    n               bigint NOT NULL,
    sum             double precision NOT NULL,
    minimum         double precision NOT NULL,
    maximum         double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
) PARTITION BY RANGE (bucket)

-- name: hour_rollup
-- Full hours of the city.
CREATE TABLE readings_hour_rollup (
    series_id       integer NOT NULL,
    bucket          timestamptz NOT NULL,
    n               bigint NOT NULL,
    sum             double precision NOT NULL,
    minimum         double precision NOT NULL,
    maximum         double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
)

-- name: hour_rollup_by_day
-- The same where a city's days pass in minutes: its hours go by partitions too.
CREATE TABLE readings_hour_rollup (
    series_id       integer NOT NULL,
    bucket          timestamptz NOT NULL,
    n               bigint NOT NULL,
    sum             double precision NOT NULL,
    minimum         double precision NOT NULL,
    maximum         double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
) PARTITION BY RANGE (bucket)

-- name: day_rollup
-- Days of the city, from its midnight; made of hours.
CREATE TABLE readings_day_rollup (
    series_id       integer NOT NULL,
    bucket          timestamptz NOT NULL,
    n               bigint NOT NULL,
    sum             double precision NOT NULL,
    minimum         double precision NOT NULL,
    maximum         double precision NOT NULL,
    PRIMARY KEY (series_id, bucket)
)

-- name: partition_function
-- Make the partition that holds `at`, a month or a day, if it is missing. Attached afterwards, so that readers and
-- writers of the others go on; the lock makes a second maker wait for the first one's commit.
CREATE FUNCTION ensure_readings_partition(parent text, at timestamptz) RETURNS void
LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    days timestamptz := (SELECT coalesce(days_since, 'infinity') FROM readings_layout);
    unit text := CASE WHEN at < days THEN 'month' ELSE 'day' END;
    since timestamptz := date_trunc(unit, at);
    child text := parent || to_char(since, CASE unit WHEN 'day' THEN '_YYYY_MM_DD' ELSE '_YYYY_MM' END);
BEGIN
    IF to_regclass(quote_ident(child)) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtext('citynerve.partition'), hashtext(parent));
        -- Not to_regclass again: its cached answer may be older than the wait.
        IF NOT EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = current_schema::regnamespace) THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           parent, child, since,
                           CASE unit WHEN 'day' THEN since + interval '1 day'
                                     ELSE least(since + interval '1 month', days) END);
        END IF;
    END IF;
END
$$
