-- +goose NO TRANSACTION
-- +goose Up

-- What of theirs is open, for those who opened or follow tickets.
DROP INDEX CONCURRENTLY IF EXISTS people_open;
CREATE INDEX CONCURRENTLY people_open ON people (tenant, person, part, ticket_id) WHERE NOT ended AND part IN ('opener', 'follower');

-- Open tickets that have broken what they promised, or are about to: among all that ever did they are few.
DROP INDEX CONCURRENTLY IF EXISTS tickets_open_sla;
CREATE INDEX CONCURRENTLY tickets_open_sla ON tickets (tenant, sla, id) WHERE open AND sla <> '';

-- What is over, by the host that it went to.
DROP INDEX CONCURRENTLY IF EXISTS deliveries_at_host;
CREATE INDEX CONCURRENTLY deliveries_at_host ON deliveries (tenant, counted, state, at, id) WHERE counted <> '';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS deliveries_at_host;
DROP INDEX CONCURRENTLY IF EXISTS tickets_open_sla;
DROP INDEX CONCURRENTLY IF EXISTS people_open;
