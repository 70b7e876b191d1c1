-- +goose Up

-- Tickets that cannot go on without somebody who does something about it: why, and since when. Few, so a table of their own, which costs those that are well no rewriting.
CREATE TABLE stuck (
    ticket_id bigint      NOT NULL REFERENCES tickets (id),
    cause     text        NOT NULL, -- ticket.Cause
    tenant    text        NOT NULL,
    since     timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, cause)
);
CREATE INDEX stuck_tenant ON stuck (tenant, since, ticket_id);
CREATE INDEX stuck_newest ON stuck (tenant, ticket_id, cause);
CREATE INDEX stuck_undelivered ON stuck (ticket_id) WHERE cause = 'undelivered';

-- Whether what there is to say of a ticket was held against its state since this version: open tickets of versions before are looked at by migrate.
CREATE TABLE unlooked (
    up_to bigint NOT NULL -- open tickets with this id and lower ones are still to be looked at
);
INSERT INTO unlooked (up_to) SELECT COALESCE(MAX(id), 0) FROM tickets;

-- +goose Down
DROP TABLE unlooked;
DROP TABLE stuck;
