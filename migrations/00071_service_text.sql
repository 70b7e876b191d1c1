-- +goose Up

-- The text that a version was written as, with its comments and its order, where it was published as one; it says what content says. NULL: it is drawn from content. The version is the same
-- whatever its text: of a version that is published once more as another text that says the same, this one is kept.
ALTER TABLE service_versions ADD COLUMN source text;

-- +goose Down
ALTER TABLE service_versions DROP COLUMN source;
