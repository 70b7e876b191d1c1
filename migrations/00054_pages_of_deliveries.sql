-- +goose Up

-- When an app was last seen to call, to ten minutes.
ALTER TABLE apps ADD COLUMN used_at timestamptz;

-- What was asked for at once, over several subscriptions, is one thing to watch. Empty: it was asked for by itself.
ALTER TABLE redeliveries ADD COLUMN asked text NOT NULL DEFAULT '';
CREATE INDEX redeliveries_asked ON redeliveries (tenant, asked) WHERE asked <> '';

-- +goose Down
DROP INDEX redeliveries_asked;
ALTER TABLE redeliveries DROP COLUMN asked;
ALTER TABLE apps DROP COLUMN used_at;
