-- +goose Up

-- A keyed digest of the row and of the one before it in the ticket's timeline; empty: written by a version that made none.
ALTER TABLE events ADD COLUMN hash text NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN hash text NOT NULL DEFAULT '';

-- Where the chain of the ticket's timeline ends, sealed; empty: it has none.
ALTER TABLE tickets ADD COLUMN chain text NOT NULL DEFAULT '';

-- Of the counter of tickets: up to base it was drawn from by a version that did not seal it, and mark, sealed, is what it had reached at least.
ALTER TABLE counters ADD COLUMN base bigint NOT NULL DEFAULT 0;
ALTER TABLE counters ADD COLUMN mark bigint NOT NULL DEFAULT 0;
ALTER TABLE counters ADD COLUMN seal text NOT NULL DEFAULT '';

-- Ids that were drawn for tickets that were not opened then. Any other id without a ticket is that of one that was deleted.
CREATE TABLE unopened (
    ticket_id bigint      PRIMARY KEY,
    adopted   boolean     NOT NULL, -- it was missing already when the chain was begun
    at        timestamptz NOT NULL,
    seal      text        NOT NULL
);

-- Who asked, as the request says; why it was refused, in one word; and whether an opening's claim is ours.
ALTER TABLE operations ADD COLUMN operator text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN code text NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN seal text NOT NULL DEFAULT '';

-- The audit is a tenant's, newest first, by app, operator or ticket, or of what was refused.
CREATE INDEX operations_tenant ON operations (tenant, created_at, id);
CREATE INDEX operations_app ON operations (tenant, app, created_at, id);
CREATE INDEX operations_operator ON operations (tenant, operator, created_at, id) WHERE operator <> '';
CREATE INDEX operations_number ON operations (tenant, number, created_at, id) WHERE number <> '';
CREATE INDEX operations_refused ON operations (tenant, created_at, id) WHERE state = 'refused';

-- Operations are kept whole for as long as keys are remembered, and bare, without content and answer, for as long as the audit is kept.
DROP INDEX operations_ended;
CREATE INDEX operations_whole ON operations (created_at) WHERE state <> 'running' AND content <> '';
CREATE INDEX operations_bare ON operations (created_at) WHERE content = '';

-- +goose Down
DROP INDEX operations_bare;
DROP INDEX operations_whole;
CREATE INDEX operations_ended ON operations (created_at) WHERE state <> 'running';
DROP INDEX operations_refused;
DROP INDEX operations_number;
DROP INDEX operations_operator;
DROP INDEX operations_app;
DROP INDEX operations_tenant;
ALTER TABLE operations DROP COLUMN seal;
ALTER TABLE operations DROP COLUMN code;
ALTER TABLE operations DROP COLUMN operator;
DROP TABLE unopened;
ALTER TABLE counters DROP COLUMN seal;
ALTER TABLE counters DROP COLUMN mark;
ALTER TABLE counters DROP COLUMN base;
ALTER TABLE tickets DROP COLUMN chain;
ALTER TABLE alerts DROP COLUMN hash;
ALTER TABLE events DROP COLUMN hash;
