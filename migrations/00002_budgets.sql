-- +goose Up

-- How much of something has been used in a window of time: callbacks of an external system, by tenant.
CREATE TABLE budgets (
    tenant text        NOT NULL,
    name   text        NOT NULL,
    used   bigint      NOT NULL,
    ends   timestamptz NOT NULL, -- of the window
    PRIMARY KEY (tenant, name)
);
CREATE INDEX budgets_ends ON budgets (ends);

-- +goose Down
DROP TABLE budgets;
