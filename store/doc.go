// Package store is all the SQL, in PostgreSQL or, for development and tests, SQLite. It opens its parts as one value, whose methods are theirs:
//
//	db          transactions, errors, pages, time, the order of locks, and being told of pending deliveries
//	vault       what is secret: the master key, data keys, tokens, and the secrets that requests are signed with
//	chain       the digests that show what was changed by hand, and the ids of tickets
//	operations  idempotency keys, answers, and the audit
//	callers     apps with their secrets and limits
//	services    processes, by version
//	tallies     the counts that overviews are made of
//	outbox      subscriptions and what they are owed: deliveries, tries, alerts, redeliveries, the stream
//	tickets     the read model
//	verify      finds what was changed by hand
//
// Each imports only those above it, as the test of the walls has it. Exported methods open a transaction unless their context carries one, so that several
// of them can be one effect; those that take a db.Tx are for packages further up. A database that does not answer is an Unavailable refusal, with the cause inside for the log.
package store
