-- +goose Up

-- How many of the requests that came with a signature were let through and not refused. At 0 the signature has done nothing and may be used again.
-- Processes of before write none and take every row for used.
ALTER TABLE signatures ADD COLUMN uses integer NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE signatures DROP COLUMN uses;
