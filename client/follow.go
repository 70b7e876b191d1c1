package client

import (
	"context"
	"errors"
	"iter"
	"time"

	"signalbox/client/issue"
)

// Latest is the cursor that the change feed has at its end: nothing of what was before is seen.
const Latest = "latest"

// Change is an event of a ticket, and the ticket as it was when the feed was read, which may be after later events.
type Change struct {
	Event issue.Entry
	Issue issue.Line
}

// Changes are some, in the feed's order. Whoever has dealt with them keeps Cursor, best in the same transaction: what follows it has not been seen.
type Changes struct {
	Items  []Change
	Cursor string
}

// FollowOptions say how the feed is followed.
type FollowOptions struct {
	Every   time.Duration   // how long to wait at its end; 0: 2 s
	Limit   int             // how many changes at most are given at once, up to 200; 0: 200
	Waiting func(err error) // is told each time that the feed cannot be read now, and is asked again later; nil: nobody is
}

// The longest wait before a feed that cannot be read is asked again.
const mostFollowWait = 30 * time.Second

// Follow follows what happens to all tickets of the app's tenant, from a cursor on: one that was kept, [Latest], or an empty one for all that there is. Every event is given,
// once, in an order that is the same for everybody, those of one ticket in the order of their Seq. The first Changes may have no items: they tell the cursor to begin with.
//
// Where the feed cannot be read for now, it goes on asking. It ends with an error: the context's, or a refusal. Gone means that the database was restored to
// an earlier state: some of what was seen did not happen. Begin again, with [Client.Begin] and the list of tickets.
func (c *Client) Follow(ctx context.Context, cursor string, o FollowOptions) iter.Seq2[Changes, error] {
	if o.Every <= 0 {
		o.Every = 2 * time.Second
	}
	if o.Limit <= 0 {
		o.Limit = fullPage
	}
	return func(yield func(Changes, error) bool) {
		cursor, failures := cursor, 0
		for first := true; ; {
			got, more, err := c.changes(ctx, cursor, o.Limit)
			wait := o.Every
			switch {
			case ctx.Err() != nil:
				yield(Changes{}, ctx.Err())
				return
			case err != nil && !isTransient(err):
				yield(Changes{}, err)
				return
			case err != nil:
				if o.Waiting != nil {
					o.Waiting(err)
				}
				wait = min(o.Every<<min(failures, 10), mostFollowWait)
				failures++
			default:
				cursor, failures = got.Cursor, 0
				if (first || len(got.Items) > 0) && !yield(got, nil) {
					return
				}
				if first = false; more {
					continue
				}
			}
			if !pause(ctx, wait) {
				<-ctx.Done() // there is nothing to do until then
				yield(Changes{}, ctx.Err())
				return
			}
		}
	}
}

// Begin gives the cursor of the feed's present end. Whoever wants all tickets and what happens to them calls it, then reads the list ([Client.Issues]) to its
// end, and then follows from the cursor: what changes in between is seen in both.
func (c *Client) Begin(ctx context.Context) (cursor string, err error) {
	got, _, err := c.changes(ctx, Latest, 1)
	return got.Cursor, err
}

// isTransient reports whether an error is over some time later, however long that takes.
func isTransient(err error) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Temporary()
	}
	return mayPass(err)
}

func (c *Client) changes(ctx context.Context, cursor string, limit int) (got Changes, more bool, err error) {
	p := issue.ListChangesParams{Limit: &limit}
	if cursor != "" {
		p.Cursor = &cursor
	}
	a, err := c.Issue.ListChangesWithResponse(ctx, &p)
	if err != nil {
		return Changes{}, false, err
	}
	result := a.JSON200.Result
	for _, item := range result.Items {
		got.Items = append(got.Items, Change{Event: item.Event, Issue: item.Issue})
	}
	got.Cursor = result.NextCursor
	return got, result.More, nil
}
