-- +goose Up

CREATE TABLE directory_absences (
    tenant     text        NOT NULL,
    id         text        NOT NULL,
    person     text        NOT NULL,
    starts     timestamptz NOT NULL,
    ends       timestamptz,          -- the first moment at which the person is back; NULL: until it is ended
    deputy     text        NOT NULL, -- id of a person, or empty
    services   text        NOT NULL, -- JSON: keys of services; empty: all
    created_by text        NOT NULL, -- the app
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX directory_absences_person ON directory_absences (tenant, person, starts);
CREATE INDEX directory_absences_deputy ON directory_absences (tenant, deputy) WHERE deputy <> '';
CREATE INDEX directory_absences_starts ON directory_absences (tenant, starts, id);
CREATE INDEX directory_absences_ends ON directory_absences (ends);

-- +goose Down
DROP TABLE directory_absences;
