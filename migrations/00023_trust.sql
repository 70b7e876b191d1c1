-- +goose Up

-- Whom an address is trusted by over TLS instead of by the system's authorities, and the certificate that it is shown, with its key: encrypted, empty where it has
-- none. trust is what of it anybody may see: fingerprints and expiry.
ALTER TABLE subscriptions ADD COLUMN tls text NOT NULL DEFAULT '';
ALTER TABLE subscriptions ADD COLUMN trust text NOT NULL DEFAULT '';

-- A tenant's lasting subscriptions of one address.
CREATE INDEX subscriptions_alike ON subscriptions (tenant, url) WHERE ticket_id = 0 AND state <> 'deleted';

-- +goose Down
DROP INDEX subscriptions_alike;
ALTER TABLE subscriptions DROP COLUMN trust;
ALTER TABLE subscriptions DROP COLUMN tls;
