-- +goose Up

-- What persons sign in to the pages with. Nobody reads it but whoever compares.
CREATE TABLE directory_passwords (
    tenant      text        NOT NULL,
    person      text        NOT NULL, -- uid of the directory
    hash        text        NOT NULL, -- argon2id, as a PHC string
    must_change boolean     NOT NULL, -- the person has to choose another one first
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, person)
);

-- +goose Down
DROP TABLE directory_passwords;
