-- +goose Up

-- Who has which part in a ticket: opener, actor, follower, approver. seq is of the event that gave it, so that actors have an order.
CREATE TABLE people (
    tenant    text   NOT NULL,
    person    text   NOT NULL,
    part      text   NOT NULL,
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    seq       bigint NOT NULL,
    PRIMARY KEY (tenant, person, part, ticket_id)
);
CREATE INDEX people_ticket ON people (ticket_id, part, seq);

ALTER TABLE tickets ADD COLUMN ended_at timestamptz;
CREATE INDEX tickets_ended ON tickets (tenant, ended_at) WHERE ended_at IS NOT NULL;

-- What somebody thinks of how a ticket went.
CREATE TABLE ratings (
    ticket_id bigint      PRIMARY KEY REFERENCES tickets (id),
    stars     integer     NOT NULL,
    operator  text        NOT NULL,
    comments  text        NOT NULL,
    at        timestamptz NOT NULL
);

-- Headers that the owner of an address wants sent along, as sealed JSON; empty: none.
ALTER TABLE subscriptions ADD COLUMN headers text NOT NULL DEFAULT '';

-- Whether a delivery that was given up is on the list of failed callbacks, until somebody has asked what its ticket came to.
ALTER TABLE deliveries ADD COLUMN listed boolean NOT NULL DEFAULT false;
CREATE INDEX deliveries_failed ON deliveries (tenant, at) WHERE state = 'failed' AND listed;

-- +goose Down
DROP INDEX deliveries_failed;
ALTER TABLE deliveries DROP COLUMN listed;
ALTER TABLE subscriptions DROP COLUMN headers;
DROP TABLE ratings;
DROP INDEX tickets_ended;
ALTER TABLE tickets DROP COLUMN ended_at;
DROP TABLE people;
