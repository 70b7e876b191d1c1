package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"signalbox/notice"
)

type deliveryRow struct {
	ID           string  `db:"id"`
	Tenant       string  `db:"tenant"`
	Subscription string  `db:"subscription_id"`
	TicketID     int64   `db:"ticket_id"`
	Part         int     `db:"part"`
	At           moment  `db:"at"`
	Seq          int64   `db:"seq"`
	Type         string  `db:"type"`
	Body         string  `db:"body"`
	Alert        bool    `db:"alert"`
	State        string  `db:"state"`
	Tries        int     `db:"tries"`
	FirstTry     *moment `db:"first_try"`
	NextTry      *moment `db:"next_try"`
	CreatedAt    moment  `db:"created_at"`
	EndedAt      *moment `db:"ended_at"`
}

// deliveryColumns are those of deliveries d.
const deliveryColumns = `d.id, d.tenant, d.subscription_id, d.ticket_id, d.part, d.at, d.seq, d.type, d.body, d.alert, d.state, d.tries, d.first_try,
	d.next_try, d.created_at, d.ended_at`

func (r deliveryRow) lane() notice.Lane {
	return notice.Lane{Subscription: r.Subscription, TicketID: r.TicketID}
}

func (r deliveryRow) delivery() notice.Delivery {
	return notice.Delivery{
		ID: r.ID, Tenant: r.Tenant, Lane: r.lane(), Partition: r.Part, Seq: r.Seq, Type: r.Type, Body: []byte(r.Body), Alert: r.Alert,
		State: notice.DeliveryState(r.State), Tries: r.Tries, FirstTry: r.FirstTry.pointer(), NextTry: r.NextTry.pointer(),
		CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.pointer(),
	}
}

type follower struct {
	ID       string `db:"id"`
	Format   string `db:"format"`
	State    string `db:"state"` // of a lasting one known once it is held
	Selector string `db:"selector"`
}

// owe creates the deliveries that the steps of a projection owe to the ticket's own subscriptions, and to the lasting ones that follow them
// in the stream, each body rendered once. An address that was dropped is owed what comes until it is registered again. The ticket's row is held,
// which keeps the ticket's own subscriptions and all of its lanes as they are.
func (q *session) owe(ctx context.Context, steps []step) error {
	last := steps[len(steps)-1].after
	var followers []follower
	err := q.all(ctx, &followers, `SELECT id, format, `+toldState+` AS state FROM subscriptions WHERE tenant = ? AND ticket_id = ? AND state IN ('active', 'dropped') AND successor = ''
		ORDER BY created_at, id`, last.Tenant, last.ID)
	if err != nil {
		return wrap("list subscriptions", err)
	}
	owed := map[string][]deliveryRow{}
	render, done := q.renders(ctx, last)
	for _, s := range steps {
		for _, f := range followers {
			kind, body, ok := notice.Render(notice.Format(f.Format), render, s.before, s.event, s.after)
			if ok {
				owed[f.ID] = append(owed[f.ID], deliveryRow{Subscription: f.ID, At: at(s.event.At), Seq: s.event.Seq, Type: kind, Body: string(body)})
			}
		}
	}
	if err := done(); err != nil {
		return err
	}
	lasting, err := q.tell(ctx, steps, owed)
	if err != nil || len(owed) == 0 {
		return err
	}
	followers = slices.DeleteFunc(followers, func(f follower) bool { return owed[f.ID] == nil })
	if lasting, err = q.holdShared(ctx, lasting); err != nil {
		return err
	}
	return q.deliver(ctx, last.Tenant, last.ID, append(followers, lasting...), owed)
}

// holdShared keeps lasting subscriptions from being paused, resumed, dropped or deleted until the transaction ends, and leaves out those that
// are deleted.
func (q *session) holdShared(ctx context.Context, followers []follower) ([]follower, error) {
	if len(followers) == 0 {
		return nil, nil
	}
	ids := make([]string, len(followers))
	for i, f := range followers {
		ids[i] = f.ID
	}
	slices.Sort(ids)
	states, err := q.shareFollowers(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []follower
	for _, f := range followers {
		if f.State = states[f.ID]; f.State != "" {
			out = append(out, f)
		}
	}
	return out, nil
}

// deliver inserts deliveries of a lane that is held: a ticket's, or one of the stream. In a retrying lane they are born retrying, for a
// subscription that is paused or dropped held.
func (q *session) deliver(ctx context.Context, tenant string, lane int64, followers []follower, owed map[string][]deliveryRow) error {
	retrying, err := q.retrying(ctx, lane)
	if err != nil {
		return err
	}
	part, now := notice.Partition(lane, q.partitions), at(q.now())
	var rows [][]any
	for _, f := range followers {
		state, ended := notice.Pending, (*moment)(nil)
		switch {
		case f.State != string(notice.Active):
			state, ended = notice.Held, &now
		case retrying[f.ID]:
			state = notice.Retrying
		default:
			q.wake(part)
		}
		for _, d := range owed[f.ID] {
			id, err := uuid.NewV7() // rising ids keep the index small
			if err != nil {
				return fmt.Errorf("make an id: %w", err)
			}
			name, body, itsm := "msg_"+id.String(), d.Body, f.Format == string(notice.FormatITSM)
			if itsm { // its body tells a token
				if body, err = q.keep(ctx, body, name); err != nil {
					return fmt.Errorf("seal a body: %w", err)
				}
				body = sealedBody + body
			}
			rows = append(rows, []any{name, tenant, f.ID, lane, part, d.At, d.Seq, d.Type, body, d.Alert, string(state), 0, itsm, now, ended})
		}
	}
	return q.insert(ctx, `deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, alert, state, tries, listed, created_at, ended_at)`, rows)
}

// retrying gives the subscriptions whose lane with the ticket is retrying.
func (q *session) retrying(ctx context.Context, ticketID int64) (map[string]bool, error) {
	var ids []string
	if err := q.all(ctx, &ids, `SELECT subscription_id FROM lanes WHERE ticket_id = ?`, ticketID); err != nil {
		return nil, wrap("list retrying lanes", err)
	}
	retrying := map[string]bool{}
	for _, id := range ids {
		retrying[id] = true
	}
	return retrying, nil
}

type attemptRow struct {
	Delivery    string  `db:"delivery_id"`
	N           int     `db:"n"`
	ScheduledAt *moment `db:"scheduled_at"`
	StartedAt   moment  `db:"started_at"`
	FinishedAt  moment  `db:"finished_at"`
	Sent        string  `db:"sent"`
	Status      int     `db:"status"`
	Header      string  `db:"header"`
	Class       string  `db:"class"`
	Error       string  `db:"error"`
	Answer      []byte  `db:"answer"`
	Succeeded   bool    `db:"succeeded"`
	NextTry     *moment `db:"next_try"`
}

func (r attemptRow) attempt() (notice.Attempt, error) {
	a := notice.Attempt{
		DeliveryID: r.Delivery, N: r.N, ScheduledAt: r.ScheduledAt.pointer(), StartedAt: r.StartedAt.Time, FinishedAt: r.FinishedAt.Time,
		Status: r.Status, Class: notice.ErrorClass(r.Class), Error: r.Error, Answer: r.Answer, Succeeded: r.Succeeded, NextTry: r.NextTry.pointer(),
	}
	err := errors.Join(readHeaders(r.Sent, &a.Sent), readHeaders(r.Header, &a.Header))
	return a, wrap("read a try at "+r.Delivery, err)
}

// readHeaders gives back what writeHeaders took.
func readHeaders(text string, to *map[string]string) error {
	if text == "" {
		return nil
	}
	return wrap("read headers", json.Unmarshal([]byte(text), to))
}

// delivery gives a row's delivery with its body as it is sent.
func (q *session) delivery(ctx context.Context, r deliveryRow) (notice.Delivery, error) {
	d := r.delivery()
	if sealed, is := strings.CutPrefix(r.Body, sealedBody); is {
		body, err := q.kept(ctx, sealed, r.ID)
		if err != nil {
			return d, fmt.Errorf("open the body of %s: %w", r.ID, err)
		}
		d.Body = []byte(body)
	}
	return d, nil
}

// Deliveries lists what was and is owed to one subscription, newest first, with every attempt. cursor is empty or next of the page before;
// anything else is Invalid, field "cursor". limit is 1 to ticket.MaxPage; 0 is ticket.DefaultPage.
func (s *Store) Deliveries(ctx context.Context, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error) {
	limit = pageSize(limit)
	where, args := `d.subscription_id = ?`, []any{subscription}
	if cursor != "" {
		c, err := parseCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		where += ` AND (d.at, d.seq, d.id) < (?, ?, ?)`
		args = append(args, at(c.At), c.N, c.ID)
	}
	err = s.read(ctx, func(q *session) error {
		var rows []deliveryRow
		err := q.all(ctx, &rows, `SELECT `+deliveryColumns+` FROM deliveries d WHERE `+where+` ORDER BY d.at DESC, d.seq DESC, d.id DESC LIMIT ?`, append(args, limit+1)...)
		if err != nil {
			return wrap("list deliveries", err)
		}
		if len(rows) > limit {
			rows = rows[:limit]
			last := rows[limit-1]
			next = position{At: last.At.Time, N: last.Seq, ID: last.ID}.String()
		}
		attempts, err := q.attempts(ctx, rows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			d, err := q.delivery(ctx, row)
			if err != nil {
				return err
			}
			items = append(items, notice.DeliveryRecord{Delivery: d, Attempts: attempts[row.ID]})
		}
		return nil
	})
	return items, next, err
}

// Delivery is one of a subscription's deliveries, with every attempt. NotFound: it has no such delivery.
func (s *Store) Delivery(ctx context.Context, subscription, delivery string) (out notice.DeliveryRecord, err error) {
	err = s.read(ctx, func(q *session) error {
		var row deliveryRow
		found, err := q.find(ctx, &row, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = ? AND d.subscription_id = ?`, delivery, subscription)
		switch {
		case err != nil:
			return wrap("look for a delivery", err)
		case !found:
			return errNoDelivery
		}
		attempts, err := q.attempts(ctx, []deliveryRow{row})
		if err != nil {
			return err
		}
		out.Attempts = attempts[row.ID]
		out.Delivery, err = q.delivery(ctx, row)
		return err
	})
	return out, err
}

// attempts gives every attempt at some deliveries, oldest first.
func (q *session) attempts(ctx context.Context, deliveries []deliveryRow) (map[string][]notice.Attempt, error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	var rows []attemptRow
	err := q.any(ctx, &rows, `SELECT delivery_id, n, scheduled_at, started_at, finished_at, sent, status, header, class, error, answer, succeeded, next_try
		FROM attempts WHERE delivery_id IN (?) ORDER BY delivery_id, n`, ids)
	if err != nil {
		return nil, wrap("list attempts", err)
	}
	out := map[string][]notice.Attempt{}
	for _, r := range rows {
		a, err := r.attempt()
		if err != nil {
			return nil, err
		}
		out[r.Delivery] = append(out[r.Delivery], a)
	}
	return out, nil
}
