// Package activities is what touches the world on the workflows' behalf: projecting events, delivering notices, settling what a crash left
// open.
package activities

import (
	"context"
	"time"

	"signalbox/notice"
)

// Outbox is the deliveries of the read model.
type Outbox interface {
	// Pending lists, of each lane of a partition in which deliveries wait for their first try, the next one, in the order in which things happened, leaving
	// out lanes that are in busy: a long lane never hides the others behind the limit. Within a lane the order is the order of the ticket's events. Nothing of a retrying lane is listed, nor what goes to one of hosts (notice.Subscription.Host): a host with very many lanes
	// hides nobody either.
	Pending(ctx context.Context, partition int, busy []notice.Lane, limit int, hosts ...string) ([]notice.Work, error)
	// Begin writes down that the first try at a pending delivery begins, before it does: FirstTry of a delivery that is still pending says that its try was
	// lost. False: the delivery is pending no more, and is not to be tried.
	Begin(ctx context.Context, delivery string, at time.Time) (bool, error)
	// SaveResults writes tries down, in one transaction. A delivery that was cancelled meanwhile stays cancelled, and its lane as it is; its attempt is kept.
	// Of one that is not there any more nothing is: the others are written down without it.
	// With Then Retrying the whole lane becomes retrying: so does everything pending in it, and what is enqueued later begins as Retrying, until Next
	// finds the lane empty. One that was put off makes its lane retrying too, and counts as no try. Drop marks the subscription Dropped, and everything
	// else pending or retrying for it Held.
	// What results are told of goes into timelines and the stream with them: see notice.Result.Alerts.
	SaveResults(ctx context.Context, results []notice.Result) error
	// Next gives the delivery that a retrying lane goes on with. When there is none left the lane stops retrying in the same transaction and
	// reports false. While what waits is held against a new filter it reports false too, and the lane goes on retrying: Retrying lists it.
	Next(ctx context.Context, lane notice.Lane) (notice.Work, bool, error)
	// Retrying lists retrying lanes in a stable order, after the given one (zero: from the start).
	Retrying(ctx context.Context, after notice.Lane, limit int) ([]notice.Lane, error)
	// Partitions lists the partitions that have pending deliveries.
	Partitions(ctx context.Context) ([]int, error)
	// Redeliveries lists redeliveries that are not over, and what is left to be held, released or cancelled of subscriptions whose state changed.
	Redeliveries(ctx context.Context, limit int) ([]string, error)
	// GatherDigests makes one delivery each of what waits for a digest, in at most so many ways of telling somebody, where the first of it is due; and says in
	// how many. One that fails keeps no other from being made.
	GatherDigests(ctx context.Context, limit int) (int, error)
	// Notifications gives a channel that receives (and may drop a signal when one is waiting already) whenever deliveries became pending in the
	// partition, until ctx is over.
	Notifications(ctx context.Context, partition int) <-chan struct{}
}
