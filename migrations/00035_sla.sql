-- +goose Up

-- How a ticket stands with its SLAs: warned, breached, or empty; and when the first that is not over has to be met, null while none runs.
ALTER TABLE tickets ADD COLUMN sla text NOT NULL DEFAULT '';
ALTER TABLE tickets ADD COLUMN due_at timestamptz;
CREATE INDEX tickets_sla ON tickets (tenant, sla, id) WHERE sla <> '';
CREATE INDEX tickets_due ON tickets (tenant, id) WHERE due_at IS NOT NULL;

-- +goose Down
DROP INDEX tickets_due;
DROP INDEX tickets_sla;
ALTER TABLE tickets DROP COLUMN due_at;
ALTER TABLE tickets DROP COLUMN sla;
