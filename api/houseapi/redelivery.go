package houseapi

import (
	"time"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// redeliveryRequest is the body by which many deliveries of one address are asked for again.
type redeliveryRequest struct {
	State  *string `json:"state"`   // failed, held or sent
	From   *string `json:"from"`    // RFC 3339; of the events
	To     *string `json:"to"`      // likewise, not included
	DryRun *bool   `json:"dry_run"` // they are only counted
}

// selection reads what is asked for. What is wrong names the member.
func (r redeliveryRequest) selection() (sel notice.Selection, err error) {
	var f ticket.Faults
	moment := func(name string, text *string) *time.Time {
		if text == nil {
			return nil
		}
		at, err := time.Parse(time.RFC3339, *text)
		if err != nil {
			f.Add(name, "must be a time as in 2026-01-02T03:04:05Z")
			return nil
		}
		return &at
	}
	sel.State = notice.DeliveryState(api.Value(r.State))
	sel.From, sel.To = moment("from", r.From), moment("to", r.To)
	if err := f.Err(); err != nil {
		return sel, err
	}
	return sel, sel.Check()
}

// redeliveryView is how far it is.
type redeliveryView struct {
	ID        string                 `json:"id,omitempty"`    // not there where they were only counted
	State     notice.RedeliveryState `json:"state,omitempty"` // likewise
	Total     int                    `json:"total"`
	Done      int                    `json:"done"` // put back to be sent
	CreatedAt *time.Time             `json:"created_at,omitempty"`
	EndedAt   *time.Time             `json:"ended_at,omitempty"`
}

// redeliveryOf shows a redelivery.
func redeliveryOf(r notice.Redelivery) redeliveryView {
	if r.ID == "" {
		return redeliveryView{Total: r.Total}
	}
	return redeliveryView{ID: r.ID, State: r.State, Total: r.Total, Done: r.Done, CreatedAt: api.UTC(&r.CreatedAt), EndedAt: api.UTC(r.EndedAt)}
}
