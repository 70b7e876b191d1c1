-- +goose Up

-- What a ticket's timeline tells of deliveries: one that was given up, an address that was dropped, a host that is left alone. An alert
-- stands after the event that was the ticket's last when it was written.
CREATE TABLE alerts (
    id              text        PRIMARY KEY,
    tenant          text        NOT NULL,
    ticket_id       bigint      NOT NULL REFERENCES tickets (id),
    seq             bigint      NOT NULL, -- of that event
    n               bigint      NOT NULL, -- 1, 2, 3… after the same event
    at              timestamptz NOT NULL,
    kind            text        NOT NULL,
    subscription_id text        NOT NULL,
    delivery_id     text        NOT NULL,
    host            text        NOT NULL,
    reason          text        NOT NULL
);
CREATE UNIQUE INDEX alerts_place ON alerts (ticket_id, seq, n);

-- A delivery that tells of an alert: that it fails too is told to nobody, or there would be no end to it.
ALTER TABLE deliveries ADD COLUMN alert boolean NOT NULL DEFAULT false;

-- What is owed to a dropped address is held for it, until the address is registered again: then it is owed to its successor alone.
ALTER TABLE subscriptions ADD COLUMN successor text NOT NULL DEFAULT ''; -- the id it was registered as again; empty: it was not
UPDATE subscriptions SET successor = COALESCE((SELECT MIN(n.id) FROM subscriptions n WHERE n.ticket_id = subscriptions.ticket_id AND n.url = subscriptions.url
    AND n.format = subscriptions.format AND n.created_at > subscriptions.created_at), '') WHERE state = 'dropped' AND ticket_id > 0;
DROP INDEX subscriptions_active;
CREATE INDEX subscriptions_owed ON subscriptions (tenant, ticket_id) WHERE state IN ('active', 'dropped') AND successor = '';
DROP INDEX subscriptions_shape;
DROP INDEX subscriptions_selector;
CREATE INDEX subscriptions_shape ON subscriptions (tenant, shape) WHERE ticket_id = 0 AND state IN ('active', 'paused', 'dropped');
CREATE INDEX subscriptions_selector ON subscriptions (tenant, selector) WHERE ticket_id = 0 AND state IN ('active', 'paused', 'dropped');

-- A callback that is held has not arrived either.
DROP INDEX deliveries_failed;
CREATE INDEX deliveries_failed ON deliveries (tenant, at) WHERE state IN ('failed', 'held') AND listed;

-- +goose Down
DROP INDEX deliveries_failed;
CREATE INDEX deliveries_failed ON deliveries (tenant, at) WHERE state = 'failed' AND listed;
DROP INDEX subscriptions_selector;
DROP INDEX subscriptions_shape;
DROP INDEX subscriptions_owed;
CREATE INDEX subscriptions_shape ON subscriptions (tenant, shape) WHERE ticket_id = 0 AND state IN ('active', 'paused');
CREATE INDEX subscriptions_selector ON subscriptions (tenant, selector) WHERE ticket_id = 0 AND state IN ('active', 'paused');
CREATE INDEX subscriptions_active ON subscriptions (tenant, ticket_id) WHERE state = 'active';
ALTER TABLE subscriptions DROP COLUMN successor;
ALTER TABLE deliveries DROP COLUMN alert;
DROP TABLE alerts;
