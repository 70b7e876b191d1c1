// Package outbox stores subscriptions, the deliveries that each is to be sent, and what became of them. Its tables are subscriptions, deliveries, attempts, lanes, redeliveries,
// stream, stream_lanes and alerts; it reads people, tickets and directory_persons, and writes where a ticket's chain ends with an alert.
//
// It promises that the deliveries of an event are stored with the event or not at all; that a lane is sent in order; that each try is stored once; and that what
// cannot be sent is held, listed or alerted of, and never dropped silently. Rows are locked in the order of db/locks.go.
//
// The column ticket_id of subscriptions, deliveries and lanes is three things: a ticket, 0 for what is a tenant's, and below 0 a lane of the stream (StreamLane);
// of a subscription below 0 it says that it is a way of telling a person, whose address is read from the directory as something is sent.
//
// Redundant conditions: "state = 'pending' AND state IN ('pending', 'parked')" and the like are both those of a partial index (deliveries_waiting) and what is meant;
// db.Following is spelled like the indexes subscriptions_shape and subscriptions_selector; ended_at IS NOT NULL is that of deliveries_over. Pending's text varies with the lanes that are busy, and
// then runs with db.Once.
package outbox
