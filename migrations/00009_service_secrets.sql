-- +goose Up

-- What the requests of a service's processes are signed with. Nobody needs one before the first request or the first rotation.
ALTER TABLE services ADD COLUMN secret text NOT NULL DEFAULT '';   -- sealed; empty: not made yet
ALTER TABLE services ADD COLUMN older  text NOT NULL DEFAULT '[]'; -- JSON: earlier secrets, sealed, and until when they sign as well

-- +goose Down
ALTER TABLE services DROP COLUMN older;
ALTER TABLE services DROP COLUMN secret;
