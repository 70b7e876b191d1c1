-- +goose Up

-- The W3C trace context of what a delivery is made because of: traceparent, and after a blank the tracestate if there is one. NULL: that was not traced.
ALTER TABLE deliveries ADD COLUMN trace text;

-- +goose Down
ALTER TABLE deliveries DROP COLUMN trace;
