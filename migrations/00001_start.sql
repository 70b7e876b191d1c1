-- One text for PostgreSQL and SQLite. JSON is kept as text, and times are UTC to the microsecond.
-- SQLite gives types such as timestamptz and bytea no meaning of its own; the store writes both so that they compare as they should.

-- +goose Up

-- A caller. Its secrets are in app_secrets: several, so that an old one can go on for a while after a rotation.
CREATE TABLE apps (
    code       text        PRIMARY KEY,
    tenant     text        NOT NULL,
    scopes     text        NOT NULL,
    disabled   boolean     NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE app_secrets (
    hash       text        PRIMARY KEY, -- SHA-256 in hex: how a caller is found
    app        text        NOT NULL REFERENCES apps (code),
    sealed     text        NOT NULL,    -- AES-256-GCM: for checking signatures
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);
CREATE INDEX app_secrets_app ON app_secrets (app);

-- Where integer ids and the daily numbers of series come from.
CREATE TABLE counters (
    name  text   PRIMARY KEY,
    value bigint NOT NULL
);

-- The read model. state is the whole ticket as JSON; the columns beside it are there to be searched.
CREATE TABLE tickets (
    id         bigint      PRIMARY KEY,
    tenant     text        NOT NULL,
    number     text        NOT NULL,
    uuid       text        NOT NULL,
    open       boolean     NOT NULL,
    phase      text        NOT NULL,
    origin     text        NOT NULL,
    service    text        NOT NULL,
    assignee   text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    seq        bigint      NOT NULL,
    state      text        NOT NULL
);
CREATE UNIQUE INDEX tickets_number ON tickets (number);
CREATE UNIQUE INDEX tickets_uuid ON tickets (uuid);
-- Every list is one tenant's, newest first, and the id rises in the order of opening: so each index ends with the id.
CREATE INDEX tickets_tenant ON tickets (tenant, id);
CREATE INDEX tickets_open ON tickets (tenant, id) WHERE open;
CREATE INDEX tickets_closed ON tickets (tenant, id) WHERE NOT open;
CREATE INDEX tickets_phase ON tickets (tenant, phase, id);
CREATE INDEX tickets_origin ON tickets (tenant, origin, id);
CREATE INDEX tickets_service ON tickets (tenant, service, id);
CREATE INDEX tickets_assignee ON tickets (tenant, assignee, id);
CREATE INDEX tickets_created ON tickets (tenant, created_at, id);
CREATE INDEX tickets_updated ON tickets (tenant, updated_at, id);

CREATE TABLE ticket_tags (
    tenant    text   NOT NULL,
    tag       text   NOT NULL,
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    PRIMARY KEY (tenant, tag, ticket_id)
);

CREATE TABLE relations (
    ticket_id bigint  NOT NULL REFERENCES tickets (id),
    type      text    NOT NULL,
    place     integer NOT NULL, -- of the item in its type
    content   text    NOT NULL,
    tenant    text    NOT NULL,
    PRIMARY KEY (ticket_id, type, place)
);
CREATE INDEX relations_content ON relations (tenant, type, content, ticket_id);

CREATE TABLE messages (
    ticket_id  bigint      NOT NULL REFERENCES tickets (id),
    id         text        NOT NULL,
    seq        bigint      NOT NULL, -- of the event that said it
    author     text        NOT NULL,
    content    text        NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, id)
);

-- Whom a ticket asks to act.
CREATE TABLE waiting (
    tenant    text   NOT NULL,
    person    text   NOT NULL,
    ticket_id bigint NOT NULL REFERENCES tickets (id),
    PRIMARY KEY (tenant, person, ticket_id)
);
CREATE INDEX waiting_ticket ON waiting (ticket_id);

-- An inverted index. Terms are UTF-8 in bytes, because bytes sort the same under every collation and so can be searched by prefix. No
-- foreign key: there are many rows for each ticket, all derived and written with it.
CREATE TABLE words (
    tenant    text   NOT NULL,
    term      bytea  NOT NULL,
    ticket_id bigint NOT NULL,
    PRIMARY KEY (tenant, term, ticket_id)
);

-- What happened. content is the whole event as JSON, so that a build keeps what it has no column for; the columns are there to be searched.
CREATE TABLE events (
    ticket_id bigint      NOT NULL REFERENCES tickets (id),
    seq       bigint      NOT NULL,
    at        timestamptz NOT NULL,
    type      text        NOT NULL,
    actor     text        NOT NULL,
    operation text        NOT NULL,
    content   text        NOT NULL,
    PRIMARY KEY (ticket_id, seq)
);
CREATE INDEX events_operation ON events (operation) WHERE operation <> '';

-- A request: claimed before anything happens, with its answer afterwards. scope is a digest of tenant, app, method, path and key while the
-- operation holds its key, and null otherwise. path is without its query, which may carry credentials.
CREATE TABLE operations (
    id          text        PRIMARY KEY,
    scope       text,
    fingerprint text        NOT NULL,
    kind        text        NOT NULL,
    state       text        NOT NULL,
    tenant      text        NOT NULL,
    app         text        NOT NULL,
    door        text        NOT NULL,
    method      text        NOT NULL,
    path        text        NOT NULL,
    request_id  text        NOT NULL,
    number      text        NOT NULL, -- of the ticket; empty where the operation touches none
    content     text        NOT NULL, -- JSON: series, ticket, opening, command
    status      integer     NOT NULL, -- of the answer
    body        text        NOT NULL, -- likewise, byte for byte
    why         text        NOT NULL, -- it did not happen
    created_at  timestamptz NOT NULL,
    lease       timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE UNIQUE INDEX operations_scope ON operations (scope) WHERE scope IS NOT NULL;
CREATE INDEX operations_lease ON operations (lease) WHERE state = 'running';
CREATE INDEX operations_ended ON operations (created_at) WHERE state <> 'running';

CREATE TABLE subscriptions (
    id            text        PRIMARY KEY,
    tenant        text        NOT NULL,
    ticket_id     bigint      NOT NULL, -- 0: all of the tenant's
    url           text        NOT NULL,
    format        text        NOT NULL,
    profile       text        NOT NULL,
    secret        text        NOT NULL, -- sealed
    state         text        NOT NULL,
    reason        text        NOT NULL,
    created_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    failing_since timestamptz
);
CREATE INDEX subscriptions_active ON subscriptions (tenant, ticket_id) WHERE state = 'active';
CREATE INDEX subscriptions_ticket ON subscriptions (ticket_id);

-- A row is there while the lane is parked.
CREATE TABLE lanes (
    subscription_id text        NOT NULL,
    ticket_id       bigint      NOT NULL,
    parked_at       timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, subscription_id)
);

CREATE TABLE deliveries (
    id              text        PRIMARY KEY,
    tenant          text        NOT NULL,
    subscription_id text        NOT NULL,
    ticket_id       bigint      NOT NULL,
    part            integer     NOT NULL,
    at              timestamptz NOT NULL, -- of the event; never runs backwards within a ticket
    seq             bigint      NOT NULL, -- likewise
    type            text        NOT NULL,
    body            text        NOT NULL,
    state           text        NOT NULL,
    tries           integer     NOT NULL,
    first_try       timestamptz,
    next_try        timestamptz,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE UNIQUE INDEX deliveries_owed ON deliveries (subscription_id, ticket_id, seq);
CREATE INDEX deliveries_listed ON deliveries (subscription_id, at, seq, id);
CREATE INDEX deliveries_pending ON deliveries (part, at, seq, id) WHERE state = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (subscription_id, ticket_id, at, seq) WHERE state IN ('pending', 'parked');

CREATE TABLE attempts (
    delivery_id text        NOT NULL REFERENCES deliveries (id),
    n           integer     NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    status      integer     NOT NULL,
    class       text        NOT NULL,
    error       text        NOT NULL,
    answer      bytea       NOT NULL,
    succeeded   boolean     NOT NULL,
    PRIMARY KEY (delivery_id, n)
);
CREATE UNIQUE INDEX attempts_started ON attempts (delivery_id, started_at);

-- +goose Down
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE lanes;
DROP TABLE subscriptions;
DROP TABLE operations;
DROP TABLE events;
DROP TABLE words;
DROP TABLE waiting;
DROP TABLE messages;
DROP TABLE relations;
DROP TABLE ticket_tags;
DROP TABLE tickets;
DROP TABLE counters;
DROP TABLE app_secrets;
DROP TABLE apps;
