-- +goose Up

-- What an overview is made of: how often something happened on a day, to tickets of a service, and how many tickets stand somewhere now, for which day is empty. What is counted, and what
-- detail says of it, is in package ticket. So an overview costs what its days cost, however many tickets there were.
CREATE TABLE tallies (
    tenant  text   NOT NULL,
    day     text   NOT NULL, -- 2006-01-02, in the zone of the installation
    service text   NOT NULL,
    what    text   NOT NULL,
    detail  text   NOT NULL,
    n       bigint NOT NULL,
    PRIMARY KEY (tenant, day, service, what, detail)
);

CREATE INDEX tallies_none ON tallies (tenant) WHERE n = 0;

-- What tickets add to it, and is not added yet: rows that nobody else writes, so that no two tickets wait for each other at the row of a day.
CREATE TABLE tallied (
    id      text   PRIMARY KEY, -- ticket, event, and which of it
    tenant  text   NOT NULL,
    day     text   NOT NULL,
    service text   NOT NULL,
    what    text   NOT NULL,
    detail  text   NOT NULL,
    n       bigint NOT NULL
);
CREATE INDEX tallied_tenant ON tallied (tenant);

-- Tickets with this id and lower ones were not counted yet, whatever happens to them: migrate does so.
CREATE TABLE untallied (
    up_to bigint NOT NULL
);
INSERT INTO untallied (up_to) SELECT COALESCE(MAX(id), 0) FROM tickets;

-- +goose Down
DROP TABLE untallied;
DROP TABLE tallied;
DROP TABLE tallies;
