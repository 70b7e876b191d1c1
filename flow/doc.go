// Package flow is what tickets run through: a Definition of nodes as data (YAML or JSON), the check that names every fault of one, the
// interpreter that moves a Position through it, and what a diagram of it shows.
//
// It is pure: no clock, no I/O, no Temporal. It never performs anything. It tells who is asked (Waiting), which timers are to be waited
// for (Due) and which HTTP requests are pending (Calls), and takes what came of them as the next Input. The same Step serves the ticket's
// rule book, the workflow, simulations (package ticket) and the tests.
//
// The way through the files: words.go and definition.go say what a definition is, decode.go reads one, check*.go and scope.go say what
// is wrong with it, process.go compiles it. position.go is where a ticket stands; step.go, enter.go, act.go, vote.go, due.go and call.go
// move it.
package flow
