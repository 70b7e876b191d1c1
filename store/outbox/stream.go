package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Publish stores an event and its deliveries to the tenant's lasting subscriptions that follow it, in one transaction. It joins the one
// that ctx carries.
func (o *Outbox) Publish(ctx context.Context, tenant, app string, p notice.Published) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		followers, err := o.followers(ctx, q, tenant, []notice.Published{p})
		if err != nil {
			return err
		}
		_, err = o.publish(ctx, q, tenant, app, p, followers[0])
		return err
	})
}

// publish stores an event and its deliveries to these followers, and gives its position in its lane. An event that nobody follows has none, and waits for
// no other.
func (o *Outbox) publish(ctx context.Context, q *db.Tx, tenant, app string, p notice.Published, followers []follower) (where db.LanePosition, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return where, fmt.Errorf("make an id: %w", err)
	}
	if _, err = o.insertPublished(ctx, q, id, tenant, app, p); err != nil || len(followers) == 0 {
		return where, err
	}
	lane := StreamLane(tenant, p.Key)
	if where, err = q.EnterLane(ctx, lane); err != nil {
		return where, err
	}
	pending := map[string][]deliveryRow{}
	if err := addPublished(pending, p, where, followers); err != nil {
		return where, err
	}
	if followers, err = o.lockFollowers(ctx, q, followers); err != nil {
		return where, err
	}
	return where, o.insertDeliveries(ctx, q, tenant, lane, followers, pending)
}

// insertPublished stores a published event. False: it is there already.
func (o *Outbox) insertPublished(ctx context.Context, q *db.Tx, id uuid.UUID, tenant, app string, p notice.Published) (bool, error) {
	changes, err := json.Marshal(p.Changes)
	if err != nil {
		return false, fmt.Errorf("write an event: %w", err)
	}
	n, err := q.Exec(ctx, `INSERT INTO stream (id, tenant, app, request_id, source, topic, type, status, key, changes, hops, at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		id.String(), tenant, app, p.RequestID, p.Source, p.Topic, p.Type, p.Status, p.Key, string(changes), p.Hops, db.At(q.Now()))
	return n > 0, db.Wrap("store an event", err)
}

// addPublished adds an event's deliveries to these followers, at its position in their lane, to those that are pending by subscription. Each format's
// body is rendered once.
func addPublished(pending map[string][]deliveryRow, p notice.Published, where db.LanePosition, followers []follower) error {
	bodies := map[string]string{}
	for _, f := range followers {
		body, done := bodies[f.Format]
		if !done {
			raw, ok := notice.RenderPublished(notice.Format(f.Format), p)
			if !ok {
				return fmt.Errorf("subscription %s has the format %q, which lasting subscriptions cannot have", f.ID, f.Format)
			}
			body = string(raw)
			bodies[f.Format] = body
		}
		pending[f.ID] = append(pending[f.ID], deliveryRow{Subscription: f.ID, At: where.At, Seq: where.Seq, Type: p.Type, Body: body, Hops: p.Hops})
	}
	return nil
}

// enqueueStream adds the deliveries of a projection's steps to lasting subscriptions, and gives those that get any.
func (o *Outbox) enqueueStream(ctx context.Context, q *db.Tx, steps []Step, shapes []shape, pending map[string][]deliveryRow) (list []follower, err error) {
	var events []notice.Published
	var positions []db.LanePosition
	for _, s := range steps {
		if p, ok := notice.OfTicket(s.Before, s.Event, s.After); ok {
			p.RequestID = requestOf(s.After, s.Event)
			events, positions = append(events, p), append(positions, db.LanePosition{Seq: s.Event.Seq, At: db.At(s.Event.At)})
		}
	}
	if len(events) == 0 {
		return nil, nil
	}
	followers, err := o.followersBy(ctx, q, steps[0].After.Tenant, shapes, events)
	if err != nil {
		return nil, err
	}
	for i, p := range events {
		for _, f := range followers[i] {
			if pending[f.ID] == nil {
				list = append(list, f)
			}
		}
		if err := addPublished(pending, p, positions[i], followers[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// requestOf is the request ID of a ticket's event: the operation that caused it, or, where that was nobody's request, one that is the
// event's own.
func requestOf(t ticket.Ticket, e ticket.Event) string {
	if id, err := uuid.Parse(e.Operation); err == nil {
		return id.String()
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(t.UUID+"/"+strconv.FormatInt(e.Seq, 10))).String()
}

// followers gives, for each of some events of one tenant, the lasting subscriptions that it is for, oldest first. What it costs depends on
// how many those are and on how many shapes of filters the tenant uses, not on how many subscriptions there are.
func (o *Outbox) followers(ctx context.Context, q *db.Tx, tenant string, events []notice.Published) ([][]follower, error) {
	var shapes []shape
	if err := q.All(ctx, &shapes, ShapesQuery, tenant, tenant); err != nil {
		return nil, db.Wrap("list shapes of filters", err)
	}
	return o.followersBy(ctx, q, tenant, shapes, events)
}

// followersBy is followers for whoever knows the shapes of the tenant's filters.
func (o *Outbox) followersBy(ctx context.Context, q *db.Tx, tenant string, shapes []shape, events []notice.Published) ([][]follower, error) {
	out := make([][]follower, len(events))
	asking := map[string][]int{} // selector -> the events that give it
	var selectors []string
	for i, p := range events {
		for _, form := range shapes {
			text, ok := selectorFor(p, form)
			if !ok {
				continue
			}
			if asking[text] == nil {
				selectors = append(selectors, text)
			}
			asking[text] = append(asking[text], i)
		}
	}
	if len(selectors) == 0 {
		return out, nil
	}
	var found []follower
	err := q.AllIn(ctx, &found, FollowersQuery, tenant, selectors)
	for _, f := range found {
		for _, i := range asking[f.Selector] {
			out[i] = append(out[i], f)
		}
	}
	return out, db.Wrap("list followers", err)
}

// ShapesQuery takes one step through the index for each shape.
const ShapesQuery = shapesOf + `SELECT shape FROM s WHERE shape IS NOT NULL`

const shapesOf = `WITH RECURSIVE s (shape) AS (
	SELECT MIN(shape) FROM subscriptions WHERE tenant = ? AND ` + db.Following + `
	UNION ALL
	SELECT (SELECT MIN(shape) FROM subscriptions WHERE tenant = ? AND ` + db.Following + ` AND shape > s.shape) FROM s WHERE s.shape IS NOT NULL
) `

// FollowersQuery finds the subscriptions with one of some selectors.
const FollowersQuery = `SELECT id, format, selector, unordered FROM subscriptions WHERE tenant = ? AND selector IN (?) AND ` + db.Following +
	` ORDER BY created_at, id`
