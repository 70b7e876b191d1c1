-- +goose Up

-- What somebody has in a phase: most of what was ever theirs is in another.
CREATE INDEX tickets_assignee_phase ON tickets (tenant, assignee, phase, id);

-- +goose Down
DROP INDEX tickets_assignee_phase;
