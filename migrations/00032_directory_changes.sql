-- +goose Up

-- What happened to persons that others react to, in the order of the transactions.
CREATE TABLE directory_changes (
    tenant text        NOT NULL,
    seq    bigint      NOT NULL,
    kind   text        NOT NULL, -- people.ChangeKind
    person text        NOT NULL,
    other  text        NOT NULL, -- the new id of a person who was renamed, the absence
    at     timestamptz NOT NULL,
    app    text        NOT NULL,
    PRIMARY KEY (tenant, seq)
);
CREATE INDEX directory_changes_at ON directory_changes (at);

-- +goose Down
DROP TABLE directory_changes;
