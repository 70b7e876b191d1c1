-- +goose Up

-- By which old events, and lanes of the stream that nothing is left of, are found.
CREATE INDEX stream_at ON stream (at);
CREATE INDEX stream_lanes_at ON stream_lanes (at);
CREATE INDEX deliveries_stream ON deliveries (ticket_id) WHERE ticket_id < 0;

-- +goose Down
DROP INDEX deliveries_stream;
DROP INDEX stream_lanes_at;
DROP INDEX stream_at;
