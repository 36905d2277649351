-- A city whose days pass in minutes drops its raw rows by days.
ALTER TABLE readings_layout ADD COLUMN days_since timestamptz;
