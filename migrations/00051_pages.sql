-- +goose Up

-- What an operator's pages list. Open tickets by when they were last changed, and tickets by when they are due; who is nobody's; and what is tied to a ticket, whatever the
-- relation is called.
CREATE INDEX tickets_open_updated ON tickets (tenant, updated_at, id) WHERE open;
CREATE INDEX tickets_due_at ON tickets (tenant, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX tickets_unassigned ON tickets (tenant, id) WHERE open AND assignee = '';
CREATE INDEX relations_item ON relations (tenant, content, ticket_id, type);

-- Deliveries of a tenant, whatever they are about, and those that are in trouble.
CREATE INDEX deliveries_tenant ON deliveries (tenant, at, id);
CREATE INDEX deliveries_troubled ON deliveries (tenant, at, id) WHERE state IN ('failed', 'held', 'parked');
CREATE INDEX subscriptions_host ON subscriptions (tenant, host);

-- Lists that somebody wants to see again, under a name: what was asked for, as the query of an address. owner is empty where everybody has it.
CREATE TABLE views (
    id         text        PRIMARY KEY,
    tenant     text        NOT NULL,
    owner      text        NOT NULL,
    name       text        NOT NULL,
    query      text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX views_name ON views (tenant, owner, name);

-- +goose Down
DROP TABLE views;
DROP INDEX subscriptions_host;
DROP INDEX deliveries_troubled;
DROP INDEX deliveries_tenant;
DROP INDEX relations_item;
DROP INDEX tickets_unassigned;
DROP INDEX tickets_due_at;
DROP INDEX tickets_open_updated;
