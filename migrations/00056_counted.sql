-- +goose Up

-- The host that a delivery is counted at which arrived or was given up; empty: it is not counted. Those of versions before are counted by migrate.
ALTER TABLE deliveries ADD COLUMN counted text NOT NULL DEFAULT '';

-- Tickets are counted anew by migrate, which writes down where they stand (00068).
DELETE FROM tallied;
DELETE FROM tallies;
UPDATE untallied SET up_to = (SELECT COALESCE(MAX(id), 0) FROM tickets);

-- +goose Down
ALTER TABLE deliveries DROP COLUMN counted;
