// Package operations keeps who asked for what, and what was answered. Its table is operations; it draws the numbers of tickets from counters.
//
// It promises that of two requests with one idempotency key one happens, and the other gets its answer; that a claim is leased to one process at a time; and that
// the audit has every operation and every refusal until it is pruned.
//
// Redundant conditions (operator <> ”, number <> ”, scope IS NOT NULL, state = 'refused' as text and not as an argument) are those of partial indexes. The audit's query
// varies with its filter and runs with db.Once.
package operations
