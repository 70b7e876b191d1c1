-- +goose Up

-- A process that tickets run through, as its tenant has published it. Built-in ones are part of the program and not here.
CREATE TABLE services (
    tenant     text        NOT NULL,
    key        text        NOT NULL,
    number     bigint      NOT NULL, -- integer id, the same in all versions; 0 only within the transaction that makes the row
    version    integer     NOT NULL, -- the latest; likewise
    enabled    boolean     NOT NULL, -- whether it opens new tickets
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key)
);
CREATE UNIQUE INDEX services_number ON services (number) WHERE number > 0;

-- content is the whole definition as JSON. Rows are never changed: tickets and their readers rely on it.
CREATE TABLE service_versions (
    tenant       text        NOT NULL,
    key          text        NOT NULL,
    version      integer     NOT NULL,
    content      text        NOT NULL,
    published_by text        NOT NULL, -- the app
    published_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key, version),
    FOREIGN KEY (tenant, key) REFERENCES services (tenant, key)
);

-- The integer ids of nodes. A node keeps its own for ever, also while versions are without it.
CREATE TABLE service_nodes (
    number bigint PRIMARY KEY,
    tenant text   NOT NULL,
    key    text   NOT NULL,
    node   text   NOT NULL,
    FOREIGN KEY (tenant, key) REFERENCES services (tenant, key)
);
CREATE UNIQUE INDEX service_nodes_node ON service_nodes (tenant, key, node);

-- +goose Down
DROP TABLE service_nodes;
DROP TABLE service_versions;
DROP TABLE services;
