package houseapi

import (
	"time"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// Outcomes are what an entry of the audit can tell that became of a request.
var Outcomes = []desk.OperationState{desk.Done, desk.Refused, desk.Running, desk.Void}

// ReadEntries reads which entries of the audit are asked for, by the API or on a page; moment reads a time.
func ReadEntries(q *api.Params, moment func(name string) time.Time) (f desk.EntryFilter) {
	f.Limit, f.Cursor = q.Page()
	f.App, f.Operator, f.Number = q.Name("app", 0, ticket.MaxName), q.Name("operator", 0, ticket.MaxName), q.Name("number", 0, ticket.MaxName)
	f.Outcome = desk.OperationState(q.Choice("outcome", words(Outcomes)...))
	f.From, f.To = moment("from"), moment("to")
	return f
}
