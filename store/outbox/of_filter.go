package outbox

import (
	"context"
	"slices"
	"time"

	"signalbox/notice"
	"signalbox/store/db"
	"signalbox/ticket"
)

// filterWhere gives the condition for deliveries d, of subscriptions s, that a filter chooses. Each of its queries is answered by an index: newest first by that of the tenant, of what is in
// trouble by that alone, of a subscription by its own, of what is over at a host by the host that it is counted at; and where few subscriptions are at a host, by way of these.
func filterWhere(tenant string, f notice.DeliveryFilter) *db.Where {
	w := &db.Where{}
	w.And(`d.tenant = ?`, tenant)
	w.AndIn(`d.state`, texts(f.States))
	among := func(states []notice.DeliveryState) bool {
		return len(f.States) > 0 && !ofCounted(f) && !slices.ContainsFunc(f.States, func(s notice.DeliveryState) bool { return !slices.Contains(states, s) })
	}
	if among(notice.InTrouble) {
		w.And(`d.state IN ('failed', 'held', 'parked')`) // as the index says it
	}
	if among(notice.Waiting) {
		w.And(`d.` + backlogStates)
	}
	w.AndIf(f.Subscription != "", `d.subscription_id = ?`, db.CleanText(f.Subscription))
	w.AndIf(f.TicketID != 0, `d.ticket_id = ?`, f.TicketID)
	if f.URL != "" {
		address := notice.AddressOf(f.URL)
		w.And(`s.tenant = ? AND s.host = ? AND s.url = ?`, tenant, address.Host, address.URL)
	}
	switch {
	case ofCounted(f):
		w.And(`d.counted = ? AND d.counted <> ''`, db.CleanText(f.Host)) // as the index says it
	case f.Host != "":
		w.And(`s.tenant = ? AND s.host = ?`, tenant, db.CleanText(f.Host))
	}
	w.AndIf(!f.From.IsZero(), `d.at >= ?`, db.At(f.From))
	w.AndIf(!f.To.IsZero(), `d.at < ?`, db.At(f.To))
	return w
}

// ofCounted reports whether a filter asks for what is over at a host alone. These are found by the host that they went to, as they are counted; any others by where their address is now.
func ofCounted(f notice.DeliveryFilter) bool {
	return f.Host != "" && len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s notice.DeliveryState) bool { return tallyOf(s) == "" })
}

// ofFilter is what deliveries are chosen from.
const ofFilter = ` FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id `

// tenantRow is a delivery without its body, with where it goes.
type tenantRow struct {
	deliveryRow
	Number string          `db:"number"`
	Sub    subscriptionRow `db:"sub"`
}

const tenantColumns = `d.id, d.tenant, d.subscription_id, d.ticket_id, d.part, d.at, d.seq, d.type, d.alert, d.hops, d.alone, d.letter, d.reason, d.state, d.tries, d.first_try,
	d.next_try, d.created_at, d.ended_at, COALESCE((SELECT t.number FROM tickets t WHERE t.id = d.ticket_id), '') AS number, s.id AS "sub.id", s.tenant AS "sub.tenant", s.ticket_id AS "sub.ticket_id",
	s.person AS "sub.person", s.url AS "sub.url", s.host AS "sub.host", s.format AS "sub.format", s.profile AS "sub.profile", s.timeout AS "sub.timeout", s.state AS "sub.state", s.reason AS "sub.reason",
	s.created_at AS "sub.created_at", s.ended_at AS "sub.ended_at", s.failing_since AS "sub.failing_since"`

func (r tenantRow) delivery() (notice.TenantDelivery, error) {
	sub, err := r.Sub.subscription()
	return notice.TenantDelivery{DeliveryRecord: notice.DeliveryRecord{Delivery: r.deliveryRow.delivery()}, At: r.At.Time, Number: r.Number, Subscription: sub}, err
}

// FilterQuery gives the query of a page of a tenant's deliveries, whose last argument, its limit, is not among args. It is to be run with db.Once. Invalid: the filter, or its cursor.
func FilterQuery(tenant string, f notice.DeliveryFilter) (query string, args []any, err error) {
	if err := f.Check(); err != nil {
		return "", nil, err
	}
	w := filterWhere(tenant, f)
	if err := w.After(f.Cursor, `d.at, d.id`, func(c db.Cursor) []any { return []any{db.At(c.At), c.ID} }); err != nil {
		return "", nil, err
	}
	return `SELECT ` + tenantColumns + ofFilter + `WHERE ` + w.String() + ` ORDER BY d.at DESC, d.id DESC LIMIT ?`, w.Args(), nil
}

// TenantDeliveries lists a tenant's deliveries that a filter chooses, whatever they are about, newest first. A limit of 0 is ticket.DefaultPage, one above ticket.MaxPage is that.
func (o *Outbox) TenantDeliveries(ctx context.Context, tenant string, f notice.DeliveryFilter) (page notice.DeliveryPage, err error) {
	query, args, err := FilterQuery(tenant, f)
	if err != nil {
		return page, err
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var rows []tenantRow
		rows, page.Next, err = db.ReadPage(db.Once(ctx), q, f.Limit, query, args, func(r tenantRow) db.Cursor { return db.Cursor{At: r.At.Time, N: 1, ID: r.ID} })
		if err != nil {
			return db.Wrap("list deliveries", err)
		}
		last, err := o.lastAttempts(ctx, q, rows)
		if err != nil {
			return err
		}
		page.Items, err = db.Convert(rows, func(r tenantRow) (notice.TenantDelivery, error) {
			d, err := r.delivery()
			d.Attempts = last[r.ID]
			return d, err
		})
		return err
	})
	return page, err
}

// lastAttempts gives of each delivery the last attempt.
func (o *Outbox) lastAttempts(ctx context.Context, q *db.Tx, deliveries []tenantRow) (map[string][]notice.Attempt, error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	var rows []attemptRow
	err := q.AllIn(ctx, &rows, `SELECT a.delivery_id, a.n, a.scheduled_at, a.started_at, a.finished_at, a.sent, a.status, a.header, a.class, a.error, a.answer, a.succeeded, a.next_try
		FROM attempts a WHERE a.delivery_id IN (?) AND a.n = (SELECT MAX(l.n) FROM attempts l WHERE l.delivery_id = a.delivery_id)`, ids)
	if err != nil {
		return nil, db.Wrap("list last attempts", err)
	}
	out := map[string][]notice.Attempt{}
	for _, r := range rows {
		a, err := r.attempt()
		if err != nil {
			return nil, err
		}
		out[r.Delivery] = []notice.Attempt{a}
	}
	return out, nil
}

// TenantDelivery gives one of a tenant's deliveries by its ID, with its body and every attempt. NotFound: there is none.
func (o *Outbox) TenantDelivery(ctx context.Context, tenant, id string) (out notice.TenantDelivery, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		var row tenantRow
		found, err := q.Find(ctx, &row, `SELECT `+tenantColumns+`, d.body`+ofFilter+`WHERE d.id = ? AND d.tenant = ?`, db.CleanText(id), tenant)
		switch {
		case err != nil:
			return db.Wrap("look for a delivery", err)
		case !found:
			return ticket.Refuse(ticket.NotFound, "there is no such delivery")
		}
		if out, err = row.delivery(); err != nil {
			return err
		}
		attempts, err := o.attempts(ctx, q, []deliveryRow{row.deliveryRow})
		if err != nil {
			return err
		}
		d, err := o.delivery(ctx, q, row.deliveryRow)
		out.DeliveryRecord = notice.DeliveryRecord{Delivery: d, Attempts: attempts[row.ID]}
		return err
	})
	return out, err
}

// CountDeliveries counts a tenant's deliveries that a filter chooses, whatever its page, up to most.
func (o *Outbox) CountDeliveries(ctx context.Context, tenant string, f notice.DeliveryFilter, most int) (total ticket.Total, err error) {
	if err := f.Check(); err != nil {
		return total, err
	}
	w := filterWhere(tenant, f)
	err = o.db.Read(ctx, func(q *db.Tx) error {
		from := ` FROM deliveries d ` // a subscription each is looked up only where it is asked about
		if f.URL != "" || f.Host != "" && !ofCounted(f) {
			from = ofFilter
		}
		return db.Wrap("count deliveries", q.Get(db.Once(ctx), &total.N, `SELECT COUNT(*) FROM (SELECT 1`+from+`WHERE `+w.String()+` LIMIT ?) c`, w.Args(most+1)...))
	})
	if total.More = total.N > most; total.More {
		total.N = most
	}
	return total, err
}

// DeliveryStats tells how deliveries to a subscription about events since then went, of the last notice.MaxStats of them, and what waits for it.
func (o *Outbox) DeliveryStats(ctx context.Context, subscription string, since time.Time) (out notice.DeliveryStats, err error) {
	var rows []struct {
		What string `db:"what"`
		N    int    `db:"n"`
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		waiting := func(state, as string) string {
			return ` UNION ALL SELECT '` + state + `-all' AS what, COUNT(*) AS n FROM (SELECT 1 FROM deliveries WHERE subscription_id = ? AND state = '` + state + `' AND ` + as + ` LIMIT ?) w`
		}
		err := q.All(ctx, &rows, `SELECT state AS what, COUNT(*) AS n FROM (SELECT state FROM deliveries WHERE subscription_id = ? AND at >= ? ORDER BY at DESC, seq DESC, id DESC LIMIT ?) l GROUP BY state`+
			waiting("pending", `state IN ('pending', 'parked')`)+waiting("parked", `state IN ('pending', 'parked')`)+waiting("held", `state = 'held'`),
			subscription, db.At(since), notice.MaxStats, subscription, notice.MaxStats, subscription, notice.MaxStats, subscription, notice.MaxStats)
		return db.Wrap("count what a subscription was told", err)
	})
	for _, r := range rows {
		switch r.What {
		case string(notice.Sent):
			out.Sent = r.N
		case string(notice.Failed):
			out.Failed = r.N
		case "pending-all":
			out.Pending = r.N
		case "parked-all":
			out.Retrying = r.N
		case "held-all":
			out.Held = r.N
		}
	}
	return out, err
}

// filterAtOnce is how many subscriptions a filter's redelivery is about at once.
const filterAtOnce = 200

// RedeliverFilter has all those deliveries delivered again that a filter chooses, in whatever page, as BeginRedelivery has those of one subscription: one redelivery for each subscription and state.
// The filter names states of those in which a delivery is over: failed, held, sent. dry: they are only counted, by the same condition. Of an address that has moved to another host those go along that ended
// at the other. What subscriptions cannot be told again as a whole is
// skipped, with the reason. Invalid: the filter; a ticket cannot be asked for.
func (o *Outbox) RedeliverFilter(ctx context.Context, tenant string, f notice.DeliveryFilter, dry bool) (out notice.FilterRedelivery, err error) {
	if err := f.Check(); err != nil {
		return out, err
	}
	if len(f.States) == 0 || slices.ContainsFunc(f.States, func(s notice.DeliveryState) bool { return (notice.Selection{State: s}).Check() != nil }) {
		return out, ticket.RefuseField(ticket.Invalid, "state", "must be failed, held or sent")
	}
	if f.TicketID != 0 {
		return out, ticket.RefuseField(ticket.Invalid, "ticket", "what is about a ticket is delivered again by its subscriptions")
	}
	var rows []struct {
		ID     string `db:"id"`
		Ticket int64  `db:"ticket_id"`
	}
	err = o.db.Read(ctx, func(q *db.Tx) error {
		w := filterWhere(tenant, f)
		return db.Wrap("list subscriptions", q.All(db.Once(ctx), &rows, `SELECT DISTINCT s.ticket_id, s.id`+ofFilter+`WHERE `+w.String()+` ORDER BY s.ticket_id, s.id LIMIT ?`, w.Args(filterAtOnce+1)...))
	})
	if err != nil {
		return out, err
	}
	if out.More = len(rows) > filterAtOnce; out.More {
		rows = rows[:filterAtOnce]
	}
	for _, row := range rows {
		for _, state := range f.States {
			sel := notice.Selection{State: state}
			if !f.From.IsZero() {
				sel.From = &f.From
			}
			if !f.To.IsZero() {
				sel.To = &f.To
			}
			r, err := o.BeginRedelivery(ctx, notice.Owner{Tenant: tenant, TicketID: max(0, row.Ticket)}, row.ID, sel, dry)
			if refusal := ticket.AsError(err); refusal != nil && refusal.Code != ticket.Unavailable {
				skipped := notice.SkippedRedelivery{Subscription: row.ID, Lasting: row.Ticket == 0, Why: refusal}
				if row.Ticket > 0 {
					if skipped.Number, err = o.numberOf(ctx, row.Ticket); err != nil {
						return out, err
					}
				}
				out.Skipped = append(out.Skipped, skipped)
				break
			}
			if err != nil {
				return out, err
			}
			if r.Total > 0 {
				out.Total += r.Total
				out.Begun = append(out.Begun, r)
			}
		}
	}
	return out, nil
}

// numberOf gives the number of a ticket; empty: there is none.
func (o *Outbox) numberOf(ctx context.Context, ticketID int64) (number string, err error) {
	err = o.db.Read(ctx, func(q *db.Tx) error {
		_, err := q.Find(ctx, &number, `SELECT number FROM tickets WHERE id = ?`, ticketID)
		return db.Wrap("find the number of a ticket", err)
	})
	return number, err
}
