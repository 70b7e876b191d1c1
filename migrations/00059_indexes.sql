-- +goose NO TRANSACTION
-- +goose Up

-- Deliveries that are over and were not counted yet.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_uncounted;
CREATE INDEX CONCURRENTLY deliveries_uncounted ON deliveries (id) WHERE counted = '' AND state IN ('sent', 'failed');

-- What is still owed, by state and age.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_backlog;
CREATE INDEX CONCURRENTLY deliveries_backlog ON deliveries (tenant, state, at, id) WHERE state IN ('pending', 'parked', 'held');

-- The tags of a ticket, which are looked at and written anew ticket by ticket.
DROP INDEX CONCURRENTLY IF EXISTS ticket_tags_ticket;
CREATE INDEX CONCURRENTLY ticket_tags_ticket ON ticket_tags (ticket_id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS ticket_tags_ticket;
DROP INDEX CONCURRENTLY IF EXISTS deliveries_backlog;
DROP INDEX CONCURRENTLY IF EXISTS deliveries_uncounted;
