package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"signalbox/notice"
	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/ticket"
)

// Timeline gives at most limit events after a sequence number, oldest first, with Before completed.
func (p *Projections) Timeline(ctx context.Context, ticketID int64, after int64, limit int) (events []ticket.Event, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []string
		if err := q.All(ctx, &rows, `SELECT content FROM events WHERE ticket_id = ? AND seq > ? ORDER BY seq LIMIT ?`, ticketID, after, limit); err != nil {
			return db.Wrap("list events", err)
		}
		events, err = db.Convert(rows, func(content string) (ticket.Event, error) { return readEvent(ticketID, content) })
		return err
	})
	return events, err
}

// LastMove gives the last event before a number that says which version of its service the ticket runs through: that by which it was moved to another, or its opening.
func (p *Projections) LastMove(ctx context.Context, ticketID int64, before int64) (e ticket.Event, err error) {
	var content string
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("find the last move", q.Get(ctx, &content, `SELECT content FROM events WHERE ticket_id = ? AND seq < ? AND (seq = 1 OR type = ?) ORDER BY seq DESC LIMIT 1`, ticketID, before, ticket.Migrated))
	})
	if err != nil {
		return e, err
	}
	return readEvent(ticketID, content)
}

func readEvent(ticketID int64, content string) (e ticket.Event, err error) {
	if err = json.Unmarshal([]byte(content), &e); err != nil {
		return e, fmt.Errorf("read an event of ticket %d: %w", ticketID, err)
	}
	return e, nil
}

// entryRow is an event, of which it has the content, or an alert.
type entryRow struct {
	chain.AlertRow
	Content string `db:"content"`
}

func (r entryRow) entry(ticketID int64) (notice.Entry, error) {
	if r.N == 0 {
		e, err := readEvent(ticketID, r.Content)
		return notice.Entry{Event: &e}, err
	}
	return notice.Entry{Alert: &notice.Alert{ID: r.ID, Tenant: r.Tenant, TicketID: ticketID, Position: notice.Position{Seq: r.Seq, N: r.N}, At: r.At.Time,
		Kind: notice.AlertKind(r.Kind), Subscription: r.Subscription, Delivery: r.Delivery, Host: r.Host, Reason: r.Reason}}, nil
}

// Entries gives at most limit entries of a ticket's timeline after a place, oldest first: its events, with Before completed, and the alerts
// about deliveries that tell of it. What is added later stands behind all that is there, so that nobody who goes on from the last place misses
// anything.
func (p *Projections) Entries(ctx context.Context, ticketID int64, after notice.Position, limit int) ([]notice.Entry, error) {
	return p.entries(ctx, ticketID, after, ">", "", limit)
}

// CountEntries counts the entries of a ticket's timeline as people are shown it: without alerts of lasting subscriptions, which are told of every ticket, and with one
// for a delivery that was given up and its address that was dropped by that.
func (p *Projections) CountEntries(ctx context.Context, ticketID int64) (n int, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		return db.Wrap("count a timeline", q.Get(ctx, &n, `SELECT (SELECT count(*) FROM events WHERE ticket_id = ?) +
			(SELECT count(*) FROM alerts a WHERE a.ticket_id = ? AND NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = a.subscription_id AND s.ticket_id = 0)
				AND NOT (a.kind = ? AND EXISTS (SELECT 1 FROM alerts d WHERE d.ticket_id = a.ticket_id AND d.delivery_id = a.delivery_id AND d.kind = ?)))`,
			ticketID, ticketID, notice.DeliveryFailed, notice.AddressDropped))
	})
	return n, err
}

// EntriesBefore gives at most limit entries that stand right before a place, oldest first; before the zero place stand all.
func (p *Projections) EntriesBefore(ctx context.Context, ticketID int64, before notice.Position, limit int) ([]notice.Entry, error) {
	if before == (notice.Position{}) {
		before.Seq = math.MaxInt64
	}
	list, err := p.entries(ctx, ticketID, before, "<", "DESC", limit)
	slices.Reverse(list)
	return list, err
}

func (p *Projections) entries(ctx context.Context, ticketID int64, from notice.Position, side, order string, limit int) (list []notice.Entry, err error) {
	event := from.Seq // the event with this number is not wanted, unless alerts after it end the page
	if side == "<" && from.N > 0 {
		event++
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		var rows []entryRow
		// One statement, so that both are seen as of one moment. Each half is limited, so that neither is read further than a page needs.
		err := q.All(ctx, &rows, `SELECT seq, n, content, id, tenant, at, kind, subscription_id, delivery_id, host, reason FROM (
			SELECT * FROM (SELECT seq, CAST(0 AS bigint) AS n, content, '' AS id, '' AS tenant, at, '' AS kind, '' AS subscription_id, '' AS delivery_id, '' AS host, '' AS reason
				FROM events WHERE ticket_id = ? AND seq `+side+` ? ORDER BY seq `+order+` LIMIT ?) e
			UNION ALL
			SELECT * FROM (SELECT seq, n, '' AS content, id, tenant, at, kind, subscription_id, delivery_id, host, reason
				FROM alerts WHERE ticket_id = ? AND (seq, n) `+side+` (?, ?) ORDER BY seq `+order+`, n `+order+` LIMIT ?) a
			) t ORDER BY seq `+order+`, n `+order+` LIMIT ?`,
			ticketID, event, limit, ticketID, from.Seq, from.N, limit, limit)
		if err != nil {
			return db.Wrap("list a timeline", err)
		}
		list, err = db.Convert(rows, func(r entryRow) (notice.Entry, error) { return r.entry(ticketID) })
		return err
	})
	return list, err
}
