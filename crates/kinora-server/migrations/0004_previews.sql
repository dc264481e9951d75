-- A picture of what the work is becoming, as a data: URL; only while a worker is at it.
ALTER TABLE videos ADD COLUMN preview TEXT;

-- Pixels of all frames that a key may ask for in 24 hours, in millions.
ALTER TABLE keys ADD COLUMN megapixels_a_day BIGINT;
