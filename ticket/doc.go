// Package ticket is the rule book: what a ticket is, what may happen to it and when. It is pure: no clock, no I/O, no Temporal.
//
// Open and Decide hold every rule: they give the events that a draft or a command causes at a moment, or refuse with an *Error, and write
// nothing. Evolve folds an event into a ticket; it is the only writer and cannot refuse. Events are kept for ever, so what an event means
// never changes.
//
// The way through the files: ticket.go and event.go say what a ticket is and what can happen to it; draft.go opens one; decide.go,
// process.go, report.go and migrate.go decide commands; simulate.go plays a ticket through without effects; people.go says whom it waits
// for; list.go, search.go, records.go and rating.go are what lists of tickets are asked for and give; error.go and limits.go say how and
// why something is refused.
package ticket
