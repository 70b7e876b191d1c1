// Package chain makes the digests that a change by hand is found by. Its table is unopened; it writes the counter of tickets in counters as well, and the columns
// hash (events, alerts) and chain (tickets), for the packages that insert those rows; it reads events and alerts.
//
// It promises that each row of a timeline follows from the one before it, that each id has a ticket, an opening under way or a row in unopened, and that
// what was broken stays broken when more is added. Whoever extends a chain holds the ticket's row.
//
// The words that go into digests ("row", "head", "claim", "unopened", "adopted"…) are for ever, whatever things are called in the code.
package chain
