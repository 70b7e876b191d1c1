package activities

import (
	"context"

	"signalbox/desk"
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

// settleAtOnce bounds one call of Settle; the rest waits for the next.
const settleAtOnce = 200

// Settle finds out what became of operations whose claimant is gone.
func (a *Activities) Settle(ctx context.Context) (desk.Settled, error) {
	return a.Desk.Settle(ctx, settleAtOnce)
}
