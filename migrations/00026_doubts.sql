-- +goose Up

-- Tickets of which it cannot be told what is right, because a store has lost what it had acknowledged: they take no writes until they are reconciled. Few, so a
-- table of their own, which costs those that are well no rewriting.
CREATE TABLE doubts (
    ticket_id bigint      PRIMARY KEY REFERENCES tickets (id),
    at        timestamptz NOT NULL,
    reason    text        NOT NULL
);

-- +goose Down
DROP TABLE doubts;
