-- +goose Up

-- A lasting subscription that asks for no order, and a delivery of one, which is a lane by itself: it waits for no other, and none for it.
ALTER TABLE subscriptions ADD COLUMN unordered boolean NOT NULL DEFAULT false;
ALTER TABLE deliveries ADD COLUMN alone boolean NOT NULL DEFAULT false;
CREATE INDEX deliveries_alone ON deliveries (ticket_id, subscription_id, id) WHERE alone AND state = 'parked';

-- A subscription whose filter was changed while something waited: what waits behind this delivery, by id, is still to be held against the filter, and nothing is
-- sent meanwhile. Empty: nothing is left to do.
ALTER TABLE subscriptions ADD COLUMN sifting text NOT NULL DEFAULT '';
CREATE INDEX subscriptions_sifting ON subscriptions (id) WHERE sifting <> '';

-- Why a delivery was not made, where its tries do not say so.
ALTER TABLE deliveries ADD COLUMN reason text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE deliveries DROP COLUMN reason;
DROP INDEX subscriptions_sifting;
ALTER TABLE subscriptions DROP COLUMN sifting;
DROP INDEX deliveries_alone;
ALTER TABLE deliveries DROP COLUMN alone;
ALTER TABLE subscriptions DROP COLUMN unordered;
