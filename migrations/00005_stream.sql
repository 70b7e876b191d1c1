-- +goose Up

-- Lasting subscriptions, those with ticket_id 0, follow the stream. Which of them an event is for is found by equality: by the selectors
-- that the shapes in use give for the event (see package store/outbox).
ALTER TABLE subscriptions ADD COLUMN filter   text    NOT NULL DEFAULT '{}'; -- JSON, as its owner set it
ALTER TABLE subscriptions ADD COLUMN shape    integer NOT NULL DEFAULT 0;    -- of the filter
ALTER TABLE subscriptions ADD COLUMN selector text    NOT NULL DEFAULT '';   -- likewise
ALTER TABLE subscriptions ADD COLUMN older    text    NOT NULL DEFAULT '[]'; -- JSON: earlier secrets, sealed, and until when they sign as well
CREATE INDEX subscriptions_shape ON subscriptions (tenant, shape) WHERE ticket_id = 0 AND state IN ('active', 'paused');
CREATE INDEX subscriptions_selector ON subscriptions (tenant, selector) WHERE ticket_id = 0 AND state IN ('active', 'paused');
CREATE INDEX subscriptions_lasting ON subscriptions (tenant, created_at, id) WHERE ticket_id = 0 AND state <> 'deleted';

-- What callers published. What tickets publish is in events.
CREATE TABLE stream (
    id         text        PRIMARY KEY,
    tenant     text        NOT NULL,
    app        text        NOT NULL,
    request_id text        NOT NULL,
    source     text        NOT NULL,
    topic      text        NOT NULL,
    type       text        NOT NULL,
    status     text        NOT NULL,
    key        text        NOT NULL, -- empty: it has none
    changes    text        NOT NULL, -- JSON
    at         timestamptz NOT NULL
);
CREATE INDEX stream_tenant ON stream (tenant, at, id);

-- For events of the stream what the row of a ticket is for its own: who holds it creates the deliveries of its lanes, and parks them. id is
-- below zero, and stands in ticket_id of lanes and deliveries.
CREATE TABLE stream_lanes (
    id  bigint      PRIMARY KEY,
    seq bigint      NOT NULL, -- of the last event
    at  timestamptz NOT NULL  -- likewise; never runs backwards
);

CREATE INDEX lanes_subscription ON lanes (subscription_id);
CREATE INDEX deliveries_left ON deliveries (subscription_id, state) WHERE state IN ('held', 'failed');

-- +goose Down
DROP INDEX deliveries_left;
DROP INDEX lanes_subscription;
DROP TABLE stream_lanes;
DROP TABLE stream;
DROP INDEX subscriptions_lasting;
DROP INDEX subscriptions_selector;
DROP INDEX subscriptions_shape;
ALTER TABLE subscriptions DROP COLUMN older;
ALTER TABLE subscriptions DROP COLUMN selector;
ALTER TABLE subscriptions DROP COLUMN shape;
ALTER TABLE subscriptions DROP COLUMN filter;
