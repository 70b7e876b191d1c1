package audit

import (
	"time"

	"signalbox/api"
	"signalbox/desk"
	"signalbox/ticket"
)

// view is an entry as callers see it.
type view struct {
	ID        string              `json:"id"` // events of a ticket name it as what caused them
	At        time.Time           `json:"at"`
	EndedAt   *time.Time          `json:"ended_at"`
	App       string              `json:"app"`
	Operator  string              `json:"operator"`
	Address   string              `json:"address"`
	RequestID string              `json:"request_id"`
	Channel   ticket.Channel      `json:"door"`
	Method    string              `json:"method"`
	Path      string              `json:"path"`
	Number    string              `json:"number"`
	Outcome   desk.OperationState `json:"outcome"`
	Status    int                 `json:"status"`
	Code      ticket.Code         `json:"code"`
	Why       string              `json:"why"`
}

func viewOf(e desk.Entry) view {
	return view{
		ID: e.ID, At: e.At.UTC(), EndedAt: api.UTC(e.EndedAt), App: e.App, Operator: e.Operator, Address: e.Address, RequestID: e.RequestID, Channel: e.Channel,
		Method: e.Method, Path: e.Path, Number: e.Number, Outcome: e.Outcome, Status: e.Status, Code: e.Code, Why: e.Why,
	}
}
