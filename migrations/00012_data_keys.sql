-- +goose Up

-- What is used for longer than a master key lasts: keys of 32 random bytes, sealed under the master key, so that a new one need only seal them
-- anew. n counts the keys of a purpose; the highest is the one in force, and the others are for what was done with them.
CREATE TABLE data_keys (
    id         text        PRIMARY KEY,
    purpose    text        NOT NULL,
    n          integer     NOT NULL,
    sealed     text        NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX data_keys_purpose ON data_keys (purpose, n);

-- +goose Down
DROP TABLE data_keys;
