package verify

import (
	"context"
	"fmt"
	"math"

	"signalbox/store/chain"
	"signalbox/store/db"
	"signalbox/store/tickets"
	"signalbox/store/vault"
	"signalbox/ticket"
)

// Options choose what Verify looks at; the zero value is everything.
type Options struct {
	Tenant string // tickets of this tenant alone
	Ticket string // the ticket with this number alone
	// Backfill takes into the chain what a version without it has written, as it stands now. It is for once, after that version is gone.
	Backfill bool
}

// Fault is something that Verify found.
type Fault struct {
	Tenant    string // empty: it is no ticket's
	Number    string // of the ticket; empty likewise
	What      string // in words, for people
	Unchained bool   // no fault by itself: a version without the chain may have written it, and Backfill takes it in
}

// Result counts what Verify has looked at.
type Result struct {
	Tickets    int64
	Rows       int64 // of timelines
	Backfilled int64 // of these, how many were taken in by Backfill: what they had been before that, nobody can tell
	Void       int64 // ids that have no ticket because none was opened
	Faults     int64
	Unchained  int64 // findings that Backfill would take in
}

// verifyAtOnce is how many tickets are listed at once.
const verifyAtOnce = 500

// Verify recomputes the chains of timelines and tells of each row that was changed, added, moved or deleted, of each ticket whose row says
// something else than its timeline, and of each ticket that is missing altogether; the last with all tickets in sight alone. It may run beside
// everything else, and takes the same memory however many rows there are. NotFound: there is no such ticket.
//
// Of a ticket's row it compares every column, and of the tables beside it messages, relations, ticket_tags, ticket_nodes, postings, waiting, stuck (as far as events and doubts tell it) and people, but for the
// place of an approver, which earlier versions had depend on how many events were projected at once. Of a ticket with rows from before the chain it does not compare
// ended_at and people, which earlier versions did not keep. It does not look at what no event tells: ratings, subscriptions and what they are owed,
// operations, services and apps.
//
// It cannot tell that the database, or a whole ticket, was put back as it once was, nor what somebody did who has the master key.
func (s *Verifier) Verify(ctx context.Context, o Options, report func(Fault)) (Result, error) {
	keys, err := s.vault.DataKeys(ctx, vault.KeyAudit)
	if err != nil {
		return Result{}, err
	}
	v := &verification{store: s, Keyring: chain.KeyringOf(keys), options: o, report: report}
	if o.Ticket != "" {
		err = v.one(ctx)
	} else {
		err = v.every(ctx)
	}
	return v.sum, db.TranslateError(err)
}

type verification struct {
	store *Verifier
	chain.Keyring
	options Options
	report  func(Fault)
	sum     Result
	block   *tickets.Block // of the words of the ticket that was looked at last
}

func (v *verification) found(f Fault) {
	if f.Unchained {
		v.sum.Unchained++
	} else {
		v.sum.Faults++
	}
	v.report(f)
}

// fault tells of what is no ticket's.
func (v *verification) fault(format string, args ...any) {
	v.found(Fault{What: fmt.Sprintf(format, args...)})
}

func (v *verification) one(ctx context.Context) error {
	query, args := `SELECT id FROM tickets WHERE number = ?`, []any{db.CleanText(v.options.Ticket)}
	if v.options.Tenant != "" {
		query, args = query+` AND tenant = ?`, append(args, v.options.Tenant)
	}
	var id int64
	found, err := v.store.db.Reader().Find(ctx, &id, query, args...)
	switch {
	case err != nil:
		return db.Wrap("look for a ticket", err)
	case !found:
		return ticket.Refuse(ticket.NotFound, "there is no such ticket")
	}
	return v.ticket(ctx, id)
}

// every walks through the tickets by their ids, a page at a time. With all tenants in sight it also looks for what has no ticket any more.
func (v *verification) every(ctx context.Context) error {
	var drawn chain.CounterRow
	all := v.options.Tenant == ""
	if all {
		if v.options.Backfill {
			if err := v.backfillIDs(ctx); err != nil {
				return err
			}
		}
		var err error
		if drawn, err = v.counter(ctx); err != nil {
			return err
		}
	}
	for after := int64(math.MinInt64); ; {
		ids, last, err := v.page(ctx, after)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := v.ticket(ctx, id); err != nil {
				return err
			}
		}
		if all {
			if err := v.orphans(ctx, after, last); err != nil {
				return err
			}
			if err := v.gaps(ctx, drawn, after, last, ids); err != nil {
				return err
			}
		}
		if last == math.MaxInt64 {
			break
		}
		after = last
	}
	if all {
		return v.undrawn(ctx)
	}
	return nil
}

// page lists the next ids, and tells up to where they are all there are.
func (v *verification) page(ctx context.Context, after int64) (ids []int64, last int64, err error) {
	query, args := `SELECT id FROM tickets WHERE id > ? ORDER BY id LIMIT ?`, []any{after, verifyAtOnce}
	if v.options.Tenant != "" {
		query, args = `SELECT id FROM tickets WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?`, append([]any{v.options.Tenant}, args...)
	}
	if err := v.store.db.Reader().All(ctx, &ids, query, args...); err != nil {
		return nil, 0, db.Wrap("list tickets", err)
	}
	if len(ids) < verifyAtOnce {
		return ids, math.MaxInt64, nil
	}
	return ids, ids[len(ids)-1], nil
}

// ticket looks at one ticket. What looks wrong is looked at again with the ticket's row held: somebody may have added to it between two reads.
func (v *verification) ticket(ctx context.Context, id int64) error {
	i, known, err := v.inspect(ctx, v.store.db.Reader(), id, false)
	if err != nil || !known { // deleted since it was listed: the gap is found next time
		return err
	}
	i.told()
	if !i.clean() {
		err = v.store.db.Write(ctx, func(ctx context.Context, q *db.Tx) (err error) {
			if i, known, err = v.inspect(ctx, q, id, true); err != nil || !known {
				return err
			}
			if i.told(); v.options.Backfill {
				err = v.backfill(ctx, q, i)
			}
			return err
		})
		if err != nil || !known {
			return err
		}
	}
	v.sum.Tickets++
	v.sum.Rows += i.chained + i.unchained
	v.sum.Backfilled += i.backfilled
	for _, what := range i.faults {
		v.found(Fault{Tenant: i.row.Tenant, Number: i.row.Number, What: what})
	}
	if i.unchained > 0 {
		v.found(Fault{Tenant: i.row.Tenant, Number: i.row.Number, Unchained: true,
			What: fmt.Sprintf("rows that are not in the chain: %d; a version without it wrote them, or a stranger", i.unchained)})
	}
	return nil
}

// orphans looks for timelines without a ticket. The database lets nobody make one, but who can write it can put that aside.
func (v *verification) orphans(ctx context.Context, after, last int64) error {
	for _, table := range []string{"events", "alerts"} {
		var ids []int64
		err := v.store.db.Reader().All(ctx, &ids, `SELECT DISTINCT e.ticket_id FROM `+table+` e LEFT JOIN tickets t ON t.id = e.ticket_id
			WHERE e.ticket_id > ? AND e.ticket_id <= ? AND t.id IS NULL ORDER BY 1`, after, last)
		if err != nil {
			return db.Wrap("look for "+table+" without a ticket", err)
		}
		for _, id := range ids {
			v.fault("there are %s of ticket %d, which has no row", table, id)
		}
	}
	return nil
}
