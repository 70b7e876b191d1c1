-- +goose Up

-- Who is asked no more, for whoever has others take over; and absences that last until they are ended, beside those that end.
CREATE INDEX directory_persons_inactive ON directory_persons (tenant, id) WHERE NOT active;
CREATE INDEX directory_absences_open ON directory_absences (starts) WHERE ends IS NULL;

-- +goose Down
DROP INDEX directory_absences_open;
DROP INDEX directory_persons_inactive;
