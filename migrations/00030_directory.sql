-- +goose Up

-- One row for each tenant that keeps a directory. Whoever changes something in it holds this row first, so that what must be unique, the cycles of groups and
-- the counts are seen by one at a time, and seq is in the order of the transactions.
CREATE TABLE directories (
    tenant  text   PRIMARY KEY,
    seq     bigint NOT NULL, -- of the latest change
    persons bigint NOT NULL,
    groups  bigint NOT NULL
);

CREATE TABLE directory_persons (
    tenant      text        NOT NULL,
    id          text        NOT NULL, -- as callers spell it
    uid         text        NOT NULL, -- what SCIM names it by; it stays when the id changes
    folded      text        NOT NULL, -- the id where case does not count
    external_id text        NOT NULL, -- the identity provider's own
    name        text        NOT NULL,
    email       text        NOT NULL,
    language    text        NOT NULL,
    time_zone   text        NOT NULL,
    active      boolean     NOT NULL,
    manager     text        NOT NULL, -- id of a person, or empty
    chats       text        NOT NULL, -- JSON
    attributes  text        NOT NULL, -- JSON: what an identity provider says besides; empty: nothing
    id_key      bytea       NOT NULL, -- what it is found by, folded, in an order that is the same in every database
    name_key    bytea       NOT NULL,
    email_key   bytea       NOT NULL,
    version     bigint      NOT NULL, -- seq of the latest change of this row
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX directory_persons_uid ON directory_persons (tenant, uid);
CREATE UNIQUE INDEX directory_persons_folded ON directory_persons (tenant, folded);
CREATE INDEX directory_persons_external ON directory_persons (tenant, external_id) WHERE external_id <> '';
CREATE INDEX directory_persons_manager ON directory_persons (tenant, manager) WHERE manager <> '';
CREATE INDEX directory_persons_id_key ON directory_persons (tenant, id_key);
CREATE INDEX directory_persons_name_key ON directory_persons (tenant, name_key);
CREATE INDEX directory_persons_email_key ON directory_persons (tenant, email_key);

CREATE TABLE directory_groups (
    tenant      text        NOT NULL,
    id          text        NOT NULL,
    uid         text        NOT NULL,
    folded      text        NOT NULL,
    external_id text        NOT NULL,
    name        text        NOT NULL,
    attributes  text        NOT NULL,
    id_key      bytea       NOT NULL,
    name_key    bytea       NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX directory_groups_uid ON directory_groups (tenant, uid);
CREATE UNIQUE INDEX directory_groups_folded ON directory_groups (tenant, folded);
CREATE INDEX directory_groups_external ON directory_groups (tenant, external_id) WHERE external_id <> '';
CREATE INDEX directory_groups_id_key ON directory_groups (tenant, id_key);
CREATE INDEX directory_groups_name_key ON directory_groups (tenant, name_key);

CREATE TABLE directory_members (
    tenant text NOT NULL,
    grp    text NOT NULL, -- id of a group
    kind   text NOT NULL, -- of the member: person or group
    member text NOT NULL, -- its id
    PRIMARY KEY (tenant, grp, kind, member)
);
CREATE INDEX directory_members_of ON directory_members (tenant, kind, member);

-- +goose Down
DROP TABLE directory_members;
DROP TABLE directory_groups;
DROP TABLE directory_persons;
DROP TABLE directories;
