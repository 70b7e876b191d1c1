-- +goose NO TRANSACTION
-- +goose Up

-- An index that no query asks for since words are found in postings; each change of a ticket looked whether it belongs there.
DROP INDEX CONCURRENTLY IF EXISTS tickets_unfolded;

-- +goose Down
CREATE INDEX tickets_unfolded ON tickets (id) WHERE NOT folded;
