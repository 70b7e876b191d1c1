-- +goose Up

-- Working time, as its tenant has published it: the latest version of each calendar, and whether services may name it.
CREATE TABLE calendars (
    tenant     text        NOT NULL,
    key        text        NOT NULL,
    version    integer     NOT NULL, -- the latest; 0 only within the transaction that makes the row
    enabled    boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- content is the whole calendar as JSON. Rows are never changed: tickets and their readers rely on it.
CREATE TABLE calendar_versions (
    tenant       text        NOT NULL,
    key          text        NOT NULL,
    version      integer     NOT NULL,
    content      text        NOT NULL,
    published_by text        NOT NULL, -- the app
    published_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, key, version),
    FOREIGN KEY (tenant, key) REFERENCES calendars (tenant, key)
);

-- +goose Down
DROP TABLE calendar_versions;
DROP TABLE calendars;
