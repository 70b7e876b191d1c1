-- +goose Up

-- What this installation calls itself to others: one row, made by whoever needs it first.
CREATE TABLE installation (
    one        integer     PRIMARY KEY, -- 1
    id         text        NOT NULL,
    created_at timestamptz NOT NULL
);

-- Through how many installations came what an event, or a delivery, is there for.
ALTER TABLE stream ADD COLUMN hops integer NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN hops integer NOT NULL DEFAULT 0;

-- A ticket's subscriptions, as they are listed.
CREATE INDEX subscriptions_listed ON subscriptions (ticket_id, created_at, id) WHERE state <> 'deleted';

-- By which subscriptions that are over, and have been for long enough, are found.
CREATE INDEX subscriptions_over ON subscriptions (ended_at) WHERE ended_at IS NOT NULL AND (state = 'deleted' OR state = 'dropped' AND successor <> '');

-- +goose Down
DROP INDEX subscriptions_over;
DROP INDEX subscriptions_listed;
ALTER TABLE deliveries DROP COLUMN hops;
ALTER TABLE stream DROP COLUMN hops;
DROP TABLE installation;
