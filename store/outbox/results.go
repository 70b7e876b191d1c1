package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/store/tallies"
	"signalbox/store/vault"
)

// workRow is a delivery with its subscription.
type workRow struct {
	deliveryRow
	Sub subscriptionRow `db:"sub"`
}

const workColumns = deliveryColumns + `, s.id AS "sub.id", s.tenant AS "sub.tenant", s.ticket_id AS "sub.ticket_id", s.person AS "sub.person", s.url AS "sub.url", s.host AS "sub.host",
	s.format AS "sub.format", s.profile AS "sub.profile", s.secret AS "sub.secret", s.older AS "sub.older", s.headers AS "sub.headers", s.tls AS "sub.tls", s.timeout AS "sub.timeout", s.state AS "sub.state", s.reason AS "sub.reason",
	s.created_at AS "sub.created_at", s.ended_at AS "sub.ended_at", s.failing_since AS "sub.failing_since"`

// work completes a row. Where a secret cannot be read, it is work that cannot be sent: unsigned it would be worthless, and one lost key must
// not hold everybody else up.
func (o *Outbox) work(ctx context.Context, q *db.Tx, r workRow, persons map[string]personRow) notice.Work {
	d, err := o.delivery(ctx, q, r.deliveryRow)
	sub, readErr := r.Sub.subscription()
	w := notice.Work{Delivery: d, Subscription: sub}
	if r.Sub.Person != "" {
		person, known := persons[r.Sub.Person]
		if !known {
			w.Unsendable = "the directory does not know the person any more"
			return w
		}
		w.Subscription.Person = person.ID
		if err = errors.Join(err, readErr, o.address(&w, r.Sub.Format, person)); err != nil {
			q.Log.ErrorContext(ctx, "delivery.unsendable", "delivery", r.ID, "subscription", r.Sub.ID, "error", err)
			w.Unsendable = unreadable
		}
		return w
	}
	if err = errors.Join(err, readErr, o.decryptSubscription(r.Sub, &w.Subscription)); err != nil {
		q.Log.ErrorContext(ctx, "delivery.unsendable", "delivery", r.ID, "subscription", r.Sub.ID, "error", err)
		w.Unsendable = unreadable
	}
	return w
}

const unreadable = "the secrets of its address cannot be read; an operator has to give back the key they were sealed with"

// decryptSubscription sets the secrets, the headers and the TLS of a subscription, which are stored encrypted.
func (o *Outbox) decryptSubscription(r subscriptionRow, sub *notice.Subscription) (err error) {
	if sub.Secret, sub.Older, err = o.vault.OpenSigning(r.Signing, r.ID); err != nil {
		return err
	}
	return errors.Join(o.unseal(r.Headers, vault.HeadersOwner(r.ID), &sub.Headers), o.unseal(r.TLS, vault.TLSOwner(r.ID), &sub.TLS))
}

// unseal reads JSON that is stored encrypted; nothing where there is none.
func (o *Outbox) unseal(text, owner string, to any) error {
	if text == "" {
		return nil
	}
	plain, err := o.vault.Decrypt(text, owner)
	if err == nil {
		err = json.Unmarshal([]byte(plain), to)
	}
	return db.Wrap("open "+owner, err)
}

// Pending lists of each lane of a partition the delivery whose first try is next, in the order in which things happened, without those in busy
// lanes and without those to some hosts. Nothing of a retrying lane is listed.
func (o *Outbox) Pending(ctx context.Context, partition int, busy []notice.Lane, limit int, hosts ...string) (list []notice.Work, err error) {
	query, args := `SELECT `+workColumns+` FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id WHERE d.part = ? AND d.state = 'pending' AND `+db.Sending+`
		AND (d.alone OR NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.subscription_id = d.subscription_id AND e.ticket_id = d.ticket_id AND e.state = 'pending'
		AND e.state IN ('pending', 'parked') AND NOT e.alone AND (e.at, e.seq) < (d.at, d.seq)))`, []any{partition}
	if len(busy) > 0 {
		lanes := make([]string, len(busy))
		for i, l := range busy {
			lanes[i] = l.String()
		}
		query, args = query+` AND `+laneText+` NOT IN (?)`, append(args, lanes)
	}
	if len(hosts) > 0 {
		query, args = query+` AND NOT (s.host IN (?) AND `+db.Hosted+`)`, append(args, hosts)
	}
	var rows []workRow
	err = o.db.Read(ctx, func(q *db.Tx) error {
		if err := q.AllIn(ctx, &rows, query+` ORDER BY d.at, d.seq, d.id LIMIT ?`, append(args, limit)...); err != nil {
			return db.Wrap("list pending deliveries", err)
		}
		persons, err := o.addressees(ctx, q, rows)
		if err != nil {
			return err
		}
		for _, row := range rows {
			list = append(list, o.work(ctx, q, row, persons))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	subs := make([]subscriptionRow, len(rows))
	for i, row := range rows {
		subs[i] = row.Sub
	}
	if err := o.respell(ctx, subs); err != nil { // the next time then
		o.db.Log.WarnContext(ctx, "address.respell_failed", "error", err)
	}
	return list, nil
}

// laneText is notice.Lane.String of a delivery d.
const laneText = `(d.subscription_id || ':' || CAST(d.ticket_id AS text) || CASE WHEN d.alone THEN ':' || d.id ELSE '' END)`

// Begin stores that the first try at a pending delivery begins: see activities.Outbox.
func (o *Outbox) Begin(ctx context.Context, delivery string, at time.Time) (begun bool, err error) {
	err = o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		n, err := q.Exec(ctx, `UPDATE deliveries SET first_try = ? WHERE id = ? AND state = 'pending'`, db.At(at), delivery)
		begun = n > 0
		return db.Wrap("begin a try", err)
	})
	return begun, err
}

// SaveResults stores tries and what follows from them: see activities.Outbox. A try that is stored already, which its delivery and its start identify,
// changes nothing. Nor does one at a delivery that is not there, since it was deleted meanwhile or the database has been put back to an earlier state: the log tells of it.
func (o *Outbox) SaveResults(ctx context.Context, results []notice.Result) error {
	return o.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		results, err := o.unrecorded(ctx, q, results)
		if err != nil || len(results) == 0 {
			return err
		}
		outcomes := outcomesOf(results)
		if err := o.lockAddresses(ctx, q, outcomes); err != nil {
			return err
		}
		for _, some := range byDelivery(outcomes) {
			if err := o.recordTries(ctx, q, some); err != nil {
				return err
			}
		}
		return o.writeAlerts(ctx, q, outcomes)
	})
}

// unrecorded leaves out the tries that are stored already, and those at what is not there.
func (o *Outbox) unrecorded(ctx context.Context, q *db.Tx, results []notice.Result) ([]notice.Result, error) {
	if len(results) == 0 {
		return nil, nil
	}
	var rows []struct {
		Delivery string        `db:"id"`
		Started  *db.Timestamp `db:"started_at"`
	}
	ids := deliveriesOf(results)
	err := q.AllIn(ctx, &rows, `SELECT delivery_id AS id, started_at FROM attempts WHERE delivery_id IN (?) UNION ALL SELECT id, NULL FROM deliveries WHERE id IN (?)`, ids, ids)
	if err != nil {
		return nil, db.Wrap("look for deliveries and attempts", err)
	}
	stored := map[string][]*db.Timestamp{}
	for _, row := range rows {
		stored[row.Delivery] = append(stored[row.Delivery], row.Started)
	}
	return slices.DeleteFunc(slices.Clone(results), func(r notice.Result) bool {
		d := r.Work.Delivery
		tries, there := stored[d.ID]
		if !there {
			q.Committed(func() {
				q.Log.WarnContext(ctx, "delivery.gone", "delivery", d.ID, "subscription", d.Lane.Subscription, "ticket_id", d.Lane.TicketID, "then", string(r.Then))
			})
			return true
		}
		return !r.PutOff && slices.ContainsFunc(tries, func(t *db.Timestamp) bool { return t != nil && t.Equal(db.At(r.Attempt.StartedAt).Time) })
	}), nil
}

func deliveriesOf(results []notice.Result) []string {
	ids := make([]string, len(results))
	for i, r := range results {
		ids[i] = r.Work.Delivery.ID
	}
	return ids
}

// lockAddresses locks, in the order of locks, all that comes before deliveries: the tickets whose lanes begin retrying or end as a whole, and those whose timelines get alerts; the lanes of
// the stream that results or alerts are about; and the subscriptions, whose health it records. Alerts have their positions and followers then, and can be written.
func (o *Outbox) lockAddresses(ctx context.Context, q *db.Tx, outcomes []*outcome) error {
	var tickets, lanes []int64
	for _, r := range outcomes {
		switch id := r.Work.Delivery.Lane.TicketID; {
		case r.Then != notice.Retrying && len(r.alerts) == 0:
		case id > 0:
			tickets = append(tickets, id)
		case r.Then == notice.Retrying || r.Drop != "":
			lanes = append(lanes, id)
		}
	}
	heads, err := q.LockTickets(ctx, tickets)
	if err != nil {
		return err
	}
	if err := o.positionAlerts(ctx, q, outcomes, heads); err != nil {
		return err
	}
	if err := o.lockStreamLanes(ctx, q, outcomes, lanes); err != nil {
		return err
	}
	return o.recordHealth(ctx, q, outcomes)
}

// byDelivery parts outcomes so that no part has two of one delivery, and those of one follow each other as they did.
func byDelivery(outcomes []*outcome) (parts [][]*outcome) {
	seen := map[string]int{}
	for _, r := range outcomes {
		n := seen[r.Work.Delivery.ID]
		seen[r.Work.Delivery.ID]++
		if n == len(parts) {
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], r)
	}
	return parts
}

// recordTries stores tries, one of each delivery, and what follows from them. What arrived is most of it, and costs as many statements as one delivery alone.
func (o *Outbox) recordTries(ctx context.Context, q *db.Tx, outcomes []*outcome) error {
	tried, err := o.lockTried(ctx, q, outcomes)
	if err != nil {
		return err
	}
	added, err := o.insertAttempts(ctx, q, outcomes, tried)
	if err != nil {
		return err
	}
	sent := map[int][]string{} // by the number of the try
	var counts []tallies.Sum
	for _, r := range outcomes {
		id, moved := r.Work.Delivery.ID, false
		switch {
		case r.PutOff:
			err = o.recordDeferral(ctx, q, r)
		case added[id] == 0: // it is stored already
		case r.Then == notice.Sent && r.Drop == "":
			sent[added[id]] = append(sent[added[id]], id)
			moved = slices.Contains(notice.Waiting, notice.DeliveryState(tried[id].State))
		default:
			moved, err = o.moveOn(ctx, q, r, tried[id].Counted)
		}
		if err != nil {
			return fmt.Errorf("record a try at %s: %w", id, err)
		}
		if moved {
			counts = append(counts, o.tallyAs(tried[id].countedRow, r.Then, 1))
		}
	}
	for n, ids := range sent {
		// What did arrive before its address was dropped has arrived.
		err := q.LaterIn(ctx, `UPDATE deliveries SET state = 'sent', tries = tries + 1, first_try = COALESCE(first_try, a.started_at), next_try = NULL, ended_at = a.finished_at,
			counted = COALESCE((SELECT NULLIF(s.host, '') FROM subscriptions s WHERE s.id = deliveries.subscription_id), '-') FROM attempts a WHERE a.delivery_id IN (?) AND a.n = ? AND deliveries.id = a.delivery_id AND deliveries.state IN ('pending', 'parked', 'held')`, ids, n)
		if err != nil {
			return db.Wrap("move deliveries on", err)
		}
	}
	return o.count(ctx, q, counts)
}

// triedRow is a delivery that was tried.
type triedRow struct {
	countedRow     // counted is the host at which it will be
	Made       int `db:"made"`
}

// lockTried locks the deliveries of outcomes, so that tries at one are numbered one after the other, and tells how they stand and how many are stored of each. Where it had to wait
// for another who stored one, that one is not among them.
func (o *Outbox) lockTried(ctx context.Context, q *db.Tx, outcomes []*outcome) (tried map[string]triedRow, err error) {
	ids := make([]string, len(outcomes))
	for i, r := range outcomes {
		ids[i] = r.Work.Delivery.ID
	}
	var rows []triedRow
	err = q.AllIn(ctx, &rows, q.Locking(`SELECT d.id, d.tenant, d.at, d.state, COALESCE((SELECT NULLIF(s.host, '') FROM subscriptions s WHERE s.id = d.subscription_id), '-') AS counted,
		COALESCE((SELECT MAX(a.n) FROM attempts a WHERE a.delivery_id = d.id), 0) AS made FROM deliveries d WHERE d.id IN (?) ORDER BY d.id`, db.Exclusive), ids)
	tried = map[string]triedRow{}
	for _, r := range rows {
		tried[r.ID] = r
	}
	return tried, db.Wrap("lock deliveries", err)
}

// insertAttempts stores the tries of outcomes, and gives the number of each that was not stored already, by delivery. tried tells how many there are of each, or
// were before somebody else stored one.
func (o *Outbox) insertAttempts(ctx context.Context, q *db.Tx, outcomes []*outcome, tried map[string]triedRow) (added map[string]int, err error) {
	var rows [][]any
	for _, r := range outcomes {
		if r.PutOff {
			continue
		}
		d, a := r.Work.Delivery, r.Attempt
		sent, err := writeHeaders(a.Sent)
		if err != nil {
			return nil, err
		}
		header, err := writeHeaders(a.Header)
		if err != nil {
			return nil, err
		}
		answer := append([]byte{}, a.Answer[:min(len(a.Answer), notice.MaxAnswer)]...) // never nil, which would be null
		rows = append(rows, []any{d.ID, tried[d.ID].Made + 1, db.AtOrNil(a.ScheduledAt), db.At(a.StartedAt), db.At(a.FinishedAt), sent, a.Status, header, string(a.Class),
			db.CleanText(a.Error), answer, a.Succeeded, db.AtOrNil(a.NextTry)})
	}
	const into = `attempts (delivery_id, n, scheduled_at, started_at, finished_at, sent, status, header, class, error, answer, succeeded, next_try)`
	ids, err := q.InsertReturning(ctx, into, rows, `ON CONFLICT DO NOTHING RETURNING delivery_id`)
	if err != nil {
		return nil, db.Wrap("insert attempts", err)
	}
	added = map[string]int{}
	for _, id := range ids {
		added[id] = tried[id].Made + 1
	}
	for _, row := range rows {
		id := row[0].(string)
		if added[id] > 0 {
			continue
		}
		// Either it is there, or its number is another's by now.
		var n int
		if err := q.Get(ctx, &n, `SELECT COALESCE(MAX(n), 0) + 1 FROM attempts WHERE delivery_id = ?`, id); err != nil {
			return nil, db.Wrap("number an attempt", err)
		}
		row[1] = n
		if ids, err = q.InsertReturning(ctx, into, [][]any{row}, `ON CONFLICT (delivery_id, started_at) DO NOTHING RETURNING delivery_id`); err != nil {
			return nil, db.Wrap("insert an attempt", err)
		}
		if len(ids) > 0 {
			added[id] = n
		}
	}
	return added, nil
}

// moveOn moves the delivery of a try on, reports whether it did, and where it did and that is to be tried again has its lane retrying. One that is over by it is counted at a host.
func (o *Outbox) moveOn(ctx context.Context, q *db.Tx, r *outcome, host string) (moved bool, err error) {
	d, a := r.Work.Delivery, r.Attempt
	// A delivery that was cancelled or held meanwhile, or goes to another registration by now, stays as it is, unless it did arrive before its address was dropped.
	from, of := `state IN ('pending', 'parked') AND subscription_id = ?`, []any{d.Lane.Subscription}
	if r.Then == notice.Sent {
		from, of = `state IN ('pending', 'parked', 'held')`, nil
	}
	var ended *db.Timestamp
	if r.Then.Over() {
		ended = db.AtOrNil(&a.FinishedAt)
	}
	if tallyOf(r.Then) == "" {
		host = ""
	}
	n, err := q.Exec(ctx, `UPDATE deliveries SET state = ?, tries = tries + 1, first_try = COALESCE(first_try, ?), next_try = ?, ended_at = ?, counted = ?
		WHERE id = ? AND `+from, append([]any{string(r.Then), db.At(a.StartedAt), db.AtOrNil(r.NextTry), ended, host, d.ID}, of...)...)
	moved = n > 0
	r.did[notice.DeliveryFailed] = moved
	switch {
	case err != nil:
		return false, db.Wrap("move the delivery on", err)
	case r.did[notice.AddressDropped]:
		err = o.beginTransition(ctx, q, r.Work.Subscription.ID)
	case moved && r.Then == notice.Retrying:
		err = o.startRetrying(ctx, q, d.Lane)
	}
	return moved, err
}

// recordDeferral has a delivery that was put off, unsent, wait for its next try, and its lane retrying.
func (o *Outbox) recordDeferral(ctx context.Context, q *db.Tx, r *outcome) error {
	d := r.Work.Delivery
	n, err := q.Exec(ctx, `UPDATE deliveries SET state = 'parked', first_try = COALESCE(first_try, ?), next_try = ? WHERE id = ? AND state IN ('pending', 'parked') AND subscription_id = ?`,
		db.At(r.Attempt.StartedAt), db.AtOrNil(r.NextTry), d.ID, d.Lane.Subscription)
	if err != nil || n == 0 { // it stays as it is, as in moveOn
		return db.Wrap("put the delivery off", err)
	}
	return o.startRetrying(ctx, q, d.Lane)
}

// writeHeaders makes headers one text; none are the empty one.
func writeHeaders(h map[string]string) (string, error) {
	if len(h) == 0 {
		return "", nil
	}
	raw, err := json.Marshal(h)
	return string(raw), db.Wrap("write headers", err)
}

// startRetrying has a lane retry in which a delivery has just become retrying: its pending deliveries are retrying from now on. What the lane belongs to is locked. One that is
// alone in its lane says all there is to say of it.
func (o *Outbox) startRetrying(ctx context.Context, q *db.Tx, lane notice.Lane) error {
	if lane.Delivery != "" {
		return nil
	}
	if _, err := q.Exec(ctx, `INSERT INTO lanes (ticket_id, subscription_id, parked_at) VALUES (?, ?, ?) ON CONFLICT (ticket_id, subscription_id) DO NOTHING`,
		lane.TicketID, lane.Subscription, db.At(q.Now())); err != nil {
		return db.Wrap("start the lane's retrying", err)
	}
	_, err := q.Exec(ctx, `UPDATE deliveries SET state = 'parked' WHERE subscription_id = ? AND ticket_id = ? AND state = 'pending' AND state IN ('pending', 'parked')
		AND NOT alone`, lane.Subscription, lane.TicketID)
	return db.Wrap("start the lane's retrying", err)
}
