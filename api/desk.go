package api

import (
	"context"

	"signalbox/desk"
)

// Desk is the counter as every family sees it; *desk.Desk is one.
type Desk interface {
	// Open opens a ticket.
	Open(ctx context.Context, r desk.Request, o desk.Opening) (desk.Reply, error)
	// Handle does one thing to a ticket.
	Handle(ctx context.Context, r desk.Request, h desk.Handling) (desk.Reply, error)
	// Transact does what touches the database alone. What effect writes joins the transaction that its context carries.
	Transact(ctx context.Context, r desk.Request, effect func(ctx context.Context) (desk.Answer, error)) (desk.Reply, error)
}

var _ Desk = (*desk.Desk)(nil)
