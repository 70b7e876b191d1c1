-- +goose Up

-- A way of telling a person is a subscription too: person is who, by the uid of the directory, and ticket_id is -1. What is sent there is a letter. An index over none of
-- the deliveries that there are: a look at each, and nothing is delivered meanwhile.
ALTER TABLE subscriptions ADD COLUMN person text NOT NULL DEFAULT '';
CREATE INDEX subscriptions_person ON subscriptions (tenant, person) WHERE person <> '';
ALTER TABLE deliveries ADD COLUMN letter boolean NOT NULL DEFAULT false;
CREATE INDEX deliveries_letters ON deliveries (ticket_id, subscription_id) WHERE letter;

-- What waits for a digest, and when that is due.
CREATE INDEX deliveries_gathering ON deliveries (next_try, subscription_id) WHERE state = 'gathering';

-- +goose Down
DROP INDEX deliveries_gathering;
DROP INDEX deliveries_letters;
ALTER TABLE deliveries DROP COLUMN letter;
DROP INDEX subscriptions_person;
ALTER TABLE subscriptions DROP COLUMN person;
