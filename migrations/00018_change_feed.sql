-- +goose Up

-- Where an event stands in its tenant's change feed: by place, then ticket_id and seq. tenant is empty, and the event not in the feed, until it
-- has a place: events of before this version, and those that processes of such a version still write. See store/tickets/changes.go.
ALTER TABLE events ADD COLUMN tenant text NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN place bigint NOT NULL DEFAULT 0;
CREATE INDEX events_changes ON events (tenant, place, ticket_id, seq) WHERE tenant <> '';
CREATE INDEX events_unplaced ON events (ticket_id) WHERE tenant = '';

-- One row. On PostgreSQL a place is base and the number of a transaction of that cluster; in another cluster, where a dump of this one is loaded, these
-- numbers begin anew, and base has to rise. Empty: not known.
CREATE TABLE change_feed (
    base    bigint NOT NULL,
    cluster text   NOT NULL
);
INSERT INTO change_feed (base, cluster) VALUES (0, '');

-- +goose Down
DROP TABLE change_feed;
DROP INDEX events_unplaced;
DROP INDEX events_changes;
ALTER TABLE events DROP COLUMN place;
ALTER TABLE events DROP COLUMN tenant;
