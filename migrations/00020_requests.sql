-- +goose Up

-- What makes two requests the same, since a request is known by the route it came to and not by how its address was spelled: a digest of tenant,
-- app, method, route and key, and one of the query and the body without credentials. They stand beside scope and fingerprint, which processes of
-- the version before look for and write: each version finds what the other has claimed. An operation whose scope is null holds no key, whatever is
-- here. Null and empty: claimed by that version, or without a key.
ALTER TABLE operations ADD COLUMN request_scope text;
ALTER TABLE operations ADD COLUMN request_fingerprint text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX operations_request_scope ON operations (request_scope) WHERE request_scope IS NOT NULL AND scope IS NOT NULL;

-- +goose Down
DROP INDEX operations_request_scope;
ALTER TABLE operations DROP COLUMN request_fingerprint;
ALTER TABLE operations DROP COLUMN request_scope;
