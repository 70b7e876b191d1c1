-- +goose Up

-- How many requests an app may make: a minute, and at once. 0 requests a minute: as many as the setting for all apps says; 0 at once: as
-- many as in a minute.
ALTER TABLE apps ADD COLUMN rate integer NOT NULL DEFAULT 0;
ALTER TABLE apps ADD COLUMN burst integer NOT NULL DEFAULT 0;

-- Where a request came from; empty: from before this was kept.
ALTER TABLE operations ADD COLUMN address text NOT NULL DEFAULT '';

-- An app's requests, as a bucket that refills: when it will be full again, in microseconds since 1970.
CREATE TABLE buckets (
    app     text   PRIMARY KEY,
    full_at bigint NOT NULL
);

-- A signature that was used, so that a copy of its request is known. key is a digest of the idempotency key it came with; empty: none.
CREATE TABLE signatures (
    digest  text        PRIMARY KEY,
    key     text        NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX signatures_expires ON signatures (expires);

-- +goose Down
DROP TABLE signatures;
DROP TABLE buckets;
ALTER TABLE operations DROP COLUMN address;
ALTER TABLE apps DROP COLUMN burst;
ALTER TABLE apps DROP COLUMN rate;
