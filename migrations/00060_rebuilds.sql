-- +goose Up

-- How far the read model has been made anew, so that it goes on there. A row is there until that is done.
CREATE TABLE rebuilds (
    tenant     text        PRIMARY KEY, -- of whose tickets; empty: of all
    content    text        NOT NULL,    -- JSON: desk.RebuildPoint
    updated_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE rebuilds;
