-- +goose Up

-- Who makes the read model anew, reconciles or counts, of whom there may be one at a time: one row. Whoever begins counts fence up, and what was begun under an earlier one commits nothing any more.
CREATE TABLE upkeep (
    one        smallint    PRIMARY KEY,
    fence      bigint      NOT NULL,
    what       text        NOT NULL, -- the command; empty: nobody is at work
    who        text        NOT NULL, -- machine and process
    since      timestamptz NOT NULL,
    renewed_at timestamptz NOT NULL  -- when it last gave a sign of life; on SQLite alone, since PostgreSQL knows who is there
);
INSERT INTO upkeep (one, fence, what, who, since, renewed_at) VALUES (1, 0, '', '', '2026-01-01 00:00:00.000000+00:00', '2026-01-01 00:00:00.000000+00:00');

-- +goose Down
DROP TABLE upkeep;
