// Package db is the database as the rest of the store uses it. Its tables are installation, upkeep, change_feed and counters; of others it knows what two packages
// must agree on: the order in which rows are locked (locks.go) and the state of a subscription (fragments.go).
//
// It promises that a transaction that the database rolls back for the sake of others is run again; that nothing waits longer than its context says; that
// errors which leave (TranslateError) tell what may be repeated from what may not; and that times, cursors and texts mean the same in PostgreSQL and SQLite.
//
// Two hazards for whoever writes SQL on it:
//
//   - The text of a statement stays prepared on each connection, up to a bound, after which no further one is: a query whose text varies must run with
//     Once. AllIn and ExecIn do so by themselves.
//   - A partial index is used only where the query repeats its condition: see the comments at such queries. Both databases match it word by word.
package db
