-- +goose Up

-- Likewise of calendars.
ALTER TABLE calendar_versions ADD COLUMN source text;

-- +goose Down
ALTER TABLE calendar_versions DROP COLUMN source;
