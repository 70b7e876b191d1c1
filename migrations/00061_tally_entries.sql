-- +goose Up

-- What is counted and not added up yet, a row for each transaction that counts: all its counts together, as a list in JSON. It takes the place of tallied, of which rows are still read and added up.
CREATE TABLE tally_entries (
    id     text PRIMARY KEY, -- of whose counts these are: ticket and event, or of its own
    tenant text NOT NULL,
    counts text NOT NULL
);

-- +goose Down
DROP TABLE tally_entries;
