// Package tickets is the read model: what the events of tickets come to, for those who read. Its tables are tickets, events, messages, relations, ticket_tags, postings, unposted, waiting, people, ticket_nodes,
// stuck, untallied, unlooked, unended, rebuilds, ratings, doubts and words (of a version before); of these ratings and doubts alone are no projections.
//
// It promises that a ticket's row and the tables beside it are the fold of its events, whatever order processes project them in; that events which are there are
// passed over, if they are the same; and that what the events owe is enqueued with them (outbox).
//
// The conditions of lists and searches vary with the filter: their queries run with db.Once. open and NOT open are spelled like the partial indexes tickets_open and tickets_closed.
package tickets
