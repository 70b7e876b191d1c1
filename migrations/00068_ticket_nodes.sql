-- +goose Up

-- At which nodes open tickets stand. It was part of 00056 once, where it locked tickets in one transaction with deliveries: who has run that has it.
CREATE TABLE IF NOT EXISTS ticket_nodes (
    tenant    text   NOT NULL,
    service   text   NOT NULL,
    node      text   NOT NULL,
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    PRIMARY KEY (ticket_id, node)
);
CREATE INDEX IF NOT EXISTS ticket_nodes_at ON ticket_nodes (tenant, service, node, ticket_id);

-- +goose Down
DROP TABLE ticket_nodes;
