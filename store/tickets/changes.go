package tickets

import (
	"context"
	"strconv"
	"strings"

	"signalbox/store/db"
	"signalbox/ticket"
)

// feedPlace is where an event stands in the change feed of its tenant. The zero place is before all.
type feedPlace struct {
	Place  int64 `db:"place"`
	Ticket int64 `db:"ticket_id"`
	Seq    int64 `db:"seq"`
}

// String writes it as a cursor.
func (p feedPlace) String() string {
	if p == (feedPlace{}) {
		return ticket.FeedEarliest
	}
	return strconv.FormatInt(p.Place, 10) + "." + strconv.FormatInt(p.Ticket, 10) + "." + strconv.FormatInt(p.Seq, 10)
}

// parseFeedPlace reads what String wrote; the empty text is the zero place. Invalid, field "cursor": the text is none.
func parseFeedPlace(cursor string) (p feedPlace, err error) {
	if cursor == "" || cursor == ticket.FeedEarliest {
		return p, nil
	}
	parts := strings.Split(cursor, ".")
	for i, into := range []*int64{&p.Place, &p.Ticket, &p.Seq} {
		if i < len(parts) {
			*into, _ = strconv.ParseInt(parts[i], 10, 64)
		}
	}
	if p.String() != cursor || p.Place <= 0 {
		return feedPlace{}, ticket.RefuseField(ticket.Invalid, "cursor", "is not the next_cursor of a page, nor "+ticket.FeedEarliest+" or "+ticket.FeedLatest)
	}
	return p, nil
}

var errFeedGone = ticket.RefuseField(ticket.Gone, "cursor",
	"names a change that is not in the database: it was restored to an earlier state. Begin again from "+ticket.FeedLatest+", and list everything once")

// feedRow is an event and the ticket's row.
type feedRow struct {
	feedPlace
	Content string `db:"content"`
	State   string `db:"state"`
}

// ChangesQuery gives the query of a page of a change feed. Its arguments: the tenant, the place it begins behind (three numbers), its limit.
func ChangesQuery(q *db.Tx) string {
	return `SELECT e.place, e.ticket_id, e.seq, e.content, t.state FROM (
			SELECT place, ticket_id, seq, content FROM events
			WHERE tenant = ? AND tenant <> '' AND (place, ticket_id, seq) > (?, ?, ?) AND ` + q.FeedSettled() + ` ORDER BY place, ticket_id, seq LIMIT ?
		) e JOIN tickets t ON t.id = e.ticket_id ORDER BY e.place, e.ticket_id, e.seq`
}

// Changes gives a page of a tenant's change feed: every event of its tickets, oldest first, in an order that keeps that of each ticket and in which nothing
// is ever added behind what was read. A cursor is where the page before ended, ticket.FeedLatest or, like the empty one, ticket.FeedEarliest. A limit
// of 0 is ticket.DefaultPage, one above ticket.MaxPage is that. Invalid, field "cursor": it is none; Gone: it names what is not there.
func (p *Projections) Changes(ctx context.Context, tenant, cursor string, limit int) (page ticket.FeedPage, err error) {
	if limit <= 0 {
		limit = ticket.DefaultPage
	}
	limit = min(limit, ticket.MaxPage)
	unplaced, err := p.unplaced(ctx)
	if unplaced && err == nil {
		page.More, err = p.placeSome(ctx)
	}
	if err != nil {
		return page, err
	}
	err = p.db.Read(ctx, func(q *db.Tx) error {
		if cursor == ticket.FeedLatest {
			last, err := lastPlace(ctx, q, tenant)
			page.Next = last.String()
			return err
		}
		after, err := parseFeedPlace(cursor)
		if err != nil {
			return err
		}
		if err := known(ctx, q, tenant, after); err != nil {
			return err
		}
		var rows []feedRow
		if err := q.All(ctx, &rows, ChangesQuery(q), tenant, after.Place, after.Ticket, after.Seq, limit+1); err != nil {
			return db.Wrap("read the change feed", err)
		}
		if len(rows) > limit {
			rows, page.More = rows[:limit], true
		}
		if len(rows) > 0 {
			after = rows[len(rows)-1].feedPlace
		}
		page.Next = after.String()
		page.Items, err = db.Convert(rows, feedRow.entry)
		return err
	})
	return page, err
}

func (r feedRow) entry() (e ticket.FeedEntry, err error) {
	if e.Event, err = readEvent(r.Ticket, r.Content); err != nil {
		return e, err
	}
	e.Ticket, err = db.DecodeTicket(r.State)
	return e, err
}

// known refuses, as Gone, a place of which the tenant has no event: what was read there is lost, and others may have been given its place and those before.
func known(ctx context.Context, q *db.Tx, tenant string, at feedPlace) error {
	if at == (feedPlace{}) {
		return nil
	}
	found, err := q.Find(ctx, new(int), `SELECT 1 FROM events WHERE ticket_id = ? AND seq = ? AND place = ? AND tenant = ?`, at.Ticket, at.Seq, at.Place, tenant)
	if err == nil && !found {
		return errFeedGone
	}
	return db.Wrap("look for a cursor", err)
}

// lastPlace gives the last place of a tenant's feed; zero: it is empty.
func lastPlace(ctx context.Context, q *db.Tx, tenant string) (last feedPlace, err error) {
	_, err = q.Find(ctx, &last, `SELECT place, ticket_id, seq FROM events WHERE tenant = ? AND tenant <> '' AND `+q.FeedSettled()+
		` ORDER BY place DESC, ticket_id DESC, seq DESC LIMIT 1`, tenant)
	return last, db.Wrap("find the end of the change feed", err)
}

// placeBatch is of how many tickets the events are placed at once.
const placeBatch = 200

// PlaceChanges brings all events into the feed that a version without it wrote.
func (p *Projections) PlaceChanges(ctx context.Context) error {
	for {
		if more, err := p.placeSome(ctx); err != nil || !more {
			return err
		}
	}
}

// unplaced reports whether there are events that are not in the feed: a version without it runs beside this one, or did.
func (p *Projections) unplaced(ctx context.Context) (found bool, err error) {
	err = p.db.Read(ctx, func(q *db.Tx) error {
		found, err = q.Find(ctx, new(int), `SELECT 1 FROM events WHERE tenant = '' LIMIT 1`)
		return db.Wrap("look for events without a place", err)
	})
	return found, err
}

// placeSome places the events of some tickets, and reports whether there may be more to place. They come at the end of the feed, like all that is new in
// it: nothing is put behind what was read.
func (p *Projections) placeSome(ctx context.Context) (more bool, err error) {
	err = p.db.Write(ctx, func(ctx context.Context, q *db.Tx) error {
		var tickets []struct {
			ID     int64  `db:"id"`
			Tenant string `db:"tenant"`
		}
		// The tickets' rows are not locked: what is written meanwhile is placed the next time.
		err := q.All(ctx, &tickets, `SELECT t.id, t.tenant FROM (SELECT DISTINCT ticket_id FROM events WHERE tenant = '' ORDER BY ticket_id LIMIT ?) e
			JOIN tickets t ON t.id = e.ticket_id ORDER BY t.id`, placeBatch)
		if err != nil {
			return db.Wrap("list events without a place", err)
		}
		for _, t := range tickets {
			place := q.FeedPlace(t.Tenant, t.ID, 0)
			args := append(append([]any{t.Tenant}, place.Args...), t.ID)
			if _, err := q.Exec(ctx, `UPDATE events SET tenant = ?, place = `+place.SQL+` WHERE ticket_id = ? AND tenant = ''`, args...); err != nil {
				return db.Wrap("place events", err)
			}
		}
		more = len(tickets) == placeBatch
		return nil
	})
	return more, err
}
