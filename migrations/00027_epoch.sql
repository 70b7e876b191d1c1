-- +goose Up

-- In which life of the server the counter of tickets was last compared with Temporal; empty: in none yet. A server that was restored or took over from another one
-- is a new one, and may have forgotten numbers that it had given. See store/chain/ids.go.
ALTER TABLE counters ADD COLUMN epoch text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE counters DROP COLUMN epoch;
