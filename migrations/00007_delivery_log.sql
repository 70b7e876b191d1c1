-- +goose Up

-- What a try was: when it was due, what was sent, what came back, and when the next was planned. Headers are JSON without secrets; empty:
-- there were none.
ALTER TABLE attempts ADD COLUMN scheduled_at timestamptz;
ALTER TABLE attempts ADD COLUMN next_try     timestamptz;
ALTER TABLE attempts ADD COLUMN sent         text NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN header       text NOT NULL DEFAULT '';

-- Deliveries are kept for some time after they are over.
CREATE INDEX deliveries_over ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Many deliveries of one subscription delivered again. Where it stands is the position of the last one that was put back.
CREATE TABLE redeliveries (
    id              text        PRIMARY KEY,
    tenant          text        NOT NULL,
    subscription_id text        NOT NULL, -- whose deliveries they are
    target_id       text        NOT NULL, -- to which they are sent: the same, or what its address was registered as again
    wanted          text        NOT NULL, -- the state they are in; empty: any in which they are over
    from_at         timestamptz,
    to_at           timestamptz,
    state           text        NOT NULL,
    total           bigint      NOT NULL,
    done            bigint      NOT NULL,
    at              timestamptz,
    seq             bigint      NOT NULL,
    delivery_id     text        NOT NULL,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE INDEX redeliveries_running ON redeliveries (created_at) WHERE state = 'running';
CREATE INDEX redeliveries_ended ON redeliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX redeliveries_subscription ON redeliveries (subscription_id);

-- +goose Down
DROP TABLE redeliveries;
DROP INDEX deliveries_over;
ALTER TABLE attempts DROP COLUMN header;
ALTER TABLE attempts DROP COLUMN sent;
ALTER TABLE attempts DROP COLUMN next_try;
ALTER TABLE attempts DROP COLUMN scheduled_at;
