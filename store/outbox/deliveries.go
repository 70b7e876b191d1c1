package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"signalbox/internal/tracing"
	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/vault"
	"signalbox/ticket"
)

type deliveryRow struct {
	ID           string        `db:"id"`
	Tenant       string        `db:"tenant"`
	Subscription string        `db:"subscription_id"`
	TicketID     int64         `db:"ticket_id"`
	Part         int           `db:"part"`
	At           db.Timestamp  `db:"at"`
	Seq          int64         `db:"seq"`
	Type         string        `db:"type"`
	Body         string        `db:"body"`
	Alert        bool          `db:"alert"`
	Hops         int           `db:"hops"`
	Alone        bool          `db:"alone"`
	Letter       bool          `db:"letter"`
	Trace        *string       `db:"trace"`
	Reason       string        `db:"reason"`
	State        string        `db:"state"`
	Tries        int           `db:"tries"`
	FirstTry     *db.Timestamp `db:"first_try"`
	NextTry      *db.Timestamp `db:"next_try"`
	CreatedAt    db.Timestamp  `db:"created_at"`
	EndedAt      *db.Timestamp `db:"ended_at"`
}

// deliveryColumns are those of deliveries d.
const deliveryColumns = `d.id, d.tenant, d.subscription_id, d.ticket_id, d.part, d.at, d.seq, d.type, d.body, d.alert, d.hops, d.alone, d.letter, d.trace, d.reason, d.state, d.tries, d.first_try,
	d.next_try, d.created_at, d.ended_at`

func (r deliveryRow) lane() notice.Lane {
	lane := notice.Lane{Subscription: r.Subscription, TicketID: r.TicketID}
	if r.Alone {
		lane.Delivery = r.ID
	}
	return lane
}

func (r deliveryRow) delivery() notice.Delivery {
	d := notice.Delivery{
		ID: r.ID, Tenant: r.Tenant, Lane: r.lane(), Partition: r.Part, Seq: r.Seq, Type: r.Type, Body: []byte(r.Body), Alert: r.Alert, Hops: r.Hops,
		State: notice.DeliveryState(r.State), Reason: r.Reason, Tries: r.Tries, FirstTry: r.FirstTry.Pointer(), NextTry: r.NextTry.Pointer(),
		CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.Pointer(),
	}
	if r.Trace != nil {
		d.Trace = *r.Trace
	}
	return d
}

// traceOf is what the column trace holds of what is delivered because of what ctx is about; nil where that is in no trace.
func traceOf(ctx context.Context) *string {
	if trace := tracing.Carry(ctx); trace != "" {
		return &trace
	}
	return nil
}

type follower struct {
	ID       string `db:"id"`
	Format   string `db:"format"`
	State    string `db:"state"` // of a lasting one known once it is held
	Selector string `db:"selector"`

	Unordered bool `db:"unordered"`
}

// Audience is who may have to be told of what happens to a ticket.
type Audience struct {
	rows    []audienceRow
	looked  []string // ids of people who were looked for
	persons []personRow
}

// audienceRow is a subscription of the ticket, a shape of the filters of what follows the tenant's stream, or somebody who follows the ticket (State is isPerson).
type audienceRow struct {
	follower
	Shape *shape `db:"shape"`
}

const isPerson = "person"

// split gives the subscriptions of the ticket, the shapes, and the ids of the people who follow it.
func (a *Audience) split() (followers []follower, shapes []shape, persons []string) {
	for _, r := range a.rows {
		switch {
		case r.Shape != nil:
			shapes = append(shapes, *r.Shape)
		case r.State == isPerson:
			persons = append(persons, r.ID)
		default:
			followers = append(followers, r.follower)
		}
	}
	return followers, shapes, persons
}

// Audience asks who may have to be told of what happens to a ticket, in the round trip of the next statement, which locks the ticket's row: who registers, follows or follows no more
// waits for it, or was there before. names are the ids of people whom the events name.
func (o *Outbox) Audience(ctx context.Context, q *db.Tx, tenant string, ticketID int64, names []string) (*Audience, error) {
	a, err := audience(ctx, q.AllNext, tenant, ticketID)
	if a.looked = cleaned(names); err == nil && len(a.looked) > 0 {
		err = q.AllInNext(ctx, &a.persons, findPersons, tenant, a.looked)
	}
	return a, err
}

// AudienceQuery finds all of them in one statement.
const AudienceQuery = shapesOf + `SELECT id, format, state, shape FROM (SELECT id, format, ` + db.EffectiveState + ` AS state, CAST(NULL AS bigint) AS shape, created_at FROM subscriptions
	WHERE tenant = ? AND ticket_id = ? AND ` + db.Owed + ` UNION ALL SELECT '', '', '', shape, NULL FROM s WHERE shape IS NOT NULL
	UNION ALL SELECT person, '', '` + isPerson + `', NULL, NULL FROM people WHERE ticket_id = ? AND part = 'follower') a ORDER BY created_at, id`

// nobodyOwed holds where AudienceQuery finds nobody. It asks for no more than that. Whether there is any shape is asked by the least of them: a table of which much follows some tenant's stream would be read from end to
// end for a row of a tenant that has none.
const nobodyOwed = `NOT EXISTS (SELECT 1 FROM subscriptions WHERE tenant = ? AND ticket_id = ? AND ` + db.Owed + `) AND (SELECT MIN(shape) FROM subscriptions WHERE tenant = ? AND ` + db.Following + `) IS NULL
	AND NOT EXISTS (SELECT 1 FROM people WHERE ticket_id = ? AND part = 'follower')`

// Nobody gives the condition that nobody has to be told of a projection's steps, which is to be relied on with the ticket's row held (db.Relying), and the audience then. It is for PostgreSQL.
func (o *Outbox) Nobody(ctx context.Context, q *db.Tx, steps []Step) (*Audience, db.Expr, error) {
	last := steps[len(steps)-1].After
	render, done := o.renderContext(ctx, q, last)
	followers := followersOf(steps, nil)
	var ids []string
	for _, s := range steps {
		for _, t := range notice.Tell(render, s.Before, s.Event, s.After, followers) {
			ids = append(ids, t.To...)
		}
	}
	if err := done(); err != nil {
		return nil, db.Expr{}, err
	}
	a := &Audience{looked: cleaned(ids)}
	nobody := db.Expr{SQL: nobodyOwed, Args: []any{last.Tenant, last.ID, last.Tenant, last.ID}}
	if len(a.looked) > 0 {
		nobody.SQL, nobody.Args = nobodyOwedOrNamed, append(nobody.Args, last.Tenant, a.looked)
	}
	return a, nobody, nil
}

// nobodyOwedOrNamed is nobodyOwed, and that nobody is found of those who are named.
var nobodyOwedOrNamed = nobodyOwed + ` AND NOT EXISTS (` + strings.Replace(findPersons, "IN (?)", "= ANY (?)", 1) + `)`

func audience(ctx context.Context, all func(ctx context.Context, to any, query string, args ...any) error, tenant string, ticketID int64) (*Audience, error) {
	a := &Audience{}
	err := all(ctx, &a.rows, AudienceQuery, tenant, tenant, tenant, ticketID, ticketID)
	return a, db.Wrap("list subscriptions", err)
}

// Enqueue creates the deliveries of a projection's steps, which are at least one, for the ticket's own subscriptions, for the lasting ones that
// follow them in the stream, and for the people who are to be told, each body rendered once. For an address that was dropped they are held until it is registered again. The ticket's row is
// locked, which keeps the ticket's own subscriptions and all of its lanes as they are. Who may have to be told is asked now where nobody did before (nil).
func (o *Outbox) Enqueue(ctx context.Context, q *db.Tx, steps []Step, to *Audience) error {
	last := steps[len(steps)-1].After
	if to == nil {
		var err error
		if to, err = audience(ctx, q.All, last.Tenant, last.ID); err != nil {
			return err
		}
	}
	followers, shapes, people := to.split()
	pending := map[string][]deliveryRow{}
	render, done := o.renderContext(ctx, q, last)
	for _, s := range steps {
		for _, f := range followers {
			kind, body, ok := notice.Render(notice.Format(f.Format), render, s.Before, s.Event, s.After)
			if ok {
				pending[f.ID] = append(pending[f.ID], deliveryRow{Subscription: f.ID, At: db.At(s.Event.At), Seq: s.Event.Seq, Type: kind, Body: string(body), Hops: s.Event.Hops})
			}
		}
	}
	if err := done(); err != nil {
		return err
	}
	lasting, err := o.enqueueStream(ctx, q, steps, shapes, pending)
	if err != nil {
		return err
	}
	ways, err := o.enqueueLetters(ctx, q, steps, to, people, render, pending)
	if err != nil || len(pending) == 0 {
		return err
	}
	lasting = append(lasting, ways...)
	followers = slices.DeleteFunc(followers, func(f follower) bool { return pending[f.ID] == nil })
	if lasting, err = o.lockFollowers(ctx, q, lasting); err != nil {
		return err
	}
	return o.insertDeliveries(ctx, q, last.Tenant, last.ID, append(followers, lasting...), pending)
}

// lockFollowers keeps lasting subscriptions, and ways of telling people, from being paused, resumed, dropped or deleted until the transaction ends, and leaves out those that
// are deleted.
func (o *Outbox) lockFollowers(ctx context.Context, q *db.Tx, followers []follower) ([]follower, error) {
	if len(followers) == 0 {
		return nil, nil
	}
	ids := make([]string, len(followers))
	for i, f := range followers {
		ids[i] = f.ID
	}
	slices.Sort(ids)
	states, err := q.ShareFollowers(ctx, ids)
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

// deliveryID gives the id of what a subscription is owed, which is the webhook-id that its receiver sees. It is made of the time and of what it is (UUID version 8,
// RFC 9562): a database that was put back to an earlier state owes it again under the same id, by which the receiver can tell that it has it. Ids rise with time,
// which keeps the index small.
func deliveryID(subscription string, lane int64, d deliveryRow) string {
	var id uuid.UUID
	micros := d.At.UnixMicro()
	binary.BigEndian.PutUint64(id[:], uint64(micros/1000)<<16|0x8000|uint64(micros%1000)) // as version 7 has it, to the microsecond
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %q", subscription, lane, d.Seq, d.Body))
	copy(id[8:], sum[:])
	id[8] = id[8]&0x3f | 0x80
	return "msg_" + id.String()
}

// insertDeliveries inserts deliveries by subscription, all about one lane's ticket or key, whose row is locked. They are pending unless they have a state; retrying in a
// retrying lane, and held for a subscription that is not effectively active.
func (o *Outbox) insertDeliveries(ctx context.Context, q *db.Tx, tenant string, lane int64, followers []follower, pending map[string][]deliveryRow) error {
	retrying, err := o.retrying(ctx, q, lane)
	if err != nil {
		return err
	}
	part, now, trace := notice.Partition(lane, o.partitions), db.At(q.Now()), traceOf(ctx)
	var rows [][]any
	for _, f := range followers {
		for _, d := range pending[f.ID] {
			state, ended := notice.Pending, (*db.Timestamp)(nil)
			switch {
			case f.State != string(notice.Active):
				state, ended, d.NextTry = notice.Held, &now, nil
			case d.State != "":
				state = notice.DeliveryState(d.State)
			case retrying[f.ID] && !f.Unordered:
				state = notice.Retrying
			default:
				q.NotifyPending(part)
			}
			name, body, itsm := deliveryID(f.ID, lane, d), d.Body, f.Format == string(notice.FormatITSM)
			if itsm { // its body contains a token
				if body, err = o.vault.EncryptLasting(ctx, q, body, name); err != nil {
					return fmt.Errorf("encrypt a body: %w", err)
				}
				body = vault.EncryptedMark + body
			}
			rows = append(rows, []any{name, tenant, f.ID, lane, part, d.At, d.Seq, d.Type, body, d.Alert, d.Hops, f.Unordered, d.Letter, trace, string(state), 0, itsm, d.NextTry, now, ended})
		}
	}
	return q.Insert(ctx, `deliveries (id, tenant, subscription_id, ticket_id, part, at, seq, type, body, alert, hops, alone, letter, trace, state, tries, listed, next_try, created_at, ended_at)`, rows)
}

// retrying gives the subscriptions whose lane with the ticket is retrying.
func (o *Outbox) retrying(ctx context.Context, q *db.Tx, ticketID int64) (map[string]bool, error) {
	var ids []string
	if err := q.All(ctx, &ids, `SELECT subscription_id FROM lanes WHERE ticket_id = ?`, ticketID); err != nil {
		return nil, db.Wrap("list retrying lanes", err)
	}
	retrying := map[string]bool{}
	for _, id := range ids {
		retrying[id] = true
	}
	return retrying, nil
}

type attemptRow struct {
	Delivery    string        `db:"delivery_id"`
	N           int           `db:"n"`
	ScheduledAt *db.Timestamp `db:"scheduled_at"`
	StartedAt   db.Timestamp  `db:"started_at"`
	FinishedAt  db.Timestamp  `db:"finished_at"`
	Sent        string        `db:"sent"`
	Status      int           `db:"status"`
	Header      string        `db:"header"`
	Class       string        `db:"class"`
	Error       string        `db:"error"`
	Answer      []byte        `db:"answer"`
	Succeeded   bool          `db:"succeeded"`
	NextTry     *db.Timestamp `db:"next_try"`
}

func (r attemptRow) attempt() (notice.Attempt, error) {
	a := notice.Attempt{
		DeliveryID: r.Delivery, N: r.N, ScheduledAt: r.ScheduledAt.Pointer(), StartedAt: r.StartedAt.Time, FinishedAt: r.FinishedAt.Time,
		Status: r.Status, Class: notice.ErrorClass(r.Class), Error: r.Error, Answer: r.Answer, Succeeded: r.Succeeded, NextTry: r.NextTry.Pointer(),
	}
	err := errors.Join(readHeaders(r.Sent, &a.Sent), readHeaders(r.Header, &a.Header))
	return a, db.Wrap("read a try at "+r.Delivery, err)
}

// readHeaders gives back what writeHeaders took.
func readHeaders(text string, to *map[string]string) error {
	if text == "" {
		return nil
	}
	return db.Wrap("read headers", json.Unmarshal([]byte(text), to))
}

// delivery gives a row's delivery with its body as it is sent.
func (o *Outbox) delivery(ctx context.Context, q *db.Tx, r deliveryRow) (notice.Delivery, error) {
	d := r.delivery()
	if encrypted, is := strings.CutPrefix(r.Body, vault.EncryptedMark); is {
		body, err := o.vault.DecryptLasting(ctx, q, encrypted, r.ID)
		if err != nil {
			return d, fmt.Errorf("decrypt the body of %s: %w", r.ID, err)
		}
		d.Body = []byte(body)
	}
	return d, nil
}

// Deliveries lists the deliveries of one subscription, whatever their state, newest first, with every attempt; of a ticket's those about it alone, since people are told
// of many. cursor is empty or next of the page before; anything else is Invalid, field "cursor". limit is 1 to ticket.MaxPage; 0 is ticket.DefaultPage.
func (o *Outbox) Deliveries(ctx context.Context, of notice.Owner, subscription, cursor string, limit int) (items []notice.DeliveryRecord, next string, err error) {
	var w db.Where
	w.And(`d.subscription_id = ?`, subscription)
	w.AndIf(of.TicketID != 0, `d.ticket_id = ?`, of.TicketID)
	if err := w.After(cursor, `d.at, d.seq, d.id`, func(c db.Cursor) []any { return []any{db.At(c.At), c.N, c.ID} }); err != nil {
		return nil, "", err
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []deliveryRow
		rows, next, err = db.ReadPage(ctx, q, limit, `SELECT `+deliveryColumns+` FROM deliveries d WHERE `+w.String()+` ORDER BY d.at DESC, d.seq DESC, d.id DESC LIMIT ?`, w.Args(),
			func(r deliveryRow) db.Cursor { return db.Cursor{At: r.At.Time, N: r.Seq, ID: r.ID} })
		if err != nil {
			return db.Wrap("list deliveries", err)
		}
		attempts, err := o.attempts(ctx, q, rows)
		if err != nil {
			return err
		}
		items, err = db.Convert(rows, func(r deliveryRow) (notice.DeliveryRecord, error) {
			d, err := o.delivery(ctx, q, r)
			return notice.DeliveryRecord{Delivery: d, Attempts: attempts[r.ID]}, err
		})
		return err
	})
	return items, next, err
}

// Delivery is one of a subscription's deliveries, with every attempt. NotFound: it has no such delivery.
func (o *Outbox) Delivery(ctx context.Context, subscription, delivery string) (out notice.DeliveryRecord, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		row, err := o.findDelivery(ctx, q, subscription, delivery)
		if err != nil {
			return err
		}
		attempts, err := o.attempts(ctx, q, []deliveryRow{row})
		if err != nil {
			return err
		}
		out.Attempts = attempts[row.ID]
		out.Delivery, err = o.delivery(ctx, q, row)
		return err
	})
	return out, err
}

// findDelivery reads a subscription's delivery; errNoDelivery: it has none under that ID.
func (o *Outbox) findDelivery(ctx context.Context, q *db.Tx, subscription, id string) (row deliveryRow, err error) {
	found, err := q.Find(ctx, &row, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.id = ? AND d.subscription_id = ?`, id, subscription)
	if err == nil && !found {
		err = errNoDelivery
	}
	return row, db.Wrap("look for a delivery", err)
}

// attempts gives every attempt at some deliveries, oldest first.
func (o *Outbox) attempts(ctx context.Context, q *db.Tx, deliveries []deliveryRow) (map[string][]notice.Attempt, error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	var rows []attemptRow
	err := q.AllIn(ctx, &rows, `SELECT delivery_id, n, scheduled_at, started_at, finished_at, sent, status, header, class, error, answer, succeeded, next_try
		FROM attempts WHERE delivery_id IN (?) ORDER BY delivery_id, n`, ids)
	if err != nil {
		return nil, db.Wrap("list attempts", err)
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

// Step is one event of a projection and the ticket around it.
type Step struct {
	Before, After ticket.Ticket
	Event         ticket.Event // with Before completed
}
