-- +goose NO TRANSACTION
-- +goose Up

-- Which tickets were reopened, and when: the list behind that number of an overview.
DROP INDEX CONCURRENTLY IF EXISTS events_reopened;
CREATE INDEX CONCURRENTLY events_reopened ON events (tenant, at, ticket_id) WHERE type = 'reopened';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS events_reopened;
