-- +goose Up

-- The host of url, with its port if that is not the scheme's own: the one name by which it is known, whatever its addresses look like. Empty: written by a
-- version that told it from the url each time, and so is one that the url does not begin with. Filled by migrate, and as rows are met.
ALTER TABLE subscriptions ADD COLUMN host text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE subscriptions DROP COLUMN host;
