package setup

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"signalbox/desk"
	"signalbox/internal/watch"
	"signalbox/ticket"
)

// watched is an engine that is not asked while Temporal is known not to answer, and that tells its watch what it is answered.
type watched struct {
	desk.Engine
	watch *watch.Watch
}

// asked lets a call through or not.
func asked[T any](w watched, call func() (T, error)) (out T, err error) {
	if err := w.watch.Allow(); err != nil {
		return out, err
	}
	out, err = call()
	if unanswered(err) {
		w.watch.Failed()
	} else {
		w.watch.Answered()
	}
	return out, err
}

// unanswered reports whether an error leaves open whether Temporal answers. A refusal is an answer.
func unanswered(err error) bool {
	if err == nil || ticket.AsError(err) != nil {
		return false
	}
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	code := status.Code(err)
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &unavailable) || errors.As(err, &late) || code == codes.Unavailable || code == codes.DeadlineExceeded
}

// Begin implements desk.Engine.
func (w watched) Begin(ctx context.Context, before ticket.Ticket, events []ticket.Event) error {
	_, err := asked(w, func() (struct{}, error) { return struct{}{}, w.Engine.Begin(ctx, before, events) })
	return err
}

// Begun implements desk.Engine.
func (w watched) Begun(ctx context.Context, id ticket.Identity, generation int) ([]ticket.Event, error) {
	return asked(w, func() ([]ticket.Event, error) { return w.Engine.Begun(ctx, id, generation) })
}

// Update implements desk.Engine. That it was not answered in time says nothing: the ticket's worker may be slow.
func (w watched) Update(ctx context.Context, id ticket.Identity, generation int, seen desk.Seen, c ticket.Command) ([]ticket.Event, error) {
	return asked(w, func() ([]ticket.Event, error) { return w.Engine.Update(ctx, id, generation, seen, c) })
}

// Outcome implements desk.Engine.
func (w watched) Outcome(ctx context.Context, id ticket.Identity, generation int, operation string) (desk.Outcome, error) {
	return asked(w, func() (desk.Outcome, error) { return w.Engine.Outcome(ctx, id, generation, operation) })
}

// Find implements desk.Engine.
func (w watched) Find(ctx context.Context, id ticket.Identity) (ticket.Identity, int, error) {
	type found struct {
		ticket.Identity
		generation int
	}
	f, err := asked(w, func() (f found, err error) {
		f.Identity, f.generation, err = w.Engine.Find(ctx, id)
		return f, err
	})
	return f.Identity, f.generation, err
}

// Drawn implements desk.Engine.
func (w watched) Drawn(ctx context.Context, since time.Time) (desk.Drawn, error) {
	return asked(w, func() (desk.Drawn, error) { return w.Engine.Drawn(ctx, since) })
}

// Peek implements desk.Engine.
func (w watched) Peek(ctx context.Context, id ticket.Identity, generation int, after int64) (desk.Peeked, error) {
	return asked(w, func() (desk.Peeked, error) { return w.Engine.Peek(ctx, id, generation, after) })
}
