-- +goose NO TRANSACTION
-- +goose Up

-- What was given up of tickets, by subscription and end: whether anything was since its address last took something.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_given_up;
CREATE INDEX CONCURRENTLY deliveries_given_up ON deliveries (subscription_id, ended_at, id) WHERE state = 'failed' AND ticket_id > 0;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS deliveries_given_up;
