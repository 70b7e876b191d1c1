-- +goose Up

-- How a person wants to be told of things, as JSON; empty: nothing was said. The webhooks of their chats with what signs for them, as JSON by network, encrypted; empty:
-- there are none. The column chats has them without what is secret.
ALTER TABLE directory_persons ADD COLUMN letters text NOT NULL DEFAULT '';
ALTER TABLE directory_persons ADD COLUMN hooks text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE directory_persons DROP COLUMN hooks;
ALTER TABLE directory_persons DROP COLUMN letters;
