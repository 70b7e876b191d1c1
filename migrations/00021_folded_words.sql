-- +goose Up

-- Whether a ticket is found by its words in their folded spelling too; earlier versions kept them in small letters only. migrate fills in the rest.
ALTER TABLE tickets ADD COLUMN folded boolean NOT NULL DEFAULT false;
CREATE INDEX tickets_unfolded ON tickets (id) WHERE NOT folded;

-- +goose Down
DROP INDEX tickets_unfolded;
ALTER TABLE tickets DROP COLUMN folded;
