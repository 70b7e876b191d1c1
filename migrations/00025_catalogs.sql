-- +goose Up

-- The shelves of the itsm family that callers made, beside the five that are part of the program. Ids are drawn from the counter catalogs.
CREATE TABLE service_catalogs (
    id          bigint      PRIMARY KEY,
    tenant      text        NOT NULL,
    parent      bigint      NOT NULL, -- a row of this table, or one of those five
    name        text        NOT NULL,
    description text        NOT NULL,
    created_by  text        NOT NULL, -- the app
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX service_catalogs_name ON service_catalogs (tenant, parent, name);

-- The services that were imported from a flow of another system: where they stand, and what of the flow their latest version has nothing for.
CREATE TABLE service_imports (
    tenant      text        NOT NULL,
    key         text        NOT NULL,
    catalog     bigint      NOT NULL,
    name        text        NOT NULL,
    left_out    text        NOT NULL, -- JSON
    imported_by text        NOT NULL, -- the app
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key),
    FOREIGN KEY (tenant, key) REFERENCES services (tenant, key)
);
CREATE UNIQUE INDEX service_imports_name ON service_imports (tenant, catalog, name);

-- +goose Down
DROP TABLE service_imports;
DROP TABLE service_catalogs;
