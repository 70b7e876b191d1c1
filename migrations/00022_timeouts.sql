-- +goose Up

-- How long a try at the address may take, in seconds; 0: as long as everybody's.
ALTER TABLE subscriptions ADD COLUMN timeout integer NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE subscriptions DROP COLUMN timeout;
