-- +goose Up

-- A subscription that was paused, dropped, resumed or deleted while much was owed to it: what is left to be done for that. ending: what was under
-- way is still to be held, or cancelled. releasing: what was held is still to be sent; until it is, what comes is held behind it. Empty: nothing.
ALTER TABLE subscriptions ADD COLUMN turning text NOT NULL DEFAULT '';
CREATE INDEX subscriptions_turning ON subscriptions (id) WHERE turning <> '';
CREATE INDEX deliveries_held ON deliveries (subscription_id, at, seq, id) WHERE state = 'held';

-- +goose Down
DROP INDEX deliveries_held;
DROP INDEX subscriptions_turning;
ALTER TABLE subscriptions DROP COLUMN turning;
