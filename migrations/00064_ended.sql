-- +goose Up

-- Whether the ticket has ended, with those who opened and who follow it: what of theirs is open is looked for again and again, and is little beside all that ever was. False may also be said of one that has
-- ended, as processes of the version before leave it; who looks holds the ticket against it. True is said of none that is open.
ALTER TABLE people ADD COLUMN ended boolean NOT NULL DEFAULT false;

-- Ended tickets with this id and lower ones do not have it yet: migrate sees to them.
CREATE TABLE unended (
    up_to bigint NOT NULL
);
INSERT INTO unended (up_to) SELECT COALESCE(MAX(id), 0) FROM tickets;

-- +goose Down
DROP TABLE unended;
ALTER TABLE people DROP COLUMN ended;
