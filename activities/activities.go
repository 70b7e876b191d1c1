package activities

import (
	"context"

	"signalbox/desk"
	"signalbox/flow"
	"signalbox/ticket"
)

// Activities is what ticket workflows and the sweep have done for them. Workflows name its methods by typed reference on a nil pointer.
type Activities struct {
	Desk *desk.Desk
}

// ProjectInput names a generation of a ticket.
type ProjectInput struct {
	Ticket     ticket.Identity `json:"ticket"`
	Generation int             `json:"life,omitempty"`
}

// Project brings the read model up to what the generation has decided so far. It asks the workflow itself, so its history stays small.
func (a *Activities) Project(ctx context.Context, in ProjectInput) error {
	return a.Desk.CatchUp(ctx, in.Ticket, in.Generation)
}

// LookUpInput is what a ticket has to know about people.
type LookUpInput struct {
	Ticket  ticket.Identity `json:"ticket"`
	Service string          `json:"service"`
	Need    flow.Need       `json:"need"`
}

// LookUp asks the directory for a ticket that no caller has brought the facts to.
func (a *Activities) LookUp(ctx context.Context, in LookUpInput) (flow.Facts, error) {
	return a.Desk.LookUp(ctx, in.Ticket.Tenant, in.Service, in.Need)
}

// settleAtOnce bounds one call of Settle; the rest waits for the next.
const settleAtOnce = 200

// Settle finds out what became of operations whose claimant is gone.
func (a *Activities) Settle(ctx context.Context) (desk.Settled, error) {
	return a.Desk.Settle(ctx, settleAtOnce)
}
