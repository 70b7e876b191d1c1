package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signalbox/notice"
)

// Outbox is the store as the deliveries' activities see it.
type Outbox struct{ store *Store }

// Outbox gives the deliveries' view of the store.
func (s *Store) Outbox() *Outbox { return &Outbox{s} }

// workRow is a delivery with its subscription.
type workRow struct {
	deliveryRow
	Sub subscriptionRow `db:"sub"`
}

const workColumns = deliveryColumns + `, s.id AS "sub.id", s.tenant AS "sub.tenant", s.ticket_id AS "sub.ticket_id", s.url AS "sub.url",
	s.format AS "sub.format", s.profile AS "sub.profile", s.secret AS "sub.secret", s.older AS "sub.older", s.headers AS "sub.headers", s.state AS "sub.state", s.reason AS "sub.reason",
	s.created_at AS "sub.created_at", s.ended_at AS "sub.ended_at", s.failing_since AS "sub.failing_since"`

// work completes a row. Where a secret cannot be read, it is work that cannot be sent: unsigned it would be worthless, and one lost key must
// not hold everybody else up.
func (q *session) work(ctx context.Context, r workRow) notice.Work {
	d, err := q.delivery(ctx, r.deliveryRow)
	w := notice.Work{Delivery: d, Subscription: r.Sub.subscription()}
	if err = errors.Join(err, q.secrets(r.Sub, &w.Subscription)); err != nil {
		q.log.Error("delivery.unsendable", "delivery", r.ID, "subscription", r.Sub.ID, "error", err)
		w.Unsendable = "the secrets of its address cannot be read; an operator has to give back the key they were sealed with"
	}
	return w
}

// secrets opens what is sealed of a subscription.
func (q *session) secrets(r subscriptionRow, sub *notice.Subscription) (err error) {
	if sub.Secret, sub.Older, err = q.opened(r.signing, r.ID); err != nil {
		return err
	}
	if r.Headers == "" {
		return nil
	}
	headers, err := q.seals.open(r.Headers, headersOf(r.ID))
	if err == nil {
		err = json.Unmarshal([]byte(headers), &sub.Headers)
	}
	if err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	return nil
}

// Pending lists deliveries of a partition that wait for their first try, in the order in which things happened, without those in busy
// lanes and without those to addresses that begin with an origin. Nothing of a retrying lane is listed.
func (o *Outbox) Pending(ctx context.Context, partition int, busy []notice.Lane, limit int, origins ...string) (list []notice.Work, err error) {
	query, args := `SELECT `+workColumns+` FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id WHERE d.part = ? AND d.state = 'pending' AND `+telling, []any{partition}
	if len(busy) > 0 {
		lane := `(CAST(? AS text), CAST(? AS bigint))`
		query += ` AND (d.subscription_id, d.ticket_id) NOT IN (VALUES ` + strings.Repeat(lane+`, `, len(busy)-1) + lane + `)`
		for _, l := range busy {
			args = append(args, l.Subscription, l.TicketID)
		}
		ctx = once(ctx)
	}
	for _, origin := range origins {
		query += ` AND substr(s.url || '/', 1, ` + strconv.Itoa(utf8.RuneCountInString(origin)+1) + `) <> ?`
		args = append(args, tidy(origin)+"/")
	}
	err = o.store.read(ctx, func(q *session) error {
		var rows []workRow
		if err := q.all(ctx, &rows, query+` ORDER BY d.at, d.seq, d.id LIMIT ?`, append(args, limit)...); err != nil {
			return wrap("list pending deliveries", err)
		}
		for _, row := range rows {
			list = append(list, q.work(ctx, row))
		}
		return nil
	})
	return list, err
}

// SaveResults writes tries down: see activities.Outbox. One that is recorded again, told by its start, changes nothing.
func (o *Outbox) SaveResults(ctx context.Context, results []notice.Result) error {
	return o.store.write(ctx, func(ctx context.Context, q *session) error {
		results, err := q.unrecorded(ctx, results)
		if err != nil || len(results) == 0 {
			return err
		}
		outcomes := outcomesOf(results)
		// In the order of locks.
		if err := q.holdTickets(ctx, outcomes); err != nil {
			return err
		}
		if err := q.judge(ctx, outcomes); err != nil {
			return err
		}
		// So that tries at one delivery are numbered one after the other.
		if err := q.lockDeliveries(ctx, deliveriesOf(results)); err != nil {
			return err
		}
		for _, r := range outcomes {
			if err := q.try(ctx, r); err != nil {
				return fmt.Errorf("record a try at %s: %w", r.Work.Delivery.ID, err)
			}
		}
		return q.raise(ctx, outcomes)
	})
}

// unrecorded leaves out the tries that are written down already.
func (q *session) unrecorded(ctx context.Context, results []notice.Result) ([]notice.Result, error) {
	if len(results) == 0 {
		return nil, nil
	}
	var rows []attemptRow
	if err := q.any(ctx, &rows, `SELECT delivery_id, started_at FROM attempts WHERE delivery_id IN (?)`, deliveriesOf(results)); err != nil {
		return nil, wrap("look for attempts", err)
	}
	return slices.DeleteFunc(slices.Clone(results), func(r notice.Result) bool {
		return !r.PutOff && slices.ContainsFunc(rows, func(row attemptRow) bool {
			return row.Delivery == r.Work.Delivery.ID && row.StartedAt.Equal(at(r.Attempt.StartedAt).Time)
		})
	}), nil
}

func deliveriesOf(results []notice.Result) []string {
	ids := make([]string, len(results))
	for i, r := range results {
		ids[i] = r.Work.Delivery.ID
	}
	return ids
}

// holdTickets locks the tickets whose lanes are going to be retrying or ended as a whole, and those whose timelines are told of it. Then it finds
// out who follows the alerts in the stream, and locks what is like a ticket there.
func (q *session) holdTickets(ctx context.Context, outcomes []*outcome) error {
	var tickets, lanes []int64
	for _, r := range outcomes {
		switch id := r.Work.Delivery.Lane.TicketID; {
		case r.Then != notice.Retrying && len(r.alarms) == 0:
		case id > 0:
			tickets = append(tickets, id)
		case r.Then == notice.Retrying || r.Drop != "":
			lanes = append(lanes, id)
		}
	}
	heads, err := q.lockTickets(ctx, tickets)
	if err != nil {
		return err
	}
	if err := q.placeAlarms(ctx, outcomes, heads); err != nil {
		return err
	}
	return q.holdLanes(ctx, outcomes, lanes)
}

// distinct gives a list sorted, each once.
func distinct[T cmp.Ordered](list []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// try writes one try down and what follows from it for its lane.
func (q *session) try(ctx context.Context, r *outcome) error {
	d, a := r.Work.Delivery, r.Attempt
	if r.PutOff {
		return q.putOff(ctx, r)
	}
	sent, err := writeHeaders(a.Sent)
	if err != nil {
		return err
	}
	header, err := writeHeaders(a.Header)
	if err != nil {
		return err
	}
	answer := append([]byte{}, a.Answer[:min(len(a.Answer), notice.MaxAnswer)]...) // never nil, which would be null
	added, err := q.exec(ctx, `INSERT INTO attempts (delivery_id, n, scheduled_at, started_at, finished_at, sent, status, header, class, error, answer, succeeded, next_try)
		VALUES (?, (SELECT COALESCE(MAX(n), 0) + 1 FROM attempts WHERE delivery_id = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (delivery_id, started_at) DO NOTHING`,
		d.ID, d.ID, maybe(a.ScheduledAt), at(a.StartedAt), at(a.FinishedAt), sent, a.Status, header, string(a.Class), tidy(a.Error), answer, a.Succeeded,
		maybe(a.NextTry))
	if err != nil || added == 0 {
		return wrap("insert the attempt", err)
	}
	// A delivery that was cancelled or held meanwhile stays so, unless it did arrive before its address was dropped.
	from := `('pending', 'parked')`
	if r.Then == notice.Sent {
		from = `('pending', 'parked', 'held')`
	}
	var ended *moment
	if r.Then.Over() {
		ended = maybe(&a.FinishedAt)
	}
	n, err := q.exec(ctx, `UPDATE deliveries SET state = ?, tries = tries + 1, first_try = COALESCE(first_try, ?), next_try = ?, ended_at = ?
		WHERE id = ? AND state IN `+from, string(r.Then), at(a.StartedAt), maybe(r.NextTry), ended, d.ID)
	r.did[notice.DeliveryFailed] = n > 0
	switch {
	case err != nil:
		return wrap("move the delivery on", err)
	case r.did[notice.AddressDropped]:
		return q.turn(ctx, r.Work.Subscription.ID)
	case r.Then == notice.Retrying:
		return q.park(ctx, d.Lane)
	}
	return nil
}

// putOff begins a round without a try.
func (q *session) putOff(ctx context.Context, r *outcome) error {
	_, err := q.exec(ctx, `UPDATE deliveries SET state = 'parked', first_try = COALESCE(first_try, ?), next_try = ? WHERE id = ? AND state IN ('pending', 'parked')`,
		at(r.Attempt.StartedAt), maybe(r.NextTry), r.Work.Delivery.ID)
	if err != nil {
		return wrap("put the delivery off", err)
	}
	return q.park(ctx, r.Work.Delivery.Lane)
}

// writeHeaders makes headers one text; none are the empty one.
func writeHeaders(h map[string]string) (string, error) {
	if len(h) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(h)
	return string(raw), wrap("write headers", err)
}

// park parks a lane. The ticket's row is held.
func (q *session) park(ctx context.Context, lane notice.Lane) error {
	// Cancelled or held meanwhile, it leaves nothing to go on with.
	var one int
	waits, err := q.find(ctx, &one, `SELECT 1 FROM deliveries WHERE subscription_id = ? AND ticket_id = ? AND state IN ('pending', 'parked') LIMIT 1`,
		lane.Subscription, lane.TicketID)
	if err != nil || !waits {
		return wrap("look into the lane", err)
	}
	if _, err := q.exec(ctx, `INSERT INTO lanes (ticket_id, subscription_id, parked_at) VALUES (?, ?, ?) ON CONFLICT (ticket_id, subscription_id) DO NOTHING`,
		lane.TicketID, lane.Subscription, at(q.now())); err != nil {
		return wrap("park the lane", err)
	}
	_, err = q.exec(ctx, `UPDATE deliveries SET state = 'parked' WHERE subscription_id = ? AND ticket_id = ? AND state = 'pending' AND state IN ('pending', 'parked')`,
		lane.Subscription, lane.TicketID)
	return wrap("park the lane", err)
}
